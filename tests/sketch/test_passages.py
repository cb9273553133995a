"""Passages are what winnowing keeps, and keep its promise."""

import random
from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.sketch.fingerprint import Fingerprint, fingerprint
from baznashr_server.sketch.passages import SIZE, WINDOW, passage_kernel, winnow_kernel
from tests.articles import real_bodies, samples
from tests.sketch import oracle

GUARANTEED = SIZE + WINDOW - 1
LETTERS = "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"

few_values = st.lists(st.integers(0, 6), max_size=400)
many_values = st.lists(st.integers(0, 2**64 - 1), max_size=400)
long_texts = st.text(st.sampled_from(LETTERS), max_size=150)


def shared(first: Fingerprint, second: Fingerprint) -> set[int]:
    """Return the passages that both texts keep."""
    return set(first.passages.tolist()) & set(second.passages.tolist())


@given(few_values | many_values)
@example(list(range(200)))
@example(list(range(200, 0, -1)))
@example([5] * 200)
@example([1] * 47)
@example([1] * 48)
@example([0] + [5] * 60)
@example([0, 1] + [5] * 200)
def test_winnowing_equals_brute_force(values: list[int]) -> None:
    """The kernel keeps, once each, the rightmost least hash of every window, and one where no window fits."""
    hashes = np.array(values, np.uint64)
    positions = oracle.winnow(values)
    assert winnow_kernel(hashes).tolist() == positions
    kept = [values[position] for position in positions]
    passages, repeats = passage_kernel(hashes)
    assert passages.dtype == np.uint64
    assert passages.tolist() == list(dict.fromkeys(kept))
    assert repeats == (len(set(kept)) < len(kept))


@given(st.text(st.sampled_from(LETTERS), min_size=GUARANTEED, max_size=GUARANTEED + 9), *[long_texts] * 4)
def test_any_71_shared_letters_share_a_passage(common: str, a: str, b: str, c: str, d: str) -> None:
    """Texts with 71 successive letters in common have a passage in common, whatever stands around them."""
    assert GUARANTEED == 71
    assert shared(fingerprint(a + common + b), fingerprint(c + common + d))


def test_stretches_of_articles_share_a_passage() -> None:
    """So have real articles and any 71 letters cut from them, under whatever other article."""
    rng = random.Random(3)
    bodies = real_bodies(200)
    cut = 0
    for body, other in pairwise(bodies):
        letters = fingerprint(body).canonical
        if len(letters) >= GUARANTEED:
            at = rng.randrange(len(letters) - GUARANTEED + 1)
            assert shared(fingerprint(body), fingerprint(letters[at : at + GUARANTEED] + other))
            cut += 1
    assert cut > 150


def test_passages_stay_few() -> None:
    """An article keeps about two hashes of each window and one more, as winnowing's density 2 / (w + 1) says."""
    texts = real_bodies(200)
    hashes = passages = 0
    for text in texts:
        own = fingerprint(text)
        hashes += max(0, own.letters.size - SIZE + 1)
        passages += own.passages.size
    assert 0.85 < passages / (hashes * 2 / (WINDOW + 1)) < 1.1


def test_a_doubled_text_shows() -> None:
    """A text of 71 letters or more, pasted twice, repeats a passage; a plain article does not."""
    plain = [s["text"] for s in samples() if not s["faults"] and s["expect"]["verdict"] == "NEW"]
    assert all(
        fingerprint(text + "\n" + text).repeats_passages for text in plain if fingerprint(text).letters.size > 71
    )
    assert not any(fingerprint(text).repeats_passages for text in plain)
