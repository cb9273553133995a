"""Which numbers differ between two aligned texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.body import Body
from baznashr_server.judge.number_diff_kernel import number_diff_kernel


class NumberDiff(NamedTuple):
    """Numbers of the judged text held against those of the stored text, where the wording around them agrees."""

    changed: NDArray[np.int64]
    """int64[c, 2]: positions among the judged and the stored numbers that stand in one place and differ."""
    respelled: int
    """Of the changed, those whose letters agree and whose marks do not, as ۳٫۵ and ۳۵; they come first."""
    same: int
    """Numbers that agree."""
    unmatched: int
    """Numbers between shared runs that have no counterpart."""


def compare_numbers(judged: Body, stored: Body, runs: NDArray[np.int64]) -> NumberDiff:
    """Hold the numbers of two texts against each other along their shared *runs*."""
    sizes = (judged.letters.size, stored.letters.size)
    return NumberDiff(*number_diff_kernel(runs, sizes, judged.numbers[:4], stored.numbers[:4]))
