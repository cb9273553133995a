"""Rolling hashes of every k letters, by doubling.

The polynomial hash of k letters modulo 2^64 (Karp and Rabin 1987) is built from that of k/2 letters:
h_2k[i] = h_k[i] * B^k + h_k[i+k]. Unlike the sliding form it has no chain from one position to the next, so the
compiler can vectorise it.
"""

from __future__ import annotations

import numpy as np

from baznashr_server.kernel import kernel

BASE = 0x9E3779B97F4A7C15
"""Odd, so that no letter is lost from the modulus; the golden ratio's bits, as Knuth's multiplicative hash has them."""
BASE_2, BASE_4, BASE_8 = (pow(BASE, n, 1 << 64) for n in (2, 4, 8))


@kernel
def fmix64(h):  # type: ignore[no-untyped-def]
    """MurmurHash3's 64-bit finalizer (Appleby, public domain): a bijection that spreads all bits."""
    h = np.uint64(h)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    return h


@kernel
def hash_8_grams(letters):  # type: ignore[no-untyped-def]
    """Return uint64[n-7], the polynomial hash of each 8 letters; empty for fewer than 8."""
    n = letters.size - 7
    if n <= 0:
        return np.empty(0, np.uint64)
    h = np.empty(letters.size - 1, np.uint64)
    for i in range(letters.size - 1):
        h[i] = np.uint64(letters[i]) * np.uint64(BASE) + np.uint64(letters[i + 1])
    for i in range(letters.size - 3):
        h[i] = h[i] * np.uint64(BASE_2) + h[i + 2]
    for i in range(n):
        h[i] = h[i] * np.uint64(BASE_4) + h[i + 4]
    return h[:n]


@kernel
def hash_24_grams(eights):  # type: ignore[no-untyped-def]
    """Return uint64[n-16], mixed hashes of each 24 letters, from the n hashes of each 8 (`hash_8_grams`)."""
    n = eights.size - 16
    if n <= 0:
        return np.empty(0, np.uint64)
    h = np.empty(n, np.uint64)
    for i in range(n):
        sixteen = eights[i] * np.uint64(BASE_8) + eights[i + 8]
        h[i] = fmix64(sixteen * np.uint64(BASE_8) + eights[i + 16])
    return h
