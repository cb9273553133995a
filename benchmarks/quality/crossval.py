"""Thresholds chosen on some of the pairs and scored on the others, by groups of pairs that share documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Policy, Thresholds
from benchmarks.quality.judged import JudgedPair, called_by
from benchmarks.quality.scoring import Bools, best_threshold, f1_many, score

FOLDS = 5
REPEATS = 20
GRID: dict[str, tuple[float, ...]] = {
    "covered": (0.7, 0.75, 0.8, 0.85, 0.9),
    "same_article": (0.45, 0.6, 0.75),
    "numbers_changed": (0.08, 0.12, 0.15, 0.2, 0.3),
    "template": (0.2, 0.35, 0.5),
    "passage_letters": (60, 80, 120),
}
"""Around the defaults; what else `Thresholds` holds does not bear on `repeated`."""

Choose = Callable[[Bools], Bools]
"""From the pairs of the training folds, bool[n], to what is then called repeated among all, bool[n]."""


@dataclass(frozen=True, slots=True)
class CrossValidated:
    f1: float
    """Of the pooled decisions on held-out folds, mean over the repeats."""
    lowest: float
    highest: float
    """Of the repeats."""


def folds(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return int64[n]: the fold of each pair; whole groups, the largest first, each into the smallest fold."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(groups)
    shuffled = rng.permutation(sizes.size)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of, filled = np.zeros(sizes.size, np.int64), np.zeros(FOLDS, np.int64)
    for group in order:
        smallest = int(np.argmin(filled + rng.random(FOLDS) / 2))
        fold_of[group] = smallest
        filled[smallest] += sizes[group]
    return fold_of[groups]


def cross_validate(choose: Choose, true: Bools, groups: NDArray[np.int64], seed: int) -> CrossValidated:
    scores = []
    for repeat in range(REPEATS):
        fold = folds(groups, seed + repeat)
        found = np.zeros(true.size, bool)
        for held_out in range(FOLDS):
            test = fold == held_out
            found[test] = choose(~test)[test]
        scores.append(score(found, true).f1)
    return CrossValidated(mean(scores), min(scores), max(scores))


def threshold_chooser(similarities: NDArray[np.float64], true: Bools) -> Choose:
    """Choose the best threshold on a similarity."""
    return lambda train: similarities >= best_threshold(similarities[train], true[train])


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    thresholds: list[Thresholds]
    """Those nearest the defaults first."""
    found: Bools
    """bool[thresholds, pairs]"""

    @classmethod
    def of(cls, judged: Sequence[JudgedPair]) -> Grid:
        defaults = asdict(Thresholds())
        settings: list[dict[str, Any]] = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
        settings.sort(key=lambda s: sum(value != defaults[name] for name, value in s.items()))
        thresholds = [Thresholds(**setting) for setting in settings]
        policy = Policy()
        return cls(thresholds, np.array([called_by(judged, t, policy) for t in thresholds], bool))

    def chooser(self, true: Bools) -> Choose:
        """Choose the thresholds with the best F1; of equal ones those nearest the defaults."""

        def choose(train: Bools) -> Bools:
            f1 = f1_many(self.found, true, train.astype(np.int64)[None, :])[:, 0]
            return self.found[int(np.argmax(f1))]

        return choose
