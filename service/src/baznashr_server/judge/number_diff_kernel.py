"""Pairs the numbers of two aligned texts: first those inside shared runs, then those in the gaps between runs."""

from __future__ import annotations

import numpy as np

from baznashr_server.kernel import kernel
from baznashr_server.sketch.shingles import SIZE

MAX_GAP = 200
"""Letters between two shared runs, in either text, within which numbers are taken for each other's successors. Runs
may overlap, too, by less than a shingle: between «2» and «22» one ends in the digit that the next begins with."""


@kernel
def _pair_in_run(run, mine, theirs, used, other_used, changed, counts):
    """Pair the numbers that stand at one place of a shared run; equal letters may still be unequal numbers."""
    i, j, length = run
    kinds, values, starts, ends = mine
    other_kinds, other_values, other_starts, other_ends = theirs
    at = np.searchsorted(starts, i)
    other = np.searchsorted(other_starts, j)
    while at < starts.size and ends[at] <= i + length:
        place = starts[at] - i + j
        while other < other_starts.size and other_starts[other] < place:
            other += 1
        if other == other_starts.size:
            return
        fits = other_starts[other] == place and other_ends[other] <= j + length
        if fits and not used[at] and not other_used[other]:
            used[at] = True
            other_used[other] = True
            if kinds[at] == other_kinds[other] and values[at] == other_values[other]:
                counts[1] += 1
            else:
                changed[counts[0], 0], changed[counts[0], 1] = at, other
                counts[0] += 1
        at += 1


@kernel
def _pair_equal(gap, mine, theirs, used, other_used, counts):
    """Pair equal numbers of a gap, wherever they stand in it."""
    first, high, other_first, other_high = gap
    kinds, values, starts, _ = mine
    other_kinds, other_values, other_starts, _ = theirs
    for a in range(first, starts.size):
        if starts[a] > high:
            break
        for b in range(other_first, other_starts.size):
            if other_starts[b] > other_high:
                break
            equal = kinds[a] == other_kinds[b] and values[a] == other_values[b]
            if equal and not used[a] and not other_used[b]:
                used[a] = True
                other_used[b] = True
                counts[1] += 1


@kernel
def _pair_in_order(gap, mine, theirs, used, other_used, changed, counts):
    """Pair what is left of a gap in order, as changed; the surplus of either side has no counterpart."""
    first, high, b, other_high = gap
    starts, other_starts = mine[2], theirs[2]
    for a in range(first, starts.size):
        if starts[a] > high:
            break
        if used[a]:
            continue
        used[a] = True
        while b < other_starts.size and other_starts[b] <= other_high and other_used[b]:
            b += 1
        if b < other_starts.size and other_starts[b] <= other_high:
            other_used[b] = True
            changed[counts[0], 0], changed[counts[0], 1] = a, b
            counts[0] += 1
        else:
            counts[2] += 1
    while b < other_starts.size and other_starts[b] <= other_high:
        if not other_used[b]:
            other_used[b] = True
            counts[2] += 1
        b += 1


@kernel
def number_diff_kernel(runs, sizes, mine, theirs):
    """Return (changed pairs int64[c, 2], how many of them, the first, lie inside shared runs, same, unmatched).

    Args:
        runs: int64[r, 3], by start in the second text.
        sizes: letters of either text.
        mine, theirs: (kinds, values, starts, ends) of the numbers, places in letters.
    """
    used = np.zeros(mine[2].size, np.bool_)
    other_used = np.zeros(theirs[2].size, np.bool_)
    changed = np.empty((min(used.size, other_used.size), 2), np.int64)
    counts = np.zeros(3, np.int64)
    for r in range(runs.shape[0]):
        _pair_in_run(runs[r], mine, theirs, used, other_used, changed, counts)
    respelled = counts[0]
    low, other_low = 0, 0
    for r in range(runs.shape[0] + 1):
        high = runs[r, 0] if r < runs.shape[0] else sizes[0]
        other_high = runs[r, 1] if r < runs.shape[0] else sizes[1]
        if -SIZE < high - low <= MAX_GAP and -SIZE < other_high - other_low <= MAX_GAP:
            gap = (np.searchsorted(mine[3], low), high, np.searchsorted(theirs[3], other_low), other_high)
            _pair_equal(gap, mine, theirs, used, other_used, counts)
            _pair_in_order(gap, mine, theirs, used, other_used, changed, counts)
        if r < runs.shape[0]:
            low, other_low = runs[r, 0] + runs[r, 2], runs[r, 1] + runs[r, 2]
    return changed[: counts[0]], respelled, counts[1], counts[2]
