"""Which numbers differ between two aligned texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.body import Body
from baznashr_server.kernel import kernel

MAX_GAP = 200
"""Letters between two shared runs, in either text, within which numbers are taken for each other's successors."""


class NumberDiff(NamedTuple):
    """Numbers of the judged text held against those of the stored text, where the wording around them agrees."""

    changed: NDArray[np.int64]
    """int64[c, 2]: positions among the judged and the stored numbers that stand in one place and differ."""
    same: int
    """Numbers that agree."""
    unmatched: int
    """Numbers between shared runs that have no counterpart."""


@kernel
def _in_run(numbers, position, start, length, base):  # type: ignore[no-untyped-def]
    """Return the number that lies wholly in a run and starts *base* letters into it, -1 for none."""
    starts, ends = numbers
    while position < starts.size and starts[position] < start + base:
        position += 1
    if position < starts.size and starts[position] == start + base and ends[position] <= start + length:
        return position
    return np.int64(-1)


@kernel
def number_kernel(runs, sizes, kinds, values, places, other_kinds, other_values, other_places):  # type: ignore[no-untyped-def]
    """Return (changed pairs int64[c, 2], same, unmatched); `places` are (starts, ends) in letters, runs by stored start."""
    starts, ends = places
    other_starts, other_ends = other_places
    used = np.zeros(starts.size, np.bool_)
    other_used = np.zeros(other_starts.size, np.bool_)
    changed = np.empty((min(starts.size, other_starts.size), 2), np.int64)
    count = 0
    same = 0
    unmatched = 0
    for r in range(runs.shape[0]):
        i, j, length = runs[r]
        at = np.searchsorted(starts, i)
        while at < starts.size and ends[at] <= i + length:
            other = _in_run((other_starts, other_ends), np.searchsorted(other_starts, j), j, length, starts[at] - i)
            if other >= 0 and not used[at] and not other_used[other]:
                used[at] = True
                other_used[other] = True
                if kinds[at] == other_kinds[other] and values[at] == other_values[other]:
                    same += 1
                else:
                    changed[count, 0], changed[count, 1] = at, other
                    count += 1
            at += 1
    size, other_size = sizes
    for r in range(runs.shape[0] + 1):
        low = runs[r - 1, 0] + runs[r - 1, 2] if r > 0 else 0
        other_low = runs[r - 1, 1] + runs[r - 1, 2] if r > 0 else 0
        high = runs[r, 0] if r < runs.shape[0] else size
        other_high = runs[r, 1] if r < runs.shape[0] else other_size
        if not (0 <= high - low <= MAX_GAP and 0 <= other_high - other_low <= MAX_GAP):
            continue
        first = np.searchsorted(ends, low)
        other_first = np.searchsorted(other_ends, other_low)
        # Equal values in the gap pair up wherever they stand; what is left is paired in order.
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
                    same += 1
        b = other_first
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
                changed[count, 0], changed[count, 1] = a, b
                count += 1
            else:
                unmatched += 1
        while b < other_starts.size and other_starts[b] <= other_high:
            if not other_used[b]:
                other_used[b] = True
                unmatched += 1
            b += 1
    return changed[:count], same, unmatched


def compare_numbers(judged: Body, stored: Body, runs: NDArray[np.int64]) -> NumberDiff:
    """Hold the numbers of two texts against each other along their shared *runs*."""
    mine, theirs = judged.numbers, stored.numbers
    return NumberDiff(
        *number_kernel(
            runs,
            (judged.letters.size, stored.letters.size),
            mine.kinds,
            mine.values,
            (mine.starts, mine.ends),
            theirs.kinds,
            theirs.values,
            (theirs.starts, theirs.ends),
        )
    )
