"""Verification: all that the rules and the editor need to know about a judged text and one stored text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr.types import MatchedSpan, NumberChange
from baznashr_server.judge.align import jaccard_kernel, overlap_kernel
from baznashr_server.judge.body import Body
from baznashr_server.judge.cover_kernel import COVER, LEAD, cover_kernel, longest_kernel
from baznashr_server.judge.number_diff import NumberDiff, compare_numbers
from baznashr_server.kernel import kernel
from baznashr_server.sketch.shingles import SIZE

EDGES = 0.9
"""Share of what is covered that must stand at a text's edges to stand there only."""
SPAN_GAP = 24
"""Letters between two runs that one span may hold. Successive runs may overlap, too, by less than a shingle."""

Runs = NDArray[np.int64]
Mask = NDArray[np.bool_]
NO_MASK: Mask = np.empty(0, np.bool_)


class Cover(NamedTuple):
    """How much of one of the two texts the shared runs cover."""

    share: float
    """Of its letters."""
    letters: int
    """Covered."""
    lead: float
    """Share covered of its first 150 letters."""


@dataclass(eq=False)
class Comparison:
    judged: Body
    stored: Body
    similarity: float
    containment: float
    """Share of the judged text's shingles in the stored text."""
    reverse_containment: float
    judged_cover: Cover
    stored_cover: Cover
    longest_run: int
    """Letters, boilerplate left out."""
    common_share: float
    """The lesser of the shares of both texts that are covered, boilerplate included."""
    runs: Runs
    """int64[r, 3]: start in the judged text, start in the stored text, length, in letters; by stored position."""
    edges_only: bool
    """Whether nearly all that is shared stands at the very start of both texts, or at the very end of both."""

    @cached_property
    def numbers(self) -> NumberDiff:
        """The numbers that stand in one place of both texts, and whether they differ."""
        return compare_numbers(self.judged, self.stored, self.runs)

    @property
    def shared_line(self) -> float:
        """Mean length of the lines that the matched spans hold, in code points of the judged text."""
        spans = matched_spans(self)
        lines = sum(self.judged.text.count("\n", span.start, span.end) for span in spans)
        return sum(span.end - span.start for span in spans) / (lines + len(spans)) if spans else 0.0

    @property
    def title_similarity(self) -> float | None:
        """Jaccard similarity of the titles' shingles; None where either has no title."""
        mine, theirs = self.judged.title_shingles, self.stored.title_shingles
        if not mine.size or not theirs.size:
            return None
        return float(jaccard_kernel(mine, theirs))


@kernel
def _compare(letters, shingles, table, other_letters, other_shingles, mask, other_mask):  # type: ignore[no-untyped-def]
    """Return the shared runs, and the figures of `compare` as int64[14]."""
    shared, runs = overlap_kernel(letters, shingles, table, other_letters, other_shingles)
    figures = np.empty(14, np.int64)
    figures[0], figures[1] = shared, longest_kernel(runs, mask)
    own, covered, lead, head, tail, total = cover_kernel(runs, 0, letters.size, mask)
    figures[2:8] = (own, covered, lead, head, tail, total)
    own, covered, lead, head, tail, total = cover_kernel(runs, 1, other_letters.size, other_mask)
    figures[8:14] = (own, covered, lead, head, tail, total)
    return runs, figures


def _cover(own: int, covered: int, lead: int) -> Cover:
    return Cover(covered / max(1, own), covered, lead / max(1, min(own, LEAD)))


def compare(judged: Body, stored: Body, judged_mask: Mask = NO_MASK, stored_mask: Mask = NO_MASK) -> Comparison:
    """Compare the judged text with one stored text; cost is linear in their lengths.

    Args:
        judged_mask: bool[m], letters of the judged text that the corpus knows for boilerplate and that do not count.
        stored_mask: The same of the stored text. Empty ones mask nothing.
    """
    runs, figures = _compare(
        judged.letters, judged.shingles, judged.table, stored.letters, stored.shingles, judged_mask, stored_mask
    )
    shared, longest, *both = figures.tolist()
    own, covered, lead, head, tail, total = both[:6]
    other_own, other_covered, other_lead, other_head, other_tail, other_total = both[6:]
    distinct, other_distinct = judged.table.distinct, stored.distinct
    edges = min(head, other_head) + min(tail, other_tail)
    return Comparison(
        judged,
        stored,
        similarity=shared / max(1, distinct + other_distinct - shared),
        containment=shared / max(1, distinct),
        reverse_containment=shared / max(1, other_distinct),
        judged_cover=_cover(own, covered, lead),
        stored_cover=_cover(other_own, other_covered, other_lead),
        longest_run=longest,
        common_share=min(total / max(1, judged.letters.size), other_total / max(1, stored.letters.size)),
        runs=runs,
        edges_only=0 < EDGES * max(covered, other_covered) <= edges,
    )


@kernel
def _span_kernel(runs, offsets, other_offsets):  # type: ignore[no-untyped-def]
    """Return int64[s, 4]: starts and ends of the spans of *runs* in code points of both texts, ascending."""
    long = runs[runs[:, 2] >= COVER]
    spans = np.empty((long.shape[0], 4), np.int64)
    count = 0
    # Stable: runs of one start stay in order of their places in the second text.
    for at in np.argsort(long[:, 0], kind="mergesort"):
        start, other, length = long[at]
        end, other_end = start + length, other + length
        last_end, last_other_end = (spans[count - 1, 1], spans[count - 1, 3]) if count else (np.int64(0), np.int64(0))
        if count and -SIZE < start - last_end <= SPAN_GAP and -SIZE < other - last_other_end <= SPAN_GAP:
            spans[count - 1, 1], spans[count - 1, 3] = end, other_end
        elif end > last_end:
            # Stored stretches may be held against the same judged letters twice; the later one yields.
            cut = max(0, last_end - start)
            spans[count, 0], spans[count, 1], spans[count, 2], spans[count, 3] = (
                start + cut,
                end,
                other + cut,
                other_end,
            )
            count += 1
    for s in range(count):
        spans[s, 0], spans[s, 1] = offsets[spans[s, 0]], offsets[spans[s, 1] - 1] + 1
        spans[s, 2], spans[s, 3] = other_offsets[spans[s, 2]], other_offsets[spans[s, 3] - 1] + 1
    return spans[:count]


def matched_spans(comparison: Comparison) -> tuple[MatchedSpan, ...]:
    """Return the shared stretches in code points of both texts: ordered, those parted by a few letters merged."""
    found = _span_kernel(comparison.runs, comparison.judged.offsets, comparison.stored.offsets)
    return tuple(MatchedSpan(*span) for span in found.tolist())


def number_changes(comparison: Comparison, limit: int) -> tuple[NumberChange, ...]:
    """Return the first *limit* changed numbers as both texts write them, with the words around."""
    judged, stored = comparison.judged, comparison.stored
    new, old = comparison.numbers.changed[:limit].T
    written = zip(stored.numbers_at(old), judged.numbers_at(new), map(judged.around, new.tolist()), strict=True)
    return tuple(NumberChange(*each) for each in written)
