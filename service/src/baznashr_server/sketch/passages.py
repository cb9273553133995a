"""Passage fingerprints: winnowed 24-gram hashes, so that texts sharing any 71 letters share a fingerprint.

Winnowing (Schleimer, Wilkerson and Aiken 2003) keeps the least hash of every window of w successive k-gram hashes,
the rightmost of equals: two texts with a common substring of w + k - 1 letters keep a common hash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams

SIZE = 24
WINDOW = 48


@kernel
def winnow_kernel(hashes):  # type: ignore[no-untyped-def]
    """Return int64[p], ascending: the positions that winnowing keeps; the least of all where no window fits."""
    n = hashes.size
    kept = np.empty(n, np.int64)
    count = 0
    if n == 0:
        return kept
    # The least value is carried along, and looking for another has no branches: half the time of reading by its place.
    least, low, last = 0, hashes[0], -1
    for i in range(n):
        if hashes[i] <= low:
            least, low = i, hashes[i]
        elif least <= i - WINDOW:
            least = i - WINDOW + 1
            low = hashes[least]
            for j in range(least + 1, i + 1):
                is_less = hashes[j] <= low
                least = j if is_less else least
                low = hashes[j] if is_less else low
        if least != last and (i >= WINDOW - 1 or i == n - 1):
            kept[count] = last = least
            count += 1
    return kept[:count]


def winnow(letters: NDArray[np.uint32]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the winnowed passages of canonical letters, repeats included, and where each starts: [p], ascending."""
    hashes = hash_24_grams(hash_8_grams(letters))
    starts = winnow_kernel(hashes)
    return hashes[starts], starts


@kernel
def passage_kernel(hashes):  # type: ignore[no-untyped-def]
    """Return the distinct winnowed hashes, uint64[p] in text order, and whether one of them occurred twice."""
    kept = winnow_kernel(hashes)
    out = np.empty(kept.size, np.uint64)
    size = 16
    while size < 2 * kept.size:
        size *= 2
    seen = np.zeros(size, np.uint64)
    used = np.zeros(size, np.bool_)
    count = 0
    for position in kept:
        value = hashes[position]
        at = np.int64(value & np.uint64(size - 1))
        while used[at] and seen[at] != value:
            at = (at + 1) & (size - 1)
        if not used[at]:
            used[at] = True
            seen[at] = value
            out[count] = value
            count += 1
    return out[:count], count < kept.size
