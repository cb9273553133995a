"""Rolling hashes are the polynomial hashes they claim to be."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from baznashr_server.sketch.hashing import fmix64, hash_8_grams, hash_24_grams
from baznashr_server.sketch.shingles import shingle_sequence
from tests.sketch import oracle

letters = hnp.arrays(np.uint32, st.integers(0, 90), elements=st.integers(0, 2**32 - 1) | st.integers(1574, 1740))


@given(letters)
@example(np.arange(7, dtype=np.uint32))
@example(np.arange(8, dtype=np.uint32))
@example(np.arange(23, dtype=np.uint32))
@example(np.arange(24, dtype=np.uint32))
def test_rolling_hashes_equal_the_plain_ones(array: np.ndarray) -> None:
    """Doubling gives every 8-gram and 24-gram its polynomial hash modulo 2^64; too few letters give none."""
    plain = array.tolist()
    eights = hash_8_grams(array)
    assert eights.dtype == np.uint64
    assert eights.tolist() == oracle.gram_hashes(plain, 8)
    assert hash_24_grams(eights).tolist() == oracle.passage_hashes(plain)
    assert shingle_sequence(array).tolist() == oracle.shingles(plain)
    assert shingle_sequence(array).dtype == np.uint32


@given(st.integers(0, 2**64 - 1))
@example(0)
@example(2**64 - 1)
def test_fmix64(value: int) -> None:
    """The finalizer is MurmurHash3's."""
    assert int(fmix64(np.uint64(value))) == oracle.fmix64(value)


def test_fmix64_known_answer() -> None:
    """A value known from other implementations, so that kernel and oracle cannot err alike."""
    assert int(fmix64(np.uint64(1))) == 0xB456BCFC34C2CB2C
