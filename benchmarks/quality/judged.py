"""Our judge on the labelled pairs: verdicts from the engine, comparisons for everything that asks "what if"."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baznashr.errors import InvalidText
from baznashr.types import Document, Judgement, Policy, Thresholds, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import Prepared, prepare_document
from baznashr_server.judge.comparison import Comparison, compare
from baznashr_server.judge.rules import is_repeated, judge_pair
from benchmarks.quality.data import Data, Pair
from benchmarks.quality.scoring import Bools, called
from benchmarks.report import Cell, text


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """What the later text of a pair is to the earlier one."""

    judgement: Judgement | None
    """The engine's; None where it refuses one of the texts."""
    comparison: Comparison | None
    same_text: bool

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict if self.judgement else Verdict.NEW

    @property
    def repeated(self) -> bool:
        return self.judgement is not None and self.judgement.repeated

    def repeated_by(self, thresholds: Thresholds, policy: Policy) -> bool:
        """Return whether it would be repeated under other thresholds."""
        if self.comparison is None:
            return False
        return self.same_text or is_repeated(judge_pair(self.comparison, thresholds).verdict, policy)

    def evidence(self) -> list[Cell]:
        """Return the figures that the rules saw."""
        x = self.comparison
        if x is None or self.judgement is None:
            return ["refused", *[None] * (len(EVIDENCE) - 1)]
        numbers = f"{len(x.numbers.changed)}/{x.numbers.same}/{x.numbers.unmatched}"
        covers = [f"{text(cover.share)} ({cover.letters})" for cover in (x.judged_cover, x.stored_cover)]
        return [
            f"{self.judgement.verdict} {self.judgement.reason}",
            x.similarity,
            x.containment,
            x.reverse_containment,
            *covers,
            numbers,
            x.title_similarity,
        ]


EVIDENCE = ["verdict and rule", "J", "cont.", "reverse", "covered (letters)", "of stored", "changed/same/rest", "title"]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPair:
    pair: Pair
    forward: Direction
    """`b` against a stored `a`."""
    backward: Direction

    @property
    def called(self) -> bool:
        return called(self.pair, self.forward.repeated, self.backward.repeated)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that can occur."""
        return (self.forward,) if self.pair.ordered else (self.forward, self.backward)


def _prepared(document: Document) -> Prepared | None:
    try:
        return prepare_document(document, Silence())
    except InvalidText:
        return None


def judge_pairs(data: Data) -> list[JudgedPair]:
    """Judge every pair in both directions."""
    ids = {id_ for pair in data.pairs for id_ in (pair.a, pair.b)}
    ready = {id_: _prepared(data.documents[id_]) for id_ in ids}

    def direction(engine: Engine, earlier: str, later: str) -> Direction:
        stored, judged = ready[earlier], ready[later]
        if stored is None or judged is None:
            return Direction(None, None, False)
        judgement = engine.compare(data.documents[earlier], data.documents[later])
        same_text = stored.sketch.digest_bytes == judged.sketch.digest_bytes
        return Direction(judgement, compare(judged.body, stored.body), same_text)

    with tempfile.TemporaryDirectory() as folder, Engine.open(folder) as engine:
        found = [JudgedPair(p, direction(engine, p.a, p.b), direction(engine, p.b, p.a)) for p in data.pairs]
    policy = Policy()
    for judged in found:
        for one in (judged.forward, judged.backward):
            assert one.repeated == one.repeated_by(policy.thresholds, policy), "the engine and the rules disagree"
    return found


def called_by(judged: Sequence[JudgedPair], thresholds: Thresholds, policy: Policy) -> Bools:
    """Return bool[pairs]: what would be called repeated under other thresholds."""
    return np.array(
        [
            called(j.pair, j.forward.repeated_by(thresholds, policy), j.backward.repeated_by(thresholds, policy))
            for j in judged
        ],
        bool,
    )
