"""The peers, each used as its documentation says is fast, on one thread; 128 values a signature.

What each hashes: datasketch the UTF-8 of every 8 characters of the text as it stands (SHA-1 cut to 32 bits), rensa and
FastSketchLSH every 8 characters as `str` (hashes of their own). Ours hashes every 8 letters of the canonical form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 8
NUM_PERM = 128
SEED = 1

# Read by the peers' thread pools when they start.
os.environ.setdefault("RAYON_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    sketch: Callable[[str], Any]
    """From text."""
    jaccard: Callable[[Any, Any], float]


def grams(text: str) -> list[str]:
    """Return every 8 characters of *text*, as the peers' users make them."""
    return [text[i : i + SIZE] for i in range(len(text) - SIZE + 1)]


def gram_bytes(text: str) -> list[bytes]:
    return [text[i : i + SIZE].encode() for i in range(len(text) - SIZE + 1)]


def datasketch_from_text() -> Peer:
    """The permutations are drawn once and shared, as `MinHash.bulk` does; drawing them each time costs 10 % more."""
    from datasketch import MinHash

    empty = MinHash(num_perm=NUM_PERM, seed=SEED)

    def sketch(text: str) -> MinHash:
        minhash = empty.copy()
        minhash.update_batch(gram_bytes(text))
        return minhash

    return Peer("datasketch", sketch, MinHash.jaccard)


def datasketch_from_values() -> Callable[[Sequence[int]], Any]:
    """Return `update_batch` over hash values already computed (lists of int, which it takes faster than arrays)."""
    from datasketch import MinHash

    empty = MinHash(num_perm=NUM_PERM, seed=SEED, hashfunc=lambda value: value)

    def sketch(values: Sequence[int]) -> MinHash:
        minhash = empty.copy()
        minhash.update_batch(values)
        return minhash

    return sketch


def rensa_from_tokens() -> Callable[[list[str]], Any]:
    from rensa import RMinHash

    def sketch(tokens: list[str]) -> RMinHash:
        minhash = RMinHash(num_perm=NUM_PERM, seed=SEED)
        minhash.update(tokens)
        return minhash

    return sketch


def rensa_from_text() -> Peer:
    from rensa import RMinHash

    of_tokens = rensa_from_tokens()
    return Peer("rensa R-MinHash, full set", lambda text: of_tokens(grams(text)), RMinHash.jaccard)


def rensa_from_values(values: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> Callable[[], object]:
    """Return rensa's fastest full-set call: one for all texts, on hash values already computed, in one flat array."""
    from rensa import RMinHash

    return lambda: RMinHash.digest_matrix_from_flat_token_hashes(values, offsets, num_perm=NUM_PERM, seed=SEED)


def fastsketch() -> Callable[..., Any]:
    from FastSketchLSH import FastSimilaritySketch

    return FastSimilaritySketch(size=NUM_PERM, seed=SEED)


def fastsketch_from_text() -> Peer:
    from FastSketchLSH import estimate_jaccard

    sketcher = fastsketch()
    return Peer("FastSketchLSH", lambda text: sketcher(grams(text)), estimate_jaccard)


def fastsketch_from_values(values: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> Callable[[], object]:
    """Return its fastest call: one for all texts, on hash values already computed, in one flat array."""
    from FastSketchLSH import FastSimilaritySketch

    sketcher = FastSimilaritySketch(size=NUM_PERM, seed=SEED)
    return lambda: sketcher.batch_csr(values, offsets, prehashed=True, num_threads=1)


def all_from_text() -> list[Peer]:
    return [datasketch_from_text(), rensa_from_text(), fastsketch_from_text()]
