"""The profile's bits stand still: every stage gives what the committed vectors say."""

import json
import runpy
import sys
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest

from baznashr_server.index.bands import band_keys
from baznashr_server.profile import FA_1
from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import passage_kernel
from baznashr_server.sketch.shingles import shingle_sequence
from baznashr_server.sketch.signature import sign
from baznashr_server.text.canonical import canonicalise, code_points
from tests.articles import ROOT

FILE = json.loads((ROOT / "tests" / "vectors" / "fa-1.json").read_text(encoding="ascii"))
each_vector = pytest.mark.parametrize("vector", FILE["vectors"].values(), ids=FILE["vectors"])


def numbers(field: str, base: int, dtype: type) -> np.ndarray:
    """Read a field of numbers."""
    return np.array([int(value, base) for value in field.split()], dtype)


def test_profile() -> None:
    """The vectors are of the profile that the code runs."""
    assert asdict(FA_1) == FILE["profile"]


@each_vector
def test_canonical_form(vector: dict[str, Any]) -> None:
    """Text → letters and offsets."""
    form = canonicalise(vector["text"])
    assert form.text() == vector["canonical"]
    assert form.offsets.tolist() == numbers(vector["offsets"], 10, np.uint32).tolist()


@each_vector
def test_stages_after_the_canonical_form(vector: dict[str, Any]) -> None:
    """Each stage, from the committed output of the one before: digest, shingles, signature, band keys, passages."""
    letters = code_points(vector["canonical"])
    assert blake2b(vector["canonical"].encode(), digest_size=16).hexdigest() == vector["digest"]
    shingles = numbers(vector["shingles"], 16, np.uint32)
    np.testing.assert_array_equal(shingle_sequence(letters), shingles)
    signature = numbers(vector["signature"], 16, np.uint32)
    np.testing.assert_array_equal(sign(shingles), signature)
    np.testing.assert_array_equal(band_keys(signature), numbers(vector["band_keys"], 16, np.uint64))
    passages, repeats = passage_kernel(hash_24_grams(hash_8_grams(letters)))
    np.testing.assert_array_equal(passages, numbers(vector["passages"], 16, np.uint64))
    assert repeats == vector["repeats_passages"]


@each_vector
def test_fingerprint(vector: dict[str, Any]) -> None:
    """Text → everything, in one pass."""
    own = fingerprint(vector["text"])
    assert (own.canonical, own.digest, own.repeats_passages) == (
        vector["canonical"],
        vector["digest"],
        vector["repeats_passages"],
    )
    np.testing.assert_array_equal(own.shingle_sequence, numbers(vector["shingles"], 16, np.uint32))
    np.testing.assert_array_equal(own.signature, numbers(vector["signature"], 16, np.uint32))
    np.testing.assert_array_equal(own.passages, numbers(vector["passages"], 16, np.uint64))


def test_vectors_reach_every_stage() -> None:
    """Some texts have no shingle, some no passage, some a repeated passage."""
    vectors = FILE["vectors"].values()
    assert {bool(vector["shingles"]) for vector in vectors} == {True, False}
    assert {bool(vector["passages"]) for vector in vectors} == {True, False}
    assert {vector["repeats_passages"] for vector in vectors} == {True, False}


def test_generator_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """`write_vectors.py --check` finds nothing to write."""
    monkeypatch.setattr(sys, "argv", ["write_vectors.py", "--check"])
    assert runpy.run_path(str(ROOT / "tooling" / "write_vectors.py"))["main"]() == 0
