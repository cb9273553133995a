"""Alignment counts what two texts share, and shows where, by brute force the same."""

import random
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.judge.align import (
    MIN_RUN,
    distinct_kernel,
    overlap_kernel,
    shingle_letters,
    shingle_table,
)
from baznashr_server.sketch.shingles import SIZE
from baznashr_server.text.canonical import canonicalise
from tests.articles import real_bodies, samples

# Few letters, so that shingles come at several places; and two texts cut from one, so that they share much.
few_letters = st.lists(st.integers(1, 3), max_size=120)
pieces = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=6)


class Overlap(NamedTuple):
    """What two texts have in common."""

    shared: int
    runs: np.ndarray


def align(first: np.ndarray, second: np.ndarray) -> Overlap:
    """Return what *second* shares with *first*."""
    shingles = shingle_letters(first)
    return Overlap(*overlap_kernel(first, shingles, shingle_table(shingles), second, shingle_letters(second)))


def array(letters: list[int]) -> np.ndarray:
    """Return letters as the kernels take them."""
    return np.array(letters, np.uint32)


def common_runs(first: list[int], second: list[int], least: int) -> set[tuple[int, int, int]]:
    """Return every maximal common run of *least* letters or more, by trying each pair of places."""
    found = set()
    for i in range(len(first)):
        for j in range(len(second)):
            if first[i] != second[j] or (i and j and first[i - 1] == second[j - 1]):
                continue
            length = 0
            while i + length < len(first) and j + length < len(second) and first[i + length] == second[j + length]:
                length += 1
            if length >= least:
                found.add((i, j, length))
    return found


def check(first: np.ndarray, second: np.ndarray) -> Overlap:
    """Fail where the shared count is not that of the sets, or a run is none, is too short, or could go on."""
    result = align(first, second)
    sets = [set(shingle_letters(letters).tolist()) for letters in (first, second)]
    assert result.shared == len(sets[0] & sets[1])
    before = 0
    for i, j, length in result.runs.tolist():
        assert length >= MIN_RUN
        assert i >= 0
        assert i + length <= first.size
        assert j + length <= second.size
        np.testing.assert_array_equal(first[i : i + length], second[j : j + length])
        assert i + length == first.size or j + length == second.size or first[i + length] != second[j + length]
        assert j + length > before
        before = j + length
    starts = result.runs[:, 1]
    assert (np.diff(starts) > 0).all()
    return result


@given(few_letters, few_letters)
@example([1] * 100, [1] * 30)
@example([1] * 30, [1] * 100)
@example([], [1] * 30)
@example([1] * 7, [1] * 7)
@example([1, 2] * 30, [2, 1] * 40)
def test_runs_of_repetitive_texts_are_true(first: list[int], second: list[int]) -> None:
    """With few letters and much repetition, the count is that of the sets; runs are equal and end where they must."""
    check(array(first), array(second))


@given(st.integers(0, 2**32), pieces, pieces)
def test_runs_of_texts_cut_from_one_are_complete(
    seed: int, cut: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    """Where no shingle of the first text comes twice, the runs are all maximal common runs, no more and no fewer."""
    source = random.Random(seed).choices(range(1, 10**6), k=400)
    first, second = ([x for start, length in parts for x in source[start : start + length]] for parts in (cut, other))
    result = check(array(first), array(second))
    shingles = shingle_letters(array(first)).tolist()
    if len(set(shingles)) == len(shingles):
        assert {tuple(run) for run in result.runs.tolist()} == common_runs(first, second, MIN_RUN)


def test_runs_of_real_articles_are_true() -> None:
    """On real articles, on samples against each other, and on edited copies."""
    texts = [*(sample["text"] for sample in samples()), *real_bodies(60)]
    letters = [canonicalise(text).letters for text in texts]
    for first, second in pairwise(letters):
        check(first, second)
        third = second.size // 3
        result = check(first, np.concatenate([second[:third], first[first.size // 4 :], second[third:]]))
        assert result.runs.size == 0 or result.runs[:, 2].max() >= min(first.size - first.size // 4, 12)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 11, 12, 13, 100, 3000])
def test_equal_texts_have_one_run(size: int) -> None:
    """A text shares with itself all its shingles and one run from end to end, if it is long enough for a run."""
    letters = array(random.Random(size).choices(range(1574, 1740), k=size))
    result = check(letters, letters)
    assert result.shared == max(0, size - SIZE + 1)
    assert result.runs.tolist() == ([[0, 0, size]] if size >= MIN_RUN else [])


def test_equal_articles_have_one_run() -> None:
    """So has every real article, though phrases of it come more than once."""
    for text in real_bodies(150):
        letters = canonicalise(text).letters
        if letters.size >= MIN_RUN:
            assert check(letters, letters).runs.tolist() == [[0, 0, letters.size]]


def test_a_changed_word_parts_two_runs() -> None:
    """Around one changed stretch lie two runs, and the shingles that touch it are not shared."""
    letters = array(random.Random(5).choices(range(1574, 1740), k=300))
    changed = letters.copy()
    changed[100:105] = 7
    result = check(letters, changed)
    assert result.runs.tolist() == [[0, 0, 100], [105, 105, 195]]
    assert result.shared == 293 - (SIZE - 1 + 5)


def test_a_run_goes_on_where_the_one_before_left() -> None:
    """A formula that stands at several places of the first text is taken at the place that continues the alignment."""
    rng = random.Random(6)
    formula, *parts = (rng.choices(range(1574, 1740), k=size) for size in (30, 50, 50, 50))
    first = parts[0] + formula + parts[1] + formula + parts[2]
    second = parts[1][:-1] + [5] + formula + parts[2]
    assert check(array(first), array(second)).runs.tolist() == [[80, 0, 49], [130, 50, 80]]
    assert check(array(first), array(formula)).runs.tolist() == [[50, 0, 30]]


def test_runs_may_overlap_by_less_than_a_shingle() -> None:
    """Two stretches that end and begin with the same few letters are both told whole."""
    letters = random.Random(7).choices(range(1574, 1740), k=100)
    first = [*letters[:50], 5, 6, *letters[50 - SIZE + 1 :]]
    result = check(array(first), array(letters))
    assert result.runs.tolist() == [[0, 0, 50], [52, 50 - SIZE + 1, 50 + SIZE - 1]]


@given(st.lists(st.integers(0, 30) | st.integers(0, 2**32 - 1), max_size=200))
def test_table_holds_first_positions(values: list[int]) -> None:
    """The table names each distinct shingle once, zero too, with the first place it has; counting alone agrees."""
    table = shingle_table(np.array(values, np.uint32))
    held = {int(k): int(p) for k, p in zip(table.keys, table.positions, strict=True) if p >= 0}
    assert held == {value: values.index(value) for value in values}
    assert table.distinct == len(set(values)) == np.count_nonzero(table.positions >= 0)
    assert table.firsts.tolist() == [values.index(value) for value in values]
    assert all(table.filter[value % table.filter.size] for value in values)
    assert distinct_kernel(np.array(values, np.uint32)) == len(set(values))
