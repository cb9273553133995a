"""Shingles: the set of 8-letter substrings of the canonical form, each as 32 bits (Broder 1997)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.sketch.hashing import fmix64, hash_8_grams

SIZE = 8


@kernel
def shingle_kernel(eights):  # type: ignore[no-untyped-def]
    """Return uint32[n], the upper half of each mixed 8-gram hash, in text order, repeats included."""
    out = np.empty(eights.size, np.uint32)
    for i in range(eights.size):
        out[i] = np.uint32(fmix64(eights[i]) >> np.uint64(32))
    return out


def shingle_sequence(letters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the shingles of *letters* in text order, uint32[max(0, m-7)]."""
    return shingle_kernel(hash_8_grams(letters))
