"""How well a policy judges labelled pairs. Texts are compared once; rules are asked again for every policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from baznashr.errors import BaznashrError
from baznashr.types import Document, Policy, Thresholds, Verdict
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import Prepared, prepare_document
from baznashr_server.index.bands import band_keys
from baznashr_server.judge.comparison import Comparison, compare
from baznashr_server.judge.rules import SAME_TEXT, Ruling, is_repeated, judge_pair, judge_signatures
from baznashr_server.tune.data import Pair

RESAMPLES = 2000
"""Of the groups, for an interval; its ends move by less than 0.005 between seeds."""


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One article judged against the other."""

    comparison: Comparison
    same_text: bool
    estimate: float
    """Of the similarity, from the signatures."""

    def ruling(self, thresholds: Thresholds, *, texts: bool = True) -> Ruling:
        """Return what the rules say, of the *texts* or, without them, of the signatures."""
        if self.same_text:
            return Ruling(Verdict.EXACT, SAME_TEXT)
        return judge_pair(self.comparison, thresholds) if texts else judge_signatures(self.estimate, thresholds)


@dataclass(frozen=True, eq=False)
class Compared:
    """A pair with all that the rules need to know of it."""

    pair: Pair
    directions: tuple[Direction, ...]
    """`b` judged against `a` and, where it is not known which came first, also the other way."""
    by_bands: bool
    """Whether the two signatures share a band."""
    by_passages: bool
    """Whether the two texts share a passage fingerprint."""

    @cached_property
    def similarity(self) -> float:
        return self.directions[0].comparison.similarity

    def ruling(self, policy: Policy, *, texts: bool = True) -> Ruling:
        """Return what the policy says: in the direction that is right by the label, where the order is not known."""
        rulings = [direction.ruling(policy.thresholds, texts=texts) for direction in self.directions]
        wanted = bool(self.pair.repeated)
        return next((ruling for ruling in rulings if is_repeated(ruling.verdict, policy) is wanted), rulings[0])


class Score(NamedTuple):
    """Counts of pairs, by label and by what they were called."""

    hits: int
    """Labelled repeated and called so."""
    false_alarms: int
    """Called repeated and labelled not."""
    misses: int
    """Labelled repeated and not called so."""

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + self.misses)

    @property
    def f1(self) -> float:
        return 2 * self.hits / max(1, 2 * self.hits + self.false_alarms + self.misses)


def compare_pair(pair: Pair, a: Prepared, b: Prepared) -> Compared:
    same_text = a.sketch.digest_bytes == b.sketch.digest_bytes
    estimate = float(np.mean(a.sketch.signature == b.sketch.signature))
    bodies = [(b.body, a.body)] if pair.ordered else [(b.body, a.body), (a.body, b.body)]
    shared = np.intersect1d(a.sketch.passages, b.sketch.passages)
    return Compared(
        pair,
        tuple(Direction(compare(judged, stored), same_text, estimate) for judged, stored in bodies),
        by_bands=bool((band_keys(a.sketch.signature) == band_keys(b.sketch.signature)).any()),
        by_passages=shared.size > 0,
    )


def compare_pairs(pairs: Iterable[Pair], articles: Mapping[str, Document]) -> Iterator[Compared | BaznashrError]:
    """Yield for each pair its comparison, or the error for which one of its articles would be refused."""
    prepared: dict[str, Prepared] = {}
    for pair in pairs:
        try:
            for name in (pair.a, pair.b):
                if name not in prepared:
                    prepared[name] = prepare_document(articles[name], Silence())
            yield compare_pair(pair, prepared[pair.a], prepared[pair.b])
        except BaznashrError as error:
            yield error


def score(compared: Iterable[Compared], policy: Policy, *, texts: bool = True) -> Score:
    """Score the policy; pairs of which the editor could not say are left out."""
    called: Counter[tuple[bool, bool]] = Counter()
    for one in compared:
        if one.pair.repeated is not None:
            called[one.pair.repeated, is_repeated(one.ruling(policy, texts=texts).verdict, policy)] += 1
    return Score(called[True, True], called[False, True], called[True, False])


def groups(compared: Sequence[Compared]) -> list[list[Compared]]:
    """Return the pairs by story: pairs that share an article, directly or through others, are one group."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for one in compared:
        parent[root(one.pair.a)] = root(one.pair.b)
    found: dict[str, list[Compared]] = {}
    for one in compared:
        found.setdefault(root(one.pair.a), []).append(one)
    return list(found.values())


def interval(compared: Sequence[Compared], policy: Policy, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of F1, by drawing groups anew: pairs of one story are right or wrong together."""
    counts = np.array([score(group, policy) for group in groups(compared)])
    drawn = np.random.default_rng(seed).integers(0, len(counts), (RESAMPLES, len(counts)))
    hits, false_alarms, misses = counts[drawn].sum(axis=1).T
    low, high = np.quantile(2 * hits / np.maximum(1, 2 * hits + false_alarms + misses), (0.025, 0.975))
    return float(low), float(high)
