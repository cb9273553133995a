"""Verification kernels: exact set overlap of two texts and the runs of letters they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.cover_kernel import BRIDGE, COVER
from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import hash_8_grams
from baznashr_server.sketch.shingles import SIZE, shingle_kernel

MIN_RUN = 12
"""Letters; shorter runs are common words and do not become spans."""


STRIDE = COVER - SIZE + 1
"""Shingles in the shortest run that counts as covered."""
FILTER = 4
"""Places of a table's filter for each of its own: one shingle in ten that is not in the table passes."""


class ShingleTable(NamedTuple):
    """An open-addressing table from shingle to its first position in a text of n shingles."""

    keys: NDArray[np.uint32]
    """uint32[2^p]."""
    positions: NDArray[np.int32]
    """int32[2^p]; -1 marks a free place."""
    firsts: NDArray[np.int32]
    """int32[n]: of each position, the first that has the same shingle."""
    filter: NDArray[np.bool_]
    """bool[2^(p+2)]: whether a shingle of the table ends in these bits. It parts misses from hits by a branch that the
    processor foresees, which probing does not."""
    repeated: NDArray[np.bool_]
    """bool[n]: of each first position, whether others have the same shingle."""
    distinct: int


@kernel
def table_kernel(shingles):  # type: ignore[no-untyped-def]
    """Return the parts of the ShingleTable of *shingles*, uint32[n] in text order."""
    size = 16
    while size < 2 * shingles.size:
        size *= 2
    keys = np.empty(size, np.uint32)
    positions = np.full(size, np.int32(-1), np.int32)
    firsts = np.empty(shingles.size, np.int32)
    repeated = np.zeros(shingles.size, np.bool_)
    may_hold = np.zeros(FILTER * size, np.bool_)
    mask, filter_mask = np.uint32(size - 1), np.uint32(FILTER * size - 1)
    distinct = 0
    for i in range(shingles.size):
        at = shingles[i] & mask
        while positions[at] >= 0 and keys[at] != shingles[i]:
            at = (at + np.uint32(1)) & mask
        if positions[at] < 0:
            keys[at] = shingles[i]
            positions[at] = i
            may_hold[shingles[i] & filter_mask] = True
            distinct += 1
        else:
            repeated[positions[at]] = True
        firsts[i] = positions[at]
    return keys, positions, firsts, may_hold, repeated, distinct


@kernel
def distinct_kernel(shingles):  # type: ignore[no-untyped-def]
    """Return the number of distinct *shingles*: what table_kernel does, without first positions."""
    size = 16
    while size < 2 * shingles.size:
        size *= 2
    keys = np.zeros(size, np.uint32)
    mask = np.uint32(size - 1)
    distinct = 0
    zero = False
    for i in range(shingles.size):
        value = shingles[i]
        if value == 0:
            zero = True
            continue
        at = value & mask
        while keys[at] != 0 and keys[at] != value:
            at = (at + np.uint32(1)) & mask
        if keys[at] == 0:
            keys[at] = value
            distinct += 1
    return distinct + zero


@kernel
def same_letters(a, i, b, j, length):  # type: ignore[no-untyped-def]
    """Whether a[i:i+length], if it is all there, is b[j:j+length]."""
    if i < 0 or i + length > a.size:
        return False
    for k in range(length):  # noqa: SIM110 - Numba compiles the loop better than a generator
        if a[i + k] != b[j + k]:
            return False
    return True


@kernel
def _first_places(shingles, table, other_shingles):  # type: ignore[no-untyped-def]
    """Return int32[m], the first position of each of *other_shingles* in a text, -1 for none; and how many distinct.

    Where the text goes on as the other does, the next shingle is found without the table.
    """
    keys, positions, firsts, may_hold, _, _ = table
    mask, filter_mask = np.uint32(keys.size - 1), np.uint32(may_hold.size - 1)
    places = np.empty(other_shingles.size, np.int32)
    hit = np.zeros(shingles.size, np.bool_)
    shared = 0
    following = np.int64(shingles.size)
    for j in range(other_shingles.size):
        shingle = other_shingles[j]
        if following < shingles.size and shingles[following] == shingle:
            place = firsts[following]
            following += 1
        elif not may_hold[shingle & filter_mask]:
            places[j] = -1
            following = np.int64(shingles.size)
            continue
        else:
            at = shingle & mask
            while positions[at] >= 0 and keys[at] != shingle:
                at = (at + np.uint32(1)) & mask
            place = positions[at]
            following = np.int64(place) + 1 if place >= 0 else np.int64(shingles.size)
        places[j] = place
        if place >= 0:
            shared += not hit[place]
            hit[place] = True
    return places, shared


@kernel
def overlap_kernel(letters, shingles, table, other_letters, other_shingles):  # type: ignore[no-untyped-def]
    """Return the number of shared distinct shingles and the shared runs, int64[r, 3].

    The runs are found greedily along the second text. Where a shingle stands at several places of the first, the
    place that goes on with the shift of the run before is preferred, else the first.
    """
    n = other_shingles.size
    place, shared = _first_places(shingles, table, other_shingles)
    runs = np.empty((n // 2 + 1, 3), np.int64)
    count = 0
    shift = np.int64(0)
    j = 0
    while j < n:
        i = np.int64(place[j])
        if i < 0:
            j += 1
            continue
        if count > 0 and same_letters(letters, j + shift, other_letters, j, SIZE):
            i = j + shift
        length = 0
        while i + length < letters.size and j + length < other_letters.size:
            if letters[i + length] != other_letters[j + length]:
                break
            length += 1
        if length >= MIN_RUN:
            runs[count, 0], runs[count, 1], runs[count, 2] = i, j, length
            count += 1
            shift = i - j
        j += max(1, length - SIZE + 1)
    return shared, runs[:count]


@kernel
def jaccard_kernel(shingles, other_shingles):  # type: ignore[no-untyped-def]
    """Return the Jaccard similarity of the sets of two shingle sequences, uint32[n] and uint32[m], not both empty."""
    distinct, other_distinct = distinct_kernel(shingles), distinct_kernel(other_shingles)
    union = distinct_kernel(np.concatenate((shingles, other_shingles)))
    return (distinct + other_distinct - union) / union


@kernel
def _place(table, shingle):  # type: ignore[no-untyped-def]
    """Return the first position of *shingle* in the table's text, -1 for none."""
    mask = np.uint32(table.keys.size - 1)
    at = shingle & mask
    while table.positions[at] >= 0 and table.keys[at] != shingle:
        at = (at + np.uint32(1)) & mask
    return np.int64(table.positions[at])


@kernel
def _covered_in(letters, table, other_letters, other_shingles, first, end):  # type: ignore[no-untyped-def]
    """Return the letters of the runs through every STRIDE-th shingle from *first* to *end*, -1 where one is repeated.

    A shingle that the first text has once is part of one run only.
    """
    covered, run_end, shift = 0, 0, np.int64(0)
    for j in range(first, end, STRIDE):
        i = _place(table, other_shingles[j])
        if i < 0 or (j < run_end and i - j == shift):
            continue
        if table.repeated[i]:
            return -1
        run_end, shift, start = j, i - j, j
        while run_end < other_letters.size and run_end + shift < letters.size:
            if other_letters[run_end] != letters[run_end + shift]:
                break
            run_end += 1
        while start > 0 and start + shift > 0 and other_letters[start - 1] == letters[start - 1 + shift]:
            start -= 1
        if run_end - start >= COVER:
            covered += run_end - start + BRIDGE
    return covered


@kernel
def most_covered_kernel(letters, table, other_letters, other_shingles, enough):  # type: ignore[no-untyped-def]
    """Return the most letters that shared runs of COVER letters or more can cover in either of two texts.

    Such a run holds STRIDE successive shingles of both texts, so every STRIDE-th one of the second text tells where one
    may be. Of c successive shingles that the first text may hold, where that has some of them twice, there are at most
    c / STRIDE runs, which overlap by no more than SIZE - 1 letters. Each run may be followed by a bridged gap.

    Args:
        table: Of the first text.
        enough: Letters from which on it does not matter how many.
    """
    mask = np.uint32(table.filter.size - 1)
    covered = 0
    j = STRIDE - 1
    while j < other_shingles.size and covered < enough:
        if not table.filter[other_shingles[j] & mask]:
            j += STRIDE
            continue
        start, end = j, j + 1
        while start > 0 and table.filter[other_shingles[start - 1] & mask]:
            start -= 1
        while end < other_shingles.size and table.filter[other_shingles[end] & mask]:
            end += 1
        if end - start >= STRIDE:
            in_runs = _covered_in(letters, table, other_letters, other_shingles, j, end)
            most = end - start + (SIZE - 1 + BRIDGE) * ((end - start) // STRIDE)
            covered += most if in_runs < 0 else in_runs
        j = end + STRIDE
    return covered


def shingle_table(shingles: NDArray[np.uint32]) -> ShingleTable:
    return ShingleTable(*table_kernel(shingles))


@kernel
def shingle_letters(letters):  # type: ignore[no-untyped-def]
    """Return the shingle sequence of canonical letters."""
    return shingle_kernel(hash_8_grams(letters))
