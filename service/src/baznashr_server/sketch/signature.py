"""MinHash signatures, bit-identical to `datasketch.MinHash(num_perm=128, seed=1, scheme="affine32")`.

datasketch is the reference and the exchange format; the kernel is ours. Each shingle is mixed once by MurmurHash3's
32-bit finalizer, then permuted by a*h + b modulo 2^32 with odd a, and the least value kept. datasketch, which imports
SciPy, is loaded only where sketches are exchanged: it would add a second to every start.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel

if TYPE_CHECKING:
    from datasketch import LeanMinHash, MinHash

U32 = NDArray[np.uint32]

NUM_PERM = 128
SEED = 1
SCHEME = "affine32"
BLOCK = 8
"""Shingles handled by one pass over the permutations: each loads and stores a signature value once for all of them."""


class Permutations(NamedTuple):
    multipliers: U32
    increments: U32


@cache
def permutations(seed: int = SEED) -> Permutations:
    """Return datasketch's permutations, uint32[128] each: drawn in its order from NumPy's frozen legacy generator."""
    draws = np.random.RandomState(seed)
    halves = draws.randint(0, 1 << 31, NUM_PERM, dtype=np.uint32)
    increments = draws.randint(0, 1 << 32, NUM_PERM, dtype=np.uint32)
    return Permutations(2 * halves + np.uint32(1), increments)


@kernel
def fmix32(h):  # type: ignore[no-untyped-def]
    """MurmurHash3's 32-bit finalizer (Appleby, public domain)."""
    h = np.uint32(h)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def signature_kernel(shingles, multipliers, increments):  # type: ignore[no-untyped-def]
    """Return uint32[num_perm], the least permuted value of each permutation; all ones for no shingles."""
    perms = multipliers.size
    out = np.full(perms, np.uint32(0xFFFFFFFF), np.uint32)
    n = shingles.size
    mixed = np.empty(BLOCK, np.uint32)
    for start in range(0, n, BLOCK):
        for k in range(BLOCK):
            # The last block repeats its first shingle: the least value does not change.
            mixed[k] = fmix32(shingles[start + k] if start + k < n else shingles[start])
        x0, x1, x2, x3 = mixed[0], mixed[1], mixed[2], mixed[3]
        x4, x5, x6, x7 = mixed[4], mixed[5], mixed[6], mixed[7]
        for j in range(perms):
            a, b = multipliers[j], increments[j]
            low = out[j]
            low = min(low, np.uint32(a * x0 + b))
            low = min(low, np.uint32(a * x1 + b))
            low = min(low, np.uint32(a * x2 + b))
            low = min(low, np.uint32(a * x3 + b))
            low = min(low, np.uint32(a * x4 + b))
            low = min(low, np.uint32(a * x5 + b))
            low = min(low, np.uint32(a * x6 + b))
            low = min(low, np.uint32(a * x7 + b))
            out[j] = low
    return out


def sign(shingles: U32) -> U32:
    """Return the signature uint32[128] of the set of *shingles* (uint32[n], order and repeats do not matter)."""
    return signature_kernel(shingles, *permutations())


def to_lean_minhash(signature: U32) -> LeanMinHash:
    """Return datasketch's frozen sketch with these values."""
    from datasketch import LeanMinHash  # noqa: PLC0415 - see the module's first lines

    return LeanMinHash(seed=SEED, hashvalues=signature.copy(), scheme=SCHEME)


def from_lean_minhash(sketch: MinHash) -> U32:
    """Return the signature of a datasketch sketch.

    Raises:
        ValueError: The sketch has another seed, scheme or number of permutations.
    """
    found = (sketch.seed, sketch.scheme, len(sketch.hashvalues))
    if found != (SEED, SCHEME, NUM_PERM):
        expected = (SEED, SCHEME, NUM_PERM)
        raise ValueError(f"a sketch with (seed, scheme, num_perm) = {found} is not comparable with {expected}")
    return np.asarray(sketch.hashvalues, np.uint32).copy()
