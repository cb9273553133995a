"""The cover kernels count what a plain reading of their definition counts."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.judge.cover_kernel import BRIDGE, COVER, LEAD, cover_kernel, covered_letters, longest_kernel

SIZE = 400
run_lists = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1), st.integers(1, 90)).map(
        lambda run: (run[0], run[1], min(run[2], SIZE - max(run[0], run[1])))
    ),
    max_size=8,
)
masks = (
    st.none()
    | st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)
    | st.integers(0, SIZE).map(lambda edge: [place < edge for place in range(SIZE)])
)


def array(runs: list[tuple[int, int, int]]) -> np.ndarray:
    """Return runs as the kernels take them."""
    return np.array(runs, np.int64).reshape(-1, 3)


def oracle(runs: list[tuple[int, int, int]], side: int) -> str:
    """Return a digit for each letter, 1 where it is covered."""
    marks = ["0"] * SIZE
    for run in runs:
        if run[2] >= COVER:
            marks[run[side] : run[side] + run[2]] = "1" * run[2]
    return re.sub(rf"(?<=1)0{{1,{BRIDGE}}}(?=1)", lambda gap: "1" * len(gap[0]), "".join(marks))


@given(run_lists, masks, st.sampled_from([0, 1]))
@example([], None, 0)
@example([(0, 0, SIZE)], None, 0)
@example([(0, 0, SIZE)], [True] * SIZE, 1)
@example([(0, 0, 20), (26, 27, 20)], None, 0)
@example([(0, 0, 20), (26, 27, 20)], None, 1)
@example([(3, 3, 20), (SIZE - 20, 50, 20)], None, 0)
def test_cover_is_counted_as_defined(runs: list[tuple[int, int, int]], mask: list[bool] | None, side: int) -> None:
    """Own letters, those covered, in the lead and at either end, and all covered, of any runs under any mask."""
    marks = oracle(runs, side)
    masked = mask or [False] * SIZE
    own = [mark for mark, out in zip(marks, masked, strict=True) if not out]
    head = SIZE - len(marks.lstrip("1"))
    tail = SIZE - len(marks.rstrip("1")) if "0" in marks else 0
    expected = (
        len(own),
        own.count("1"),
        own[:LEAD].count("1"),
        masked[:head].count(False),
        masked[SIZE - tail :].count(False),
        marks.count("1"),
    )
    assert cover_kernel(array(runs), side, SIZE, np.array(mask or [], np.bool_)) == expected
    assert covered_letters(array(runs), side, SIZE).tolist() == [mark == "1" for mark in marks]


@given(run_lists, masks)
def test_the_longest_run_is_counted_without_masked_letters(
    runs: list[tuple[int, int, int]], mask: list[bool] | None
) -> None:
    """The most own letters of the first text in one run, 0 where there is none."""
    plain = mask or [False] * SIZE
    expected = max((plain[start : start + length].count(False) for start, _, length in runs), default=0)
    assert longest_kernel(array(runs), np.array(mask or [], np.bool_)) == expected


@pytest.mark.parametrize(("gap", "covered"), [(0, 40), (1, 41), (6, 46), (7, 40)])
def test_short_gaps_are_bridged(gap: int, covered: int) -> None:
    """Up to six letters between two covered stretches count; none before the first or after the last."""
    runs = array([(5, 0, 20), (25 + gap, 20, 20)])
    assert int(covered_letters(runs, 0, 25 + gap + 20 + 5).sum()) == covered


@pytest.mark.parametrize(("length", "covered"), [(17, 0), (18, 18)])
def test_short_runs_do_not_cover(length: int, covered: int) -> None:
    """Seventeen letters are a set phrase, eighteen are covered."""
    assert int(covered_letters(array([(0, 0, length)]), 0, 30).sum()) == covered
