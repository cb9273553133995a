"""Batches judged by an engine of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from baznashr.errors import BaznashrError, DocumentIdReused, DocumentNotFound, StoreError
from baznashr.types import Judgement, SelfRepetition
from baznashr_server.bulk.batches import Answers, Given
from baznashr_server.bulk.preparing import Ready, prepare
from baznashr_server.engine import Engine
from baznashr_server.engine.ingest import Queued
from baznashr_server.profile import PROFILE_OF

NOT_THE_DOCUMENTS_FAULT = {"READ_ONLY", "SHUTTING_DOWN", "INTERNAL", "OVERLOADED"}


class Bench:
    """Judges, as `Judges` says."""

    ahead = 2
    """One is looked up while the one before becomes durable, but not before that is judged: it could not find it then,
    and would be looked up again; and the interpreter works for one of them at a time."""

    def __init__(self, engine: Engine, corpus: str) -> None:
        self._engine = engine
        self._corpus = corpus
        self._last: _Batch | None = None

    def submit(self, given: Sequence[Given]) -> Callable[[], Answers]:
        return self.judge(prepare(given, PROFILE_OF[self._engine.profile]))

    def judge(self, ready: Ready) -> Callable[[], Answers]:
        """Have a batch judged that was prepared under the store's profile, and return what waits for its answers.

        Raises:
            StoreError: The store cannot be written.
        """
        if self._last is not None:
            self._last.decide()
        batch = self._last = _Batch(self._engine, self._corpus, ready)
        return batch.answers


class _Batch:
    def __init__(self, engine: Engine, corpus: str, ready: Ready) -> None:
        self._engine = engine
        self._corpus = corpus
        self._ready = ready
        self._queued: Queued | None = None
        self._queue()

    def _queue(self) -> None:
        """Have the batch judged, without the documents for which the engine refuses it at once."""
        self._queued = None
        while self._ready.prepared and self._queued is None:
            with self._refusing():
                self._queued = self._engine.submit_prepared(self._ready.prepared, self._corpus)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except BaznashrError as error:
            if error.reason in NOT_THE_DOCUMENTS_FAULT:
                raise
            self._ready.refuse(error)
            if isinstance(error, DocumentIdReused):
                self._refuse_reused()

    def _refuse_reused(self) -> None:
        """Leave out all others, too, whose id has another text: for each by itself the rest would be looked up anew."""
        _, reason, message = self._ready.refused[-1]
        for at in reversed(range(len(self._ready.prepared))):
            with suppress(DocumentNotFound):
                one = self._ready.prepared[at]
                if self._engine.get(one.document.id, self._corpus).judgement.digest != one.sketch.digest:
                    self._ready.leave_out(at, reason, message)

    def decide(self) -> None:
        """Wait until the batch is judged, those documents left out for which the engine refuses it."""
        while self._queued is not None:
            with self._refusing():
                self._queued.decided.result()
                return
            self._queue()

    def answers(self) -> Answers:
        self.decide()
        judgements = self._queued.judgements.result() if self._queued else []
        edges = [edge for judgement in judgements for edge in _edges_of(judgement)]
        # A judgement given again tells of the text that was stored, whose blanks may be others than those of this one.
        own = [one.repetition for one in self._ready.prepared]
        return Answers(list(map(_row_of, judgements, own)), edges, sorted(self._ready.refused))


def _share(value: float) -> float:
    """Return what a judgement that was stored is read back as, so that replayed answers equal first ones."""
    return round(float(value), 6)


def _row_of(judgement: Judgement, repetition: SelfRepetition) -> tuple[Any, ...]:
    best = judgement.matches[0] if judgement.matches else None
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
