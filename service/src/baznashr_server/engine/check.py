"""Texts judged against what is stored, and not stored."""

from __future__ import annotations

from collections.abc import Sequence

from baznashr.types import Document, Judgement
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.ingest import reused
from baznashr_server.engine.judging import Judge
from baznashr_server.engine.observer import Observer
from baznashr_server.engine.prepared import prepare_documents
from baznashr_server.engine.records import judgement_from_row
from baznashr_server.engine.shadow import note
from baznashr_server.engine.validation import errors_at
from baznashr_server.store.store import Store


def check_texts(
    items: Sequence[str | Document], corpus: LoadedCorpus, store: Store, judge: Judge, observer: Observer, field: str
) -> list[Judgement]:
    """Judge each of *items* against what is stored; a stored document is answered as it was.

    Args:
        field: What the items are called in errors, as `prepare_documents` takes it.

    Raises:
        InvalidText, InvalidDocument: As `prepare_documents` does.
        DocumentIdReused: A document's id is stored with another text.
    """
    prepared = prepare_documents(items, observer, store.profile, field, give_way=judge.precedence.give_way)
    ids = [one.document.id for one in prepared if one.document.id]
    known = store.documents(corpus.row.corpus, ids)
    overrides = store.overrides_of(corpus.row.corpus, ids)
    gathered = judge.look_up(corpus, prepared)
    answers = []
    with judge.precedence.turn():
        for at, (one, candidates) in enumerate(zip(prepared, gathered.lookup.candidates, strict=True)):
            judge.precedence.give_way()
            stored = known.get(one.document.id)
            if stored is None:
                override = overrides.get(one.document.id)
                outcome = judge.judge(corpus, one, candidates, gathered.evidence[at], override=override)
                observer.judged(outcome.judgement)
                note(corpus, outcome, observer)
                answers.append(outcome.judgement)
            elif stored.digest == one.sketch.digest_bytes:
                answers.append(judgement_from_row(stored, corpus.name, store.profile.name, replayed=True))
            else:
                with errors_at(field and f"{field}[{at}]"):
                    raise reused(stored, corpus.name)
    return answers
