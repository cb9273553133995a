"""Batches judged by an engine of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from baznashr.errors import BaznashrError, StoreError
from baznashr.types import Judgement
from baznashr_server.bulk.batches import Answers, Given
from baznashr_server.bulk.preparing import Ready, prepare
from baznashr_server.engine import Engine
from baznashr_server.profile import PROFILE_OF

NOT_THE_DOCUMENTS_FAULT = {"READ_ONLY", "SHUTTING_DOWN", "INTERNAL", "OVERLOADED"}


class Bench:
    """Judges, as `Judges` says."""

    ahead = 1
    """One after the other: a batch that is looked up while the one before is judged cannot find that, and is looked up
    again; and the interpreter works for one of them at a time."""

    def __init__(self, engine: Engine, corpus: str) -> None:
        self._engine = engine
        self._corpus = corpus

    def submit(self, given: Sequence[Given]) -> Callable[[], Answers]:
        answers = self.judge(prepare(given, PROFILE_OF[self._engine.profile]))
        return lambda: answers

    def judge(self, ready: Ready) -> Answers:
        """Judge a batch that was prepared under the store's profile.

        Raises:
            StoreError: The store cannot be written.
        """
        judgements: list[Judgement] = []
        while ready.prepared and not judgements:
            try:
                judgements = self._engine.submit_prepared(ready.prepared, self._corpus).result()
            except StoreError:
                raise
            except BaznashrError as error:
                if error.reason in NOT_THE_DOCUMENTS_FAULT:
                    raise
                ready.refuse(error)
        edges = [edge for judgement in judgements for edge in _edges_of(judgement)]
        return Answers([_row_of(judgement) for judgement in judgements], edges, ready.refused)


def _share(value: float) -> float:
    """Return what a judgement that was stored is read back as, so that replayed answers equal first ones."""
    return round(float(value), 6)


def _row_of(judgement: Judgement) -> tuple[Any, ...]:
    best = judgement.matches[0] if judgement.matches else None
    repetition = judgement.self_repetition
    return (
        judgement.digest,
        judgement.verdict.value,
        judgement.repeated,
        judgement.reason,
        judgement.canonical_id,
        judgement.related_cluster_id,
        best.document_id if best else None,
        _share(best.similarity) if best else None,
        _share(best.containment) if best else None,
        _share(best.reverse_containment) if best else None,
        _share(best.covered) if best else None,
        len(best.numbers_changed) if best else None,
        len(judgement.matches),
        _share(judgement.new_share),
        _share(repetition.share),
        [kind.value for kind in repetition.kinds],
        [{"start": span.start, "end": span.end} for span in repetition.spans],
    )


def _edges_of(judgement: Judgement) -> list[tuple[Any, ...]]:
    return [
        (
            judgement.document_id,
            match.document_id,
            match.verdict.value,
            match.reason,
            _share(match.similarity),
            _share(match.containment),
            _share(match.reverse_containment),
            _share(match.covered),
            len(match.numbers_changed),
        )
        for match in judgement.matches
    ]
