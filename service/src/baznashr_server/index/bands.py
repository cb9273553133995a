"""Band keys: each band of a signature as one 64-bit key (Broder 1997; Leskovec, Rajaraman, Ullman, chapter 3).

With 25 bands of 5 rows a pair of similarity s becomes a candidate with probability 1 - (1 - s^5)^25: 0.55 at 0.5,
0.87 at 0.6, 0.99 at 0.7. docs/adr/0003 holds the arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import fmix64

BANDS = 25
ROWS = 5


@kernel
def band_key_kernel(signature, bands, rows):  # type: ignore[no-untyped-def]
    """Return uint64[bands]: a chained mix of each band's number and values, order mattering."""
    keys = np.empty(bands, np.uint64)
    for band in range(bands):
        key = fmix64(np.uint64(band + 1))
        for row in range(rows):
            key = fmix64(key ^ np.uint64(signature[band * rows + row])) + np.uint64(row)
        keys[band] = key
    return keys


def band_keys(signature: NDArray[np.uint32], bands: int = BANDS, rows: int = ROWS) -> NDArray[np.uint64]:
    """Return the band keys of a signature of at least bands * rows values."""
    return band_key_kernel(signature, bands, rows)


@kernel
def _band_keys_of_each(signatures, bands, rows):  # type: ignore[no-untyped-def]
    keys = np.empty((signatures.shape[0], bands), np.uint64)
    for t in range(signatures.shape[0]):
        keys[t] = band_key_kernel(signatures[t], bands, rows)
    return keys


def band_keys_of_each(signatures: NDArray[np.uint32], bands: int = BANDS, rows: int = ROWS) -> NDArray[np.uint64]:
    """Return uint64[n, bands], the band keys of each of *signatures*, uint32[n, m]."""
    return _band_keys_of_each(signatures, bands, rows)


@kernel
def keys_of_entries(fields, least, signatures, passages, sizes):  # type: ignore[no-untyped-def]
    """Return the keys that lead to each of n entries with *least* letters or more, and for each key its entry.

    Args:
        fields: int64[n, f], as `Columns.put` takes them: letters in the second column.
        sizes: int64[n], passages of each.
        signatures: uint32[n, m].
        passages: uint64[p], those of all.

    Returns:
        Band keys, positions of their entries among the n; passages, positions of theirs.
    """
    n = sizes.size
    keys, owners = np.empty(n * BANDS, np.uint64), np.empty(n * BANDS, np.int64)
    kept, kept_owners = np.empty(passages.size, np.uint64), np.empty(passages.size, np.int64)
    end, count, start = 0, 0, 0
    for i in range(n):
        if fields[i, 1] >= least:
            keys[end : end + BANDS] = band_key_kernel(signatures[i], BANDS, ROWS)
            owners[end : end + BANDS] = i
            end += BANDS
            for k in range(start, start + sizes[i]):
                kept[count], kept_owners[count] = passages[k], i
                count += 1
        start += sizes[i]
    return keys[:end], owners[:end], kept[:count], kept_owners[:count]


def candidate_probability(similarity: float, bands: int = BANDS, rows: int = ROWS) -> float:
    """Return the probability that two sets of this Jaccard similarity share a band: the S-curve."""
    return float(1 - (1 - similarity**rows) ** bands)
