"""Verification kernels: exact set overlap of two texts and the runs of letters they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import hash_8_grams
from baznashr_server.sketch.shingles import SIZE, shingle_kernel

MIN_RUN = 12
"""Letters; shorter runs are common words and do not become spans."""


class ShingleTable(NamedTuple):
    """An open-addressing table from shingle to its first position in a text."""

    keys: NDArray[np.uint32]
    """uint32[2^p]."""
    positions: NDArray[np.int32]
    """int32[2^p]; -1 marks a free place."""
    distinct: int


class Overlap(NamedTuple):
    """What two texts have in common."""

    shared: int
    """Distinct shingles in both."""
    runs: NDArray[np.int64]
    """int64[r, 3]: start in the first text, start in the second, length, all in letters; ascending in the second."""


@kernel
def table_kernel(shingles):  # type: ignore[no-untyped-def]
    """Return keys, first positions and the number of distinct *shingles* (uint32[n], in text order)."""
    size = 16
    while size < 2 * shingles.size:
        size *= 2
    keys = np.empty(size, np.uint32)
    positions = np.full(size, np.int32(-1), np.int32)
    mask = np.uint32(size - 1)
    distinct = 0
    for i in range(shingles.size):
        at = shingles[i] & mask
        while positions[at] >= 0 and keys[at] != shingles[i]:
            at = (at + np.uint32(1)) & mask
        if positions[at] < 0:
            keys[at] = shingles[i]
            positions[at] = i
            distinct += 1
    return keys, positions, distinct


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
def _same(a, i, b, j, length):  # type: ignore[no-untyped-def]
    if i < 0 or i + length > a.size:
        return False
    for k in range(length):  # noqa: SIM110 - Numba compiles the loop better than a generator
        if a[i + k] != b[j + k]:
            return False
    return True


@kernel
def overlap_kernel(letters, keys, positions, other_letters, other_shingles):  # type: ignore[no-untyped-def]
    """Return the number of shared distinct shingles and the shared runs, int64[r, 3].

    The runs are found greedily along the second text. Where a shingle stands at several places of the first, the
    place that goes on with the shift of the run before is preferred, else the first.
    """
    n = other_shingles.size
    mask = np.uint32(keys.size - 1)
    place = np.empty(n, np.int64)
    hit = np.zeros(keys.size, np.bool_)
    shared = 0
    for j in range(n):
        at = other_shingles[j] & mask
        while positions[at] >= 0 and keys[at] != other_shingles[j]:
            at = (at + np.uint32(1)) & mask
        place[j] = positions[at]
        if place[j] >= 0 and not hit[at]:
            hit[at] = True
            shared += 1
    runs = np.empty((n // 2 + 1, 3), np.int64)
    count = 0
    shift = np.int64(0)
    j = 0
    while j < n:
        i = place[j]
        if i < 0:
            j += 1
            continue
        if count > 0 and _same(letters, j + shift, other_letters, j, SIZE):
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


def shingle_table(shingles: NDArray[np.uint32]) -> ShingleTable:
    return ShingleTable(*table_kernel(shingles))


def overlap(
    letters: NDArray[np.uint32],
    table: ShingleTable,
    other_letters: NDArray[np.uint32],
    other_shingles: NDArray[np.uint32],
) -> Overlap:
    """Compare a text, given by its letters and table, with another, given by its letters and shingle sequence."""
    return Overlap(*overlap_kernel(letters, table.keys, table.positions, other_letters, other_shingles))


@kernel
def shingle_letters(letters):  # type: ignore[no-untyped-def]
    """Return the shingle sequence of canonical letters."""
    return shingle_kernel(hash_8_grams(letters))
