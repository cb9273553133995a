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
from baznashr_server.text.canonical import canonicalise

NOTICE, FIELD, LIST, END = range(4)
FILTER_BITS = 13
FILTER = np.uint32((1 << FILTER_BITS) - 1)
MAX_FIELD = 60
"""Letters a field's line may have to be one."""
MAX_LIST_LINE = 110
"""Letters of a headline in a list of other articles."""
MAX_LIST_LINES = 12
MAX_TAIL = 1500
"""Letters below the end mark; a longer rest is another article on the page."""
MIN_BODY = 40
"""Letters above the end mark that make an article."""

NEWLINE, SPACE, ZWNJ, DAL, RE = map(ord, "\n \u200cدر")


class Phrases(NamedTuple):
    may_start: NDArray[np.bool_]
    """bool[2^13]: whether a first shingle ends so; fits the fastest cache, for it is asked at every letter."""
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
    may_start = np.zeros(1 << FILTER_BITS, np.bool_)
    may_start[keys[keys != 0] & (may_start.size - 1)] = True
    return Phrases(may_start, keys, starts, np.array(order, np.int64), counts, canonicalise(text).letters)


@kernel
def find_phrases(letters, shingles, phrases):  # type: ignore[no-untyped-def]
    """Return int64[f, 3]: start, end and role of the phrases in canonical *letters*, the longest at each place."""
    may_start, keys, starts, order, counts, phrase_letters = phrases
    found = np.empty((shingles.size // SIZE + 1, 3), np.int64)
    count = 0
    at = 0
    mask = np.uint32(keys.size - 1)
    while at < shingles.size:
        key = shingles[at]
        if not may_start[key & FILTER]:
            at += 1
            continue
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


@kernel
def _line_starts(codes, offsets):  # type: ignore[no-untyped-def]
    """Return where lines with letters start, in letters, ascending, and the number of letters at the end."""
    starts = np.zeros(codes.size + 2, np.int64)
    count, at = 1, 0
    for i in range(codes.size):
        if codes[i] != NEWLINE:
            continue
        while at < offsets.size and offsets[at] < i:
            at += 1
        if at > starts[count - 1]:
            starts[count] = at
            count += 1
    if offsets.size > starts[count - 1]:
        starts[count] = offsets.size
        count += 1
    return starts[:count]


@kernel
def _is_mentioned(codes, letters, offsets, start):  # type: ignore[no-untyped-def]
    """Whether an end mark is part of a sentence: in «در پایان پیام» it is no mark."""
    if start < 2 or letters[start - 2] != DAL or letters[start - 1] != RE:
        return False
    for i in range(offsets[start - 1] + 1, offsets[start]):  # noqa: SIM110 - Numba compiles the loop better
        if codes[i] != SPACE and codes[i] != ZWNJ:
            return False
    return True


@kernel
def _list_end(lines, line):  # type: ignore[no-untyped-def]
    """Return where a list of headlines that starts at *line* ends."""
    last = line + 1
    while last < lines.size - 1 and last - line <= MAX_LIST_LINES and lines[last + 1] - lines[last] <= MAX_LIST_LINE:
        last += 1
    return lines[last]


@kernel
def chrome_kernel(codes, letters, offsets, found, mask):  # type: ignore[no-untyped-def]
    """Set mask[i], bool[m], for the letters that belong to a text's site.

    Args:
        codes: uint32[c], the text.
        letters, offsets: uint32[m], its canonical form.
        found: int64[f, 3], what `find_phrases` found in it.
    """
    lines = np.empty(0, np.int64)
    last_end = -1
    for f in range(found.shape[0]):
        start, end, role = found[f]
        if role == END and _is_mentioned(codes, letters, offsets, start):
            continue
        if role in (NOTICE, END):
            mask[start:end] = True
            if role == END:
                last_end = start
            continue
        if lines.size == 0:
            lines = _line_starts(codes, offsets)
        line = np.searchsorted(lines, start, "right") - 1
        if lines[line] != start:
            continue
        line_end = lines[line + 1]
        if role == FIELD and line_end - start <= MAX_FIELD:
            mask[start:line_end] = True
        elif role == LIST and line_end - start <= MAX_LIST_LINE:
            mask[start : _list_end(lines, line)] = True
    if last_end >= MIN_BODY and letters.size - last_end <= min(MAX_TAIL, last_end):
        mask[last_end:] = True
