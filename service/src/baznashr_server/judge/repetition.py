"""Self-repetition: an ordered search for second copies inside one text.

MinHash works on sets and cannot see a text pasted twice. This search walks the text once: a table holds where each
24 letters came first, and where they come again the copy is followed letter by letter. Copies that go on with
nearly the same shift after a small edit are one copy, so p1 p2 p1 p2 and a lightly edited second copy are found whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baznashr.types import RepetitionKind, SelfRepetition, Span
from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import SIZE
from baznashr_server.text.canonical import Canonical, canonicalise

MAX_EDIT = 60
"""Letters of the second copy, or of the first, that an edit inside one copy may span."""
MIN_COPY = 40
"""Letters of the shortest stretch that counts at all, whole sentences both times; formulas of speech are shorter."""
MIN_WORDS = 0.5
"""Least share of a copy's letters in Arabic script: addresses and markup repeat by nature."""
MAX_DIGITS = 0.08
"""Greatest share of digits in a copy: rows of tables repeat by nature."""
MIN_TABLE = 200
"""Letters from which a stretch with more digits counts all the same: no two rows agree so long."""
MIN_LOOSE = 300
"""Letters that make it a paragraph wherever it begins and ends."""
MIN_REFRAIN = 70
"""Letters that suffice where one stretch comes three times or more."""
LOOSE_END = 0.05
"""Share of its letters by which a stretch of whole sentences may miss their ends: a bullet, a changed first word."""
WHOLE_SHARE = 0.35
"""Share of second copies from which the whole text counts as doubled."""
MIN_HEADLINE = 12
MAX_HEADLINE = 120
"""Letters; of 10,000 real headlines one in a thousand is longer. A longer line that comes twice is a paragraph."""
HEAD_LINES = 15
"""Lines at the top among which a headline may stand below a site's own lines."""
SENTENCE_END = re.compile(r"[.!?؟؛…»*]\s|\n\s*\n")
"""Where a sentence or paragraph ends before more. A bare newline does not count: many sources wrap their lines."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A second copy, in letters of the canonical form; ends exclusive."""

    start: int
    end: int
    first: int
    """Where the first copy starts."""
    first_end: int

    def __len__(self) -> int:
        return self.end - self.start


@kernel
def repeat_kernel(letters, hashes):  # type: ignore[no-untyped-def]
    """Return int64[r, 3]: start, length and source of each maximal repeated run of 24 letters or more, ascending.

    A run and its source do not overlap.
    """
    n = hashes.size
    runs = np.empty((n // SIZE + 1, 3), np.int64)
    count = 0
    size = 16
    while size < 2 * n:
        size *= 2
    keys = np.zeros(size, np.uint64)
    first = np.full(size, np.int64(-1), np.int64)
    shift = np.int64(0)
    entered = 0
    i = 0
    while i < n:
        while entered <= i - SIZE:
            at = np.int64(hashes[entered] & np.uint64(size - 1))
            while first[at] >= 0 and keys[at] != hashes[entered]:
                at = (at + 1) & (size - 1)
            if first[at] < 0:
                keys[at] = hashes[entered]
                first[at] = entered
            entered += 1
        source = i - shift
        if shift == 0 or hashes[source] != hashes[i]:
            at = np.int64(hashes[i] & np.uint64(size - 1))
            while first[at] >= 0 and keys[at] != hashes[i]:
                at = (at + 1) & (size - 1)
            source = first[at]
        if source < 0:
            i += 1
            continue
        length = 0
        while i + length < letters.size and source + length < i and letters[i + length] == letters[source + length]:
            length += 1
        if length < SIZE:
            i += 1
            continue
        runs[count, 0], runs[count, 1], runs[count, 2] = i, length, source
        count += 1
        shift = i - source
        i += length
    return runs[:count]


def find_copies(letters: NDArray[np.uint32]) -> list[Copy]:
    """Return the second copies in *letters*, runs parted by small edits joined, ascending and disjoint."""
    copies: list[Copy] = []
    for start, length, source in repeat_kernel(letters, hash_24_grams(hash_8_grams(letters))).tolist():
        if copies:
            last = copies[-1]
            if start - last.end <= MAX_EDIT and 0 <= source - last.first_end <= MAX_EDIT:
                copies[-1] = Copy(last.start, start + length, last.first, source + length)
                continue
        copies.append(Copy(start, start + length, source, source + length))
    return copies


def _is_prose(copy: Copy, letters: NDArray[np.uint32]) -> bool:
    stretch = letters[copy.start : copy.end]
    digits = np.count_nonzero((stretch >= ord("0")) & (stretch <= ord("9")))
    words = np.count_nonzero((stretch >= 0x0600) & (stretch <= 0x06FF))
    few_digits = digits <= MAX_DIGITS * len(copy) or len(copy) >= MIN_TABLE
    return bool(few_digits and words >= MIN_WORDS * len(copy))


def _ends_near(text: str, offsets: NDArray[np.uint32], edge: int, tolerance: float) -> bool:
    """Whether a sentence or the text ends, or the text begins, within *tolerance* letters of letter *edge*."""
    first, last = math.ceil(edge - tolerance), math.floor(edge + tolerance)
    if first <= 0 or last >= offsets.size:
        return True
    return SENTENCE_END.search(text, int(offsets[first - 1]) + 1, int(offsets[last])) is not None


def _is_paragraph(copy: Copy, text: str, offsets: NDArray[np.uint32]) -> bool:
    """Whether a copy is long, or made of whole sentences both times."""
    edges, tolerance = (copy.start, copy.end, copy.first, copy.first_end), LOOSE_END * len(copy)
    return len(copy) >= MIN_LOOSE or all(_ends_near(text, offsets, edge, tolerance) for edge in edges)


def _first_lines(text: str, offsets: NDArray[np.uint32]) -> list[int]:
    """Return the positions, in letters, at which the first lines with letters start, and where the last one ends."""
    starts = [0]
    at = text.find("\n")
    while at >= 0 and len(starts) <= HEAD_LINES:
        position = int(np.searchsorted(offsets, np.uint32(at)))
        if position != starts[-1]:
            starts.append(position)
        # Newlines before the next letter start the same line: there may be a million of them.
        at = text.find("\n", int(offsets[position])) if position < offsets.size else -1
    if at < 0 and starts[-1] != offsets.size:
        starts.append(int(offsets.size))
    return starts


def _doubled_headlines(letters: NDArray[np.uint32], lines: list[int]) -> list[Copy]:
    """Return lines at the top that repeat the line just before them."""
    found = []
    for first, start, end in zip(lines, lines[1:HEAD_LINES], lines[2:], strict=False):
        same = start - first == end - start and np.array_equal(letters[first:start], letters[start:end])
        if same and MIN_HEADLINE <= end - start <= MAX_HEADLINE and end < letters.size:
            found.append(Copy(start, end, first, start))
    return found


def _is_of(copy: Copy, headlines: list[Copy]) -> bool:
    """Whether what is copied is a headline, or a part of one."""
    return any(headline.first <= copy.first and copy.first_end <= headline.first_end for headline in headlines)


def _title_copies(letters: NDArray[np.uint32], title: str) -> list[Copy]:
    """Return the second and later places where the body holds the title."""
    wanted = canonicalise(title).letters
    if wanted.size < MIN_HEADLINE:
        return []
    body, needle = letters.astype("<u4").tobytes(), wanted.astype("<u4").tobytes()
    places = []
    at = body.find(needle)
    while at >= 0:
        if at % 4 == 0:
            places.append(at // 4)
            at = body.find(needle, at + len(needle))
        else:
            at = body.find(needle, at + 1)
    size = int(wanted.size)
    return [Copy(place, place + size, places[0], places[0] + size) for place in places[1:]]


def _union(copies: list[Copy]) -> list[Copy]:
    """Return *copies* ascending, with overlapping ones joined."""
    joined: list[Copy] = []
    for copy in sorted(copies, key=lambda c: c.start):
        if joined and copy.start <= joined[-1].end:
            last = joined[-1]
            joined[-1] = Copy(last.start, max(copy.end, last.end), last.first, last.first_end)
        else:
            joined.append(copy)
    return joined


NOTHING = SelfRepetition()


def find_repetition(
    text: str, canonical: Canonical, title: str = "", *, may_repeat: bool = True, may_double: bool = True
) -> SelfRepetition:
    """Return how *text* repeats itself.

    Args:
        canonical: The canonical form of *text*.
        title: The headline, where it is known apart from the body.
        may_repeat: False where it is known that no passage occurs twice.
        may_double: False where it is known that no headline does (`may_double.py`).
    """
    letters, offsets = canonical
    copies = find_copies(letters) if may_repeat else []
    copies = [copy for copy in copies if len(copy) >= MIN_COPY and _is_prose(copy, letters)]
    headlines = []
    if may_double:
        headlines = _doubled_headlines(letters, _first_lines(text, offsets)) + _title_copies(letters, title)
    whole = sum(map(len, copies)) >= WHOLE_SHARE * letters.size > 0
    if copies and not whole:
        refrains = Counter(copy.first for copy in copies if len(copy) >= MIN_REFRAIN)
        kept = [copy for copy in copies if refrains[copy.first] > 1 or _is_paragraph(copy, text, offsets)]
        copies = [copy for copy in kept if not _is_of(copy, headlines)]
    found = _union(copies + headlines)
    if not found:
        return NOTHING
    kinds = [RepetitionKind.WHOLE_TEXT] if whole else [RepetitionKind.PARAGRAPH] if copies else []
    if headlines:
        kinds.append(RepetitionKind.HEADLINE)
    spans = tuple(Span(int(offsets[copy.start]), int(offsets[copy.end - 1]) + 1) for copy in found)
    share = sum(map(len, found)) / letters.size
    return SelfRepetition(share, tuple(kinds), spans)


def remove_repeats(text: str, spans: tuple[Span, ...]) -> str:
    """Return *text* without *spans*, and without the line ends that stood between."""
    kept = []
    at = 0
    for span in spans:
        kept.append(text[at : span.start])
        at = span.end
    kept.append(text[at:])
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).strip()
