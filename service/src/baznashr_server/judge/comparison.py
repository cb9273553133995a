"""Verification: all that the rules and the editor need to know about a judged text and one stored text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr.types import MatchedSpan, NumberChange
from baznashr_server.judge.align import covered_kernel, overlap
from baznashr_server.judge.body import Body
from baznashr_server.judge.number_diff import NumberDiff, compare_numbers

LEAD = 150
"""Letters at the start of an article that say what is new in it."""
COVER = 18
"""Letters of a shared run that count as covered; shorter ones are set phrases."""
BRIDGE = 6
"""Letters between two covered stretches that count as covered too: a changed word in an unchanged sentence."""
SPAN_GAP = 24
"""Letters between two runs that one span may hold."""

Runs = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Cover(NamedTuple):
    """How much of one of the two texts the shared runs cover."""

    share: float
    """Of its letters."""
    letters: int
    """Covered."""
    lead: float
    """Share covered of its first LEAD letters."""


@dataclass(frozen=True, slots=True, eq=False)
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
    numbers: NumberDiff
    title_similarity: float | None
    """Jaccard of the titles' shingles; None where either has no title."""
    edges_only: bool
    """Whether all that is shared stands at the very start or the very end of both texts."""


def _cover(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], size: int, mask: Mask | None
) -> tuple[Cover, NDArray[np.bool_]]:
    """Return the cover of a text's own letters, and the covered letters, boilerplate included."""
    covered = covered_kernel(starts, lengths, size, COVER)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], covered.view(np.int8), [0]))))
    for gap_start, gap_end in zip(edges[1:-1:2], edges[2::2], strict=True):
        if gap_end - gap_start <= BRIDGE:
            covered[gap_start:gap_end] = True
    own = covered if mask is None else covered[~mask]
    letters = int(np.count_nonzero(own))
    lead = own[:LEAD]
    return Cover(letters / max(1, own.size), letters, float(lead.mean()) if lead.size else 0.0), covered


def _longest(starts: NDArray[np.int64], lengths: NDArray[np.int64], mask: Mask | None) -> int:
    if mask is None or not lengths.size:
        return int(lengths.max(initial=0))
    own = np.concatenate(([0], np.cumsum(~mask)))
    return int((own[starts + lengths] - own[starts]).max())


def _edges_only(covered: NDArray[np.bool_], letters: int) -> bool:
    """Whether the covered letters are one stretch at the start and one at the end, give or take a field's value."""
    head = int(np.argmin(covered)) if not covered.all() else covered.size
    tail = int(np.argmin(covered[::-1])) if not covered.all() else covered.size
    return letters > 0 and head + tail >= 0.9 * letters


def compare(judged: Body, stored: Body, judged_mask: Mask | None = None, stored_mask: Mask | None = None) -> Comparison:
    """Compare the judged text with one stored text; cost is linear in their lengths.

    Args:
        judged_mask: bool[m], letters of the judged text that the corpus knows for boilerplate and that do not count.
        stored_mask: The same of the stored text.
    """
    shared, runs = overlap(judged.letters, judged.table, stored.letters, stored.shingles)
    own, other = judged.table.distinct, stored.table.distinct
    starts, stored_starts, lengths = (np.ascontiguousarray(runs[:, k]) for k in range(3))
    judged_cover, covered = _cover(starts, lengths, judged.letters.size, judged_mask)
    stored_cover, stored_covered = _cover(stored_starts, lengths, stored.letters.size, stored_mask)
    titles = None
    if judged.title_shingles.size and stored.title_shingles.size:
        common = np.intersect1d(judged.title_shingles, stored.title_shingles, assume_unique=True).size
        titles = common / (judged.title_shingles.size + stored.title_shingles.size - common)
    return Comparison(
        judged,
        stored,
        similarity=shared / max(1, own + other - shared),
        containment=shared / max(1, own),
        reverse_containment=shared / max(1, other),
        judged_cover=judged_cover,
        stored_cover=stored_cover,
        longest_run=_longest(starts, lengths, judged_mask),
        common_share=min(float(covered.mean()), float(stored_covered.mean())) if lengths.size else 0.0,
        runs=runs,
        numbers=compare_numbers(judged, stored, runs),
        title_similarity=titles,
        edges_only=_edges_only(covered, judged_cover.letters) and _edges_only(stored_covered, stored_cover.letters),
    )


def matched_spans(comparison: Comparison) -> tuple[MatchedSpan, ...]:
    """Return the shared stretches in code points of both texts: ordered, those parted by a few letters merged."""
    judged, stored = comparison.judged, comparison.stored
    merged: list[list[int]] = []
    for start, other, length in sorted(comparison.runs[comparison.runs[:, 2] >= COVER].tolist()):
        end, other_end = start + length, other + length
        last = merged[-1] if merged else [0, 0, 0, 0]
        if merged and 0 <= start - last[1] <= SPAN_GAP and 0 <= other - last[3] <= SPAN_GAP:
            last[1], last[3] = end, other_end
        elif end > last[1]:
            # Stored stretches may be held against the same judged letters twice; the later one yields.
            cut = max(0, last[1] - start)
            merged.append([start + cut, end, other + cut, other_end])
    return tuple(
        MatchedSpan(judged.position(a), judged.position(b - 1) + 1, stored.position(c), stored.position(d - 1) + 1)
        for a, b, c, d in merged
    )


def number_changes(comparison: Comparison, limit: int) -> tuple[NumberChange, ...]:
    """Return the first *limit* changed numbers as both texts write them, with the words around."""
    judged, stored = comparison.judged, comparison.stored
    new, old = judged.numbers, stored.numbers

    def change(mine: int, theirs: int) -> NumberChange:
        start, end = int(new.text_starts[mine]), int(new.text_ends[mine])
        old_start, old_end = int(old.text_starts[theirs]), int(old.text_ends[theirs])
        context = " ".join(judged.text[max(0, start - 30) : end + 30].split())
        return NumberChange(old=stored.text[old_start:old_end], new=judged.text[start:end], context=context)

    return tuple(change(mine, theirs) for mine, theirs in comparison.numbers.changed[:limit].tolist())
