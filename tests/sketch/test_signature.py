"""Signatures are datasketch's, bit by bit."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from datasketch import LeanMinHash, MinHash
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.sketch.signature import from_lean_minhash, permutations, sign, to_lean_minhash
from tests.articles import real_bodies, samples

hash_values = st.lists(st.integers(0, 2**32 - 1), max_size=200)
NEAREST_BLOCKS = st.sampled_from([1, 7, 8, 9, 15, 16, 17, 24])


def reference(values: Sequence[int], num_perm: int = 128, seed: int = 1, scheme: str = "affine32") -> MinHash:
    """Return datasketch's sketch of a set of hash values."""
    sketch = MinHash(num_perm=num_perm, seed=seed, scheme=scheme, hashfunc=lambda x: x)
    for value in values:
        sketch.update(value)
    return sketch


def test_permutations_are_datasketchs() -> None:
    """The multipliers and increments drawn here are those of datasketch, each in its place."""
    for own, theirs in zip(permutations(), reference([]).permutations, strict=True):
        assert own.dtype == np.uint32
        np.testing.assert_array_equal(own, theirs)


def test_datasketch_does_not_delay_the_start() -> None:
    """To import the server's application loads neither datasketch nor the part of SciPy that it needs."""
    code = "import sys, baznashr_server.app; print(*{'datasketch', 'scipy.integrate'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@given(hash_values | NEAREST_BLOCKS.flatmap(lambda n: st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n)))
@example([])
@example([0])
@example([2**32 - 1] * 9)
def test_bit_identical_over_random_sets(values: list[int]) -> None:
    """Any set of 32-bit hashes, the empty one too, has datasketch's signature."""
    signature = sign(np.array(values, np.uint32))
    assert signature.dtype == np.uint32
    np.testing.assert_array_equal(signature, reference(values).hashvalues)
    if not values:
        assert (signature == 0xFFFFFFFF).all()


def test_bit_identical_over_articles() -> None:
    """So has every real article and every sample."""
    for text in [*real_bodies(300), *(sample["text"] for sample in samples())]:
        sketch = MinHash(num_perm=128, seed=1, scheme="affine32", hashfunc=lambda x: x)
        own = fingerprint(text)
        if own.shingles.size:
            sketch.update_batch(own.shingles.tolist())
        np.testing.assert_array_equal(own.signature, sketch.hashvalues)


@given(hash_values, st.randoms(use_true_random=False))
def test_a_signature_is_of_the_set(values: list[int], rng: object) -> None:
    """Neither order nor repeats of shingles matter, and the signature of a union is the least of both."""
    again = [*values, *values[:5]]
    rng.shuffle(again)
    np.testing.assert_array_equal(sign(np.array(values, np.uint32)), sign(np.array(again, np.uint32)))
    half = len(values) // 2
    parts = [sign(np.array(part, np.uint32)) for part in (values[:half], values[half:])]
    np.testing.assert_array_equal(sign(np.array(values, np.uint32)), np.minimum(*parts))


@given(hash_values, hash_values)
def test_exchange_with_datasketch(values: list[int], others: list[int]) -> None:
    """A signature survives LeanMinHash and its bytes, and datasketch compares it with its own sketches."""
    signature = sign(np.array(values, np.uint32))
    lean = to_lean_minhash(signature)
    buffer = bytearray(lean.bytesize())
    lean.serialize(buffer)
    returned = from_lean_minhash(LeanMinHash.deserialize(buffer))
    assert returned.dtype == np.uint32
    np.testing.assert_array_equal(returned, signature)
    assert lean == LeanMinHash(reference(values))
    assert lean.jaccard(reference(others)) == reference(values).jaccard(reference(others))
    np.testing.assert_array_equal(from_lean_minhash(reference(values)), signature)


def test_exchange_copies() -> None:
    """A change to a sketch that was handed out or taken in does not reach the signature."""
    signature = sign(np.arange(50, dtype=np.uint32))
    kept = signature.copy()
    to_lean_minhash(signature).hashvalues[:] = 0
    np.testing.assert_array_equal(signature, kept)
    sketch = reference(range(50))
    taken = from_lean_minhash(sketch)
    sketch.hashvalues[:] = 0
    np.testing.assert_array_equal(taken, kept)


@pytest.mark.parametrize(
    ("num_perm", "seed", "scheme"),
    [(128, 2, "affine32"), (128, 1, "affine64"), (128, 1, "legacy"), (64, 1, "affine32")],
)
def test_other_sketches_are_refused(num_perm: int, seed: int, scheme: str) -> None:
    """A sketch with another seed, scheme or length is refused by a sentence that names both."""
    sketch = LeanMinHash(reference(range(9), num_perm, seed, scheme))
    with pytest.raises(ValueError, match=rf"{seed}.*{scheme}.*{num_perm}.*not comparable with.*1.*affine32.*128"):
        from_lean_minhash(sketch)
