"""Precision, recall and F1 for `repeated`, with intervals; and which pairs belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.data import Pair

RESAMPLES = 2000
Bools = NDArray[np.bool_]


def decided(pairs: Sequence[Pair]) -> Bools:
    """Return which pairs count: those whose readers were sure."""
    return np.array([pair.repeated != "unsure" for pair in pairs], bool)


def truth(pairs: Sequence[Pair]) -> Bools:
    return np.array([pair.repeated == "yes" for pair in pairs], bool)


def called(pair: Pair, forward: bool, backward: bool) -> bool:
    """Return whether a pair counts as called repeated.

    Where the order is unknown, a yes is met if either direction is called so, a no if at least one is not.
    """
    if pair.ordered:
        return forward
    return forward or backward if pair.repeated == "yes" else forward and backward


def components(pairs: Sequence[Pair]) -> NDArray[np.int64]:
    """Return int64[n]: the number of the connected component, over shared documents, of each pair."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for pair in pairs:
        parent[root(pair.a)] = root(pair.b)
    return np.unique([root(pair.a) for pair in pairs], return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Score:
    f1: float
    precision: float
    recall: float
    right: int
    """Pairs called repeated that are."""
    wrong: int
    """Pairs called repeated that are not."""
    missed: int


def score(found: Bools, true: Bools) -> Score:
    right, wrong, missed = int((found & true).sum()), int((found & ~true).sum()), int((~found & true).sum())
    f1 = 2 * right / max(1, 2 * right + wrong + missed)
    return Score(f1, right / max(1, right + wrong), right / max(1, right + missed), right, wrong, missed)


def f1_many(found: Bools, true: Bools, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of each row of *found* (bool[m, n]) under each row of *weights* (int64[k, n]): float64[m, k]."""
    right = (found & true).astype(np.float64) @ weights.T
    called_ = found.astype(np.float64) @ weights.T
    positives = true.astype(np.float64) @ weights.T
    both = called_ + positives
    return np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0)


def interval(found: Bools, true: Bools, groups: NDArray[np.int64], seed: int) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap intervals of F1, precision and recall; whole groups of pairs are drawn."""
    rng = np.random.default_rng(seed)
    # A group none of whose pairs is here must not be drawn.
    groups = np.unique(groups, return_inverse=True)[1]
    count = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, part, count) for part in (found & true, found, true)])
    drawn = rng.integers(0, count, (RESAMPLES, count))
    right, called_, positives = sums[:, drawn].sum(axis=2)
    shares = {
        "f1": 2 * right / np.maximum(1, called_ + positives),
        "precision": right / np.maximum(1, called_),
        "recall": right / np.maximum(1, positives),
    }
    return {name: tuple(np.quantile(values, (0.025, 0.975)).tolist()) for name, values in shares.items()}


def best_threshold(similarities: NDArray[np.float64], true: Bools) -> float:
    """Return the least similarity to call repeated that gives the best F1."""
    order = np.argsort(-similarities)
    right = np.cumsum(true[order])
    f1 = 2 * right / (np.arange(1, true.size + 1) + true.sum())
    # A threshold takes all pairs of one similarity or none.
    ends = np.append(similarities[order][1:] != similarities[order][:-1], True)
    best = int(np.argmax(np.where(ends, f1, -1)))
    below = similarities[order][best + 1] if best + 1 < true.size else 0.0
    return float((similarities[order][best] + below) / 2)
