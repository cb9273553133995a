"""A fingerprint is the sum of its parts."""

import dataclasses
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.index import bands
from baznashr_server.profile import FA_1
from baznashr_server.sketch import passages, shingles, signature
from baznashr_server.sketch.fingerprint import DIGEST_BYTES, fingerprint, fingerprints_of
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.text.canonical import canonicalise, canonicalise_all
from tests.articles import real_bodies, samples


def check_parts(text: str) -> None:
    """Fail where the fingerprint of *text* is not what its stages give one by one."""
    own, canonical = fingerprint(text), canonicalise(text)
    np.testing.assert_array_equal(own.letters, canonical.letters)
    np.testing.assert_array_equal(own.offsets, canonical.offsets)
    sequence = shingles.shingle_sequence(canonical.letters)
    np.testing.assert_array_equal(own.shingle_sequence, sequence)
    assert own.shingles.tolist() == sorted(set(sequence.tolist()))
    np.testing.assert_array_equal(own.signature, signature.sign(own.shingles))
    kept, repeats = passages.passage_kernel(hash_24_grams(hash_8_grams(canonical.letters)))
    np.testing.assert_array_equal(own.passages, kept)
    assert own.repeats_passages == repeats
    assert own.canonical == canonical.text()
    assert own.digest == blake2b(canonical.text().encode(), digest_size=16).hexdigest()


@given(st.text(st.characters(), max_size=150) | st.text(st.sampled_from("ابپ ت\u200cث۱2."), max_size=200))
@example("")
@example("\ud800")
@example("هفت حرف")
@example("ب" * 300)
def test_parts_agree(text: str) -> None:
    """Any text has a fingerprint, and it is what shingles, signature, passages and digest are on their own."""
    check_parts(text)


def test_parts_of_articles_agree() -> None:
    """The same for whole articles."""
    for text in [*real_bodies(100), *(sample["text"] for sample in samples())]:
        check_parts(text)


def test_digest_tells_canonical_forms_apart() -> None:
    """Equal forms have equal digests, and no two different articles share one."""
    texts = real_bodies(500)
    forms = {fingerprint(text).canonical: fingerprint(text).digest for text in texts}
    assert len(set(forms.values())) == len(forms) > 450
    assert fingerprint("می‌کنند").digest == fingerprint(" مي كنند! ").digest


def test_modules_follow_the_profile() -> None:
    """The constants of every stage are the profile's."""
    assert (
        FA_1.shingle_size,
        FA_1.passage_size,
        FA_1.passage_window,
    ) == (shingles.SIZE, passages.SIZE, passages.WINDOW)
    assert (FA_1.num_perm, FA_1.seed, FA_1.scheme) == (signature.NUM_PERM, signature.SEED, signature.SCHEME)
    assert (FA_1.bands, FA_1.rows) == (bands.BANDS, bands.ROWS)
    assert FA_1.bands * FA_1.rows <= FA_1.num_perm
    assert FA_1.digest == f"blake2b-{8 * DIGEST_BYTES}/utf-8"


def test_profile_is_fixed_and_described() -> None:
    """The profile cannot be edited, and its description names every field."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        FA_1.seed = 2
    assert FA_1.describe() == {field.name: str(getattr(FA_1, field.name)) for field in dataclasses.fields(FA_1)}


@given(st.lists(st.text(st.sampled_from("ابپ ت\u200cث۱2."), max_size=200), min_size=1, max_size=5))
def test_texts_together_are_as_texts_alone(texts: list[str]) -> None:
    """Many fingerprints made by one call are those of each text."""
    for made, text in zip(fingerprints_of(canonicalise_all(texts)), texts, strict=True):
        alone = fingerprint(text)
        for field in dataclasses.fields(alone):
            np.testing.assert_array_equal(getattr(made, field.name), getattr(alone, field.name))
