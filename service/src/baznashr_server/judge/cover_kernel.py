"""How much of a text the shared runs cover, in one pass."""

from __future__ import annotations

import numpy as np

from baznashr_server.kernel import kernel

LEAD = 150
"""Letters at the start of an article that say what is new in it."""
COVER = 18
"""Letters of a shared run that count as covered; shorter ones are set phrases."""
BRIDGE = 6
"""Letters between two covered stretches that count as covered too: a changed word in an unchanged sentence."""


@kernel
def _in_long_runs(runs, side, size):
    """Return bool[size], true for the letters of one text inside a run of COVER letters or more."""
    covered = np.zeros(size, np.bool_)
    for r in range(runs.shape[0]):
        if runs[r, 2] >= COVER:
            covered[runs[r, side] : runs[r, side] + runs[r, 2]] = True
    return covered


@kernel
def covered_letters(runs, side, size):
    """Return bool[size], true for the letters of one text inside a run of COVER letters or more, short gaps bridged."""
    covered = _in_long_runs(runs, side, size)
    gap = -1
    for i in range(size):
        if covered[i]:
            if 0 < i - gap <= BRIDGE and gap > 0:
                covered[gap:i] = True
            gap = -1
        elif gap < 0:
            gap = i
    return covered


@kernel
def cover_kernel(runs, side, size, mask):
    """Return, in letters: a text's own, and of them covered, in the lead, at the head, at the tail; covered in all.

    Args:
        runs: int64[r, 3]; column *side* is the start in this text, column 2 the length.
        mask: bool[size], letters that are not the article's own; empty for none.
    """
    covered = covered_letters(runs, side, size)
    own, own_covered, lead_covered, total = 0, 0, 0, 0
    for i in range(size):
        total += covered[i]
        if mask.size and mask[i]:
            continue
        own += 1
        own_covered += covered[i]
        if own <= LEAD:
            lead_covered += covered[i]
    head, tail, start, end = 0, 0, 0, size
    while start < size and covered[start]:
        head += not (mask.size and mask[start])
        start += 1
    while end > start and covered[end - 1]:
        end -= 1
        tail += not (mask.size and mask[end])
    return own, own_covered, lead_covered, head, tail, total


@kernel
def longest_kernel(runs, mask):
    """Return the most own letters of the first text in one run."""
    longest = 0
    for r in range(runs.shape[0]):
        start, length = runs[r, 0], runs[r, 2]
        if mask.size:
            own = 0
            for i in range(start, start + length):
                own += not mask[i]
            length = own
        longest = max(longest, length)
    return longest


@kernel
def covered_share_kernel(runs, size):
    """Return the share of the first text's *size* letters inside a run of COVER letters or more."""
    return np.count_nonzero(_in_long_runs(runs, 0, size)) / size
