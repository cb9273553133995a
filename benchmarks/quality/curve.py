"""The S-curve: how likely two texts of a given similarity meet in the tables, by arithmetic and by trial."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.bands import BANDS, ROWS, band_keys, candidate_probability
from baznashr_server.sketch.fingerprint import fingerprint
from benchmarks.quality.data import Data
from benchmarks.report import Cell, Table

BINS = 10
LEAST_LETTERS = 400


class Bin(NamedTuple):
    similarity: float
    """Mean of its pairs."""
    pairs: int
    by_bands: float
    """Share that meet in a band."""
    by_either: float
    """Share that meet in a band or a passage."""
    expected: float
    """Mean probability by arithmetic, bands only."""


def measure(data: Data, count: int, seed: int) -> list[Bin]:
    """Mix *count* pairs of articles so that a text and its mixture are more or less similar, and look them up."""
    rng = random.Random(seed)
    texts = [d.text for d in data.documents.values() if len(d.text) >= 2 * LEAST_LETTERS]
    found = []
    for _ in range(count):
        one, other = rng.choice(texts), rng.choice(texts)
        kept = round(len(one) * rng.uniform(0.1, 0.99))
        a, b = fingerprint(one), fingerprint(one[:kept] + " " + other[: len(one) - kept])
        shared = np.intersect1d(a.shingles, b.shingles).size
        similarity = shared / (a.shingles.size + b.shingles.size - shared)
        bands = bool((band_keys(a.signature) == band_keys(b.signature)).any())
        passages = np.intersect1d(a.passages, b.passages).size > 0
        found.append((similarity, bands, bands or passages, candidate_probability(similarity)))
    values = np.array(found, np.float64)
    place = np.minimum((values[:, 0] * BINS).astype(int), BINS - 1)
    return [_mean(some) for b in range(BINS) if (some := values[place == b]).size]


def _mean(values: NDArray[np.float64]) -> Bin:
    similarity, by_bands, by_either, expected = values.mean(axis=0).tolist()
    return Bin(similarity, len(values), by_bands, by_either, expected)


def table(bins: list[Bin]) -> Table:
    rows: list[list[Cell]] = [
        [f"{b.similarity:.2f}", b.pairs, f"{b.expected:.1%}", f"{b.by_bands:.1%}", f"{b.by_either:.1%}"] for b in bins
    ]
    columns = ["J", "pairs", "bands, expected", "bands, found", "bands or passages, found"]
    return Table(f"S-curve of {BANDS} bands of {ROWS} rows", columns, rows).noted(
        "Pairs: an article and its beginning followed by another article's, cut at random places."
    )
