"""Finds the lines that a site, not the author, put into a text, so that they neither join nor part two articles."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.align import shingle_letters
from baznashr_server.judge.chrome_phrases import ENDS, FIELDS, LISTS, NOTICES
from baznashr_server.kernel import kernel
from baznashr_server.sketch.shingles import SIZE
from baznashr_server.text.canonical import Canonical, canonicalise

NOTICE, FIELD, LIST, END = range(4)
MAX_FIELD = 60
"""Letters a field's line may have to be one."""
MAX_LIST_LINE = 110
"""Letters of a headline in a list of other articles."""
MAX_LIST_LINES = 12
MAX_TAIL = 1500
"""Letters below the end mark; a longer rest is another article on the page."""
MIN_BODY = 40
"""Letters above the end mark that make an article."""

Bools = NDArray[np.bool_]


class Phrases(NamedTuple):
    keys: NDArray[np.uint32]
    """uint32[2^p]: the first shingles; 0 is free."""
    starts: NDArray[np.int64]
    """int64[2^p]: where the phrases of that key start in `order`."""
    order: NDArray[np.int64]
    """int64[n, 3]: start in `letters`, length, role; those of one key together, longest first."""
    counts: NDArray[np.int64]
    letters: NDArray[np.uint32]


@cache
def phrases() -> Phrases:
    """Build the lookup table of all phrases."""
    named = [(NOTICE, NOTICES), (FIELD, FIELDS), (LIST, LISTS), (END, ENDS)]
    forms = {canonicalise(text).text(): role for role, texts in named for text in texts}
    groups: dict[int, list[tuple[str, int]]] = {}
    for form, role in forms.items():
        shingles = shingle_letters(canonicalise(form).letters)
        groups.setdefault(int(shingles[0]), []).append((form, role))
    size = 1 << (4 * len(groups)).bit_length()
    keys, starts, counts = np.zeros(size, np.uint32), np.zeros(size, np.int64), np.zeros(size, np.int64)
    order: list[tuple[int, int, int]] = []
    text = ""
    for key, members in groups.items():
        at = key & (size - 1)
        while keys[at]:
            at = (at + 1) & (size - 1)
        keys[at], starts[at], counts[at] = key, len(order), len(members)
        for form, role in sorted(members, key=lambda member: -len(member[0])):
            order.append((len(text), len(form), role))
            text += form
    return Phrases(keys, starts, np.array(order, np.int64), counts, canonicalise(text).letters)


@kernel
def find_phrases(letters, shingles, keys, starts, order, counts, phrase_letters):  # type: ignore[no-untyped-def]
    """Return int64[f, 3]: start, end and role of the phrases in canonical *letters*, the longest at each place."""
    found = np.empty((shingles.size // SIZE + 1, 3), np.int64)
    count = 0
    at = 0
    mask = np.uint32(keys.size - 1)
    while at < shingles.size:
        key = shingles[at]
        place = key & mask
        while keys[place] != 0 and keys[place] != key:
            place = (place + np.uint32(1)) & mask
        length = 0
        if keys[place] == key:
            for row in range(starts[place], starts[place] + counts[place]):
                first, size, role = order[row]
                if at + size > letters.size:
                    continue
                same = True
                for k in range(size):
                    if letters[at + k] != phrase_letters[first + k]:
                        same = False
                        break
                if same:
                    found[count, 0], found[count, 1], found[count, 2] = at, at + size, role
                    count += 1
                    length = size
                    break
        at += max(length, 1)
    return found[:count]


def line_starts(text: str, offsets: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the positions, in letters, at which lines with letters start, and the number of letters at the end."""
    ends = []
    at = text.find("\n")
    while at >= 0:
        ends.append(at)
        at = text.find("\n", at + 1)
    inner = np.searchsorted(offsets, np.array(ends, np.uint32))
    return np.unique(np.concatenate(([0], inner, [offsets.size]))).astype(np.int64)


def _is_mentioned(text: str, canonical: Canonical, start: int) -> bool:
    """Whether an end mark is part of a sentence: in «در پایان پیام» it is no mark."""
    letters, offsets = canonical
    if start < 2 or (letters[start - 2], letters[start - 1]) != (ord("د"), ord("ر")):
        return False
    return not text[offsets[start - 1] + 1 : offsets[start]].strip(" \u200c")


def _list_end(lines: NDArray[np.int64], line: int) -> int:
    """Return where a list of headlines that starts at *line* ends."""
    last = line + 1
    while last < lines.size - 1 and last - line <= MAX_LIST_LINES and lines[last + 1] - lines[last] <= MAX_LIST_LINE:
        last += 1
    return int(lines[last])


def chrome_mask(text: str, canonical: Canonical, shingles: NDArray[np.uint32]) -> Bools | None:
    """Return bool[m], true for the letters of *text* that belong to its site; None where there are none.

    Args:
        canonical: The canonical form of *text*.
        shingles: uint32[m-7], its shingles in text order.
    """
    letters, offsets = canonical
    found = find_phrases(letters, shingles, *phrases())
    if not found.size:
        return None
    mentioned = [role == END and _is_mentioned(text, canonical, start) for start, _, role in found.tolist()]
    found = found[~np.array(mentioned, np.bool_)]
    if not found.size:
        return None
    mask = np.zeros(letters.size, np.bool_)
    lines = None
    for start, end, role in found.tolist():
        if role in {NOTICE, END}:
            mask[start:end] = True
            continue
        if lines is None:
            lines = line_starts(text, offsets)
        line = int(np.searchsorted(lines, start, "right")) - 1
        starts_line = lines[line] == start
        line_end = int(lines[line + 1])
        if role == FIELD and starts_line and line_end - start <= MAX_FIELD:
            mask[start:line_end] = True
        elif role == LIST and starts_line and line_end - start <= MAX_LIST_LINE:
            mask[start : _list_end(lines, line)] = True
    ends = found[found[:, 2] == END]
    if ends.size:
        start = int(ends[-1, 0])
        if start >= MIN_BODY and letters.size - start <= min(MAX_TAIL, start):
            mask[start:] = True
    return mask if mask.any() else None
