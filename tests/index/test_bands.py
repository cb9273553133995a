"""Band candidates are datasketch's, and as many as the S-curve predicts."""

import json
from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pytest
from datasketch import MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from baznashr_server.index.bands import BANDS, ROWS, band_keys, candidate_probability
from baznashr_server.index.postings import Postings
from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.sketch.signature import sign, to_lean_minhash
from tests.articles import evaluation_folder, real_articles, real_bodies, samples

SIGMAS = 4.5


def compare_with_datasketch(signatures: Iterable[np.ndarray]) -> int:
    """Index and query every signature in both; fail on any difference; return the number of pairs found."""
    lsh = MinHashLSH(num_perm=128, params=(BANDS, ROWS))
    postings = Postings(10_000)
    signatures = list(signatures)
    for slot, signature in enumerate(signatures):
        lsh.insert(slot, to_lean_minhash(signature))
        postings.insert(band_keys(signature), np.full(BANDS, slot))
    found = 0
    for signature in signatures:
        own = {int(slot) for key in band_keys(signature) for slot in postings.find(int(key))}
        assert own == set(lsh.query(to_lean_minhash(signature)))
        found += len(own) - 1
    return found


def related_sets(rng: np.random.Generator, similarity: float, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return two random sets of *size* hashes, of this Jaccard similarity up to rounding."""
    common = round(2 * size * similarity / (1 + similarity))
    pool = rng.choice(2**32, 2 * size - common, replace=False).astype(np.uint32)
    return pool[:size], pool[size - common :]


def test_same_candidates_as_datasketch_on_articles() -> None:
    """On real articles and all samples, related ones among them, the candidates are those of MinHashLSH."""
    texts = [*real_bodies(400), *(sample["text"] for sample in samples())]
    texts += [text[: len(text) * 3 // 4] for text in texts[:100]]
    assert compare_with_datasketch(fingerprint(text).signature for text in texts) > 100


def test_same_candidates_as_datasketch_on_random_sets() -> None:
    """And on random sets of every similarity."""
    rng = np.random.default_rng(6)
    pairs = [related_sets(rng, similarity) for similarity in np.linspace(0.2, 1, 150)]
    assert compare_with_datasketch(sign(one) for pair in pairs for one in pair) > 100


@given(st.lists(st.lists(st.integers(0, 3), min_size=128, max_size=128), min_size=1, max_size=12))
def test_same_candidates_as_datasketch_on_any_signatures(signatures: list[list[int]]) -> None:
    """And on signatures with so few values that bands meet all the time."""
    compare_with_datasketch(np.array(values, np.uint32) for values in signatures)


def test_band_keys_tell_bands_and_order_apart() -> None:
    """The same values in another band or another order, or one changed value, make another key."""
    keys = band_keys(np.tile(np.arange(ROWS, dtype=np.uint32), BANDS + 1)[:128])
    assert len(set(keys.tolist())) == BANDS
    rng = np.random.default_rng(7)
    signature = rng.integers(0, 2**32, 128, dtype=np.uint32)
    for row in range(BANDS * ROWS):
        changed = signature.copy()
        changed[row] ^= np.uint32(1)
        assert np.flatnonzero(band_keys(changed) != band_keys(signature)).tolist() == [row // ROWS]
    turned = signature.copy()
    turned[[0, 1]] = turned[[1, 0]]
    assert band_keys(turned)[0] != band_keys(signature)[0]


@pytest.mark.parametrize("similarity", [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_recall_follows_the_s_curve(similarity: float) -> None:
    """Of 1,500 random pairs with this similarity, as many become candidates as predicted, within 4.5 sigma."""
    rng = np.random.default_rng(round(similarity * 10))
    pairs = 1500
    hits = 0
    for _ in range(pairs):
        one, other = related_sets(rng, similarity)
        hits += bool((band_keys(sign(one)) == band_keys(sign(other))).any())
    predicted = candidate_probability(similarity)
    assert abs(hits / pairs - predicted) <= SIGMAS * (predicted * (1 - predicted) / pairs) ** 0.5 + 1 / pairs


def test_recall_on_real_pairs_follows_the_s_curve() -> None:
    """The labelled pairs, measured by brute force, are found as often as their similarities predict."""
    bodies = real_articles()
    pairs = [json.loads(line) for line in (evaluation_folder() / "pairs.jsonl").read_text("utf-8").splitlines()]
    predicted, hits = [], 0
    for pair in pairs:
        one, other = fingerprint(bodies[pair["a"]]), fingerprint(bodies[pair["b"]])
        common = np.intersect1d(one.shingles, other.shingles).size
        predicted.append(candidate_probability(common / np.union1d(one.shingles, other.shingles).size))
        hits += bool((band_keys(one.signature) == band_keys(other.signature)).any())
    deviation = sum(p * (1 - p) for p in predicted) ** 0.5
    assert abs(hits - sum(predicted)) <= SIGMAS * deviation + 1
    assert deviation > 1


def test_brute_force_finds_no_close_pair_that_bands_miss() -> None:
    """Among real articles and cut copies of them, no more pairs of similarity 0.7 or more are missed than 2 %."""
    texts = real_bodies(250)
    texts += [text[len(text) // 12 :] for text in texts]
    prints = [own for text in texts if (own := fingerprint(text)).shingles.size >= 50]
    sets = [set(own.shingles.tolist()) for own in prints]
    keys = [band_keys(own.signature) for own in prints]
    close = missed = 0
    for (a, b), (key_a, key_b) in zip(combinations(sets, 2), combinations(keys, 2), strict=True):
        if min(len(a), len(b)) < 0.7 * max(len(a), len(b)):
            continue
        common = len(a & b)
        if common >= 0.7 * (len(a) + len(b) - common):
            close += 1
            missed += not (key_a == key_b).any()
    assert close > 200
    assert missed <= 0.02 * close


def test_s_curve_is_as_documented() -> None:
    """25 bands of 5 rows give the recall that the design asks for at a similarity of 0.7."""
    assert candidate_probability(0.7) > 0.98
    assert candidate_probability(0) == 0
    assert candidate_probability(1) == 1
    curve = [candidate_probability(similarity) for similarity in np.linspace(0, 1, 101)]
    assert (np.diff(curve) >= 0).all()
