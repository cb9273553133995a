"""Batches judged by an engine of this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from baznashr.errors import BaznashrError, StoreError
from baznashr.types import Document, Judgement
from baznashr_server.bulk.batches import Answers, Given
from baznashr_server.engine import Engine
from baznashr_server.store.codec import from_micros

NOT_THE_DOCUMENTS_FAULT = {"READ_ONLY", "SHUTTING_DOWN", "INTERNAL", "OVERLOADED"}
_PLACE = re.compile(r"documents\[(\d+)\]\.?(.*)")


class Bench:
    """Judges, as `Judges` says."""

    ahead = 2
    """Batches that wait for the writer while the next is prepared."""

    def __init__(self, engine: Engine, corpus: str) -> None:
        self._engine = engine
        self._corpus = corpus

    def submit(self, given: Sequence[Given], *, wait: bool) -> Callable[[], Answers]:
        places = list(range(len(given)))
        documents = [_document(one) for one in given]
        refused: list[tuple[int, str, str]] = []
        answers: Future[list[Judgement]] | None = None
        while documents and answers is None:
            try:
                answers = self._engine.submit(documents, self._corpus)
                if wait:
                    answers.result()
            except StoreError:
                raise
            except BaznashrError as error:
                place = _PLACE.match(error.field)
                if place is None or error.reason in NOT_THE_DOCUMENTS_FAULT:
                    raise
                at = int(place[1])
                where = f"{place[2]}: " if place[2] else ""
                refused.append((places.pop(at), error.reason, where + error.message))
                del documents[at]
                answers = None

        def answered() -> Answers:
            judgements = answers.result() if answers is not None else []
            edges = [edge for judgement in judgements for edge in _edges_of(judgement)]
            return Answers([_row_of(judgement) for judgement in judgements], edges, refused)

        return answered


def _document(given: Given) -> Document:
    id_, text, title, source, url, micros = given
    time = None if micros is None else from_micros(micros)
    return Document(id=id_, text=text, title=title, source=source, url=url, published_at=time)


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
