"""One caller's documents, judged and stored inside the writer's transaction: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from baznashr.errors import BaznashrError, DocumentIdReused
from baznashr.types import IndexPolicy, Judgement, OverrideKind, Verdict
from baznashr_server.engine import clusters
from baznashr_server.engine.bodies import BodyCache, stored_from_row
from baznashr_server.engine.corpus import (
    NOT_INDEXED,
    WITH_BANDS,
    WITH_PASSAGES,
    LoadedCorpus,
    now_micros,
)
from baznashr_server.engine.findings import Gathered, Outcome
from baznashr_server.engine.judging import OVERRIDDEN, Judge
from baznashr_server.engine.observer import Observer
from baznashr_server.engine.prepared import Prepared
from baznashr_server.engine.records import judgement_from_row, judgement_to_json, to_json
from baznashr_server.engine.shadow import note
from baznashr_server.engine.writer import Changes
from baznashr_server.index.columns import Entry
from baznashr_server.store.codec import array_to_blob, compress
from baznashr_server.store.rows import DocumentRow, OverrideRow
from baznashr_server.store.store import Store


def reused(stored: DocumentRow, corpus: str) -> DocumentIdReused:
    return DocumentIdReused(
        "The id is stored with another text.",
        field="id",
        metadata={"document_id": stored.id, "corpus": corpus, "stored_digest": stored.digest.hex()},
    )


def tell(observer: Observer, answered: Future[list[Judgement]]) -> None:
    """Tell *observer* of judgements that are durable."""
    if not answered.cancelled() and answered.exception() is None:
        for judgement in answered.result():
            observer.judged(judgement)


class Queued(NamedTuple):
    """Documents on their way into the store."""

    decided: Future[None]
    """Done once they are judged, and found by what is looked up from then on, though not durable yet."""
    judgements: Future[list[Judgement]]
    """Durable."""


@dataclass(eq=False)
class Ingest:
    """Work of the writer."""

    store: Store
    judge: Judge
    bodies: BodyCache
    corpus: LoadedCorpus
    corpus_named: Callable[[str], LoadedCorpus]
    prepared: Sequence[Prepared]
    gathered: Gathered
    observer: Observer
    replace: bool
    batch: bool
    """Whether errors name the document by its place."""
    ends_group: bool = False
    changes: Changes = field(init=False)
    added: int = field(init=False, default=0)
    """Documents stored more than before."""
    are_outdated: bool = field(init=False, default=False)
    """Whether the tables changed, since it was asked what is outdated, by more than this call's documents."""
    decided: Future[None] = field(init=False, default_factory=Future)
    """As `Queued` has it."""

    @property
    def documents(self) -> int:
        return len(self.prepared)

    def __call__(self, changes: Changes) -> list[Judgement]:
        """Judge and store the documents in order; each sees those before it.

        Raises:
            DocumentIdReused: An id is stored with another text, and it was not asked to replace it.
            CorpusNotFound: The corpus was deleted while the documents waited.
        """
        answers = self._answers(changes)
        self.decided.set_result(None)
        return answers

    def decided_by(self, answered: Future[list[Judgement]]) -> Future[None]:
        """Return `decided`, which fails with this change where that fails before."""

        def fail(answered: Future[list[Judgement]]) -> None:
            if not self.decided.done():
                self.decided.set_exception(CancelledError() if answered.cancelled() else answered.exception())

        answered.add_done_callback(fail)
        return self.decided

    def _answers(self, changes: Changes) -> list[Judgement]:
        corpus = self.corpus = self.corpus_named(self.corpus.name)  # which may have been emptied meanwhile
        self.changes = changes
        ids = [one.document.id for one in self.prepared]
        known = self.store.documents(corpus.row.corpus, ids)
        overrides = self.store.overrides_of(corpus.row.corpus, ids)
        outdated = self.gathered.outdated(corpus)
        clock = corpus.newest
        changes.on_undo.append(lambda: corpus.set_clock(clock))
        answers = []
        for number, document_id in enumerate(ids):
            self.judge.precedence.give_way()
            try:
                stored = known.get(document_id)
                if stored is not None and stored.digest == self.prepared[number].sketch.digest_bytes:
                    answers.append(judgement_from_row(stored, corpus.name, self.store.profile.name, replayed=True))
                elif stored is not None and not self.replace:
                    raise reused(stored, corpus.name)
                else:
                    override = overrides.get(document_id)
                    answers.append(self._ingest(number, stored, override, is_outdated=outdated[number]))
            except BaznashrError as error:
                raise (error.at(f"documents[{number}]") if self.batch else error) from None
        changes.after_commit.append(self._count)
        return answers

    def _count(self) -> None:
        self.corpus.documents += self.added

    def _ingest(
        self, number: int, stored: DocumentRow | None, override: OverrideRow | None, *, is_outdated: bool
    ) -> Judgement:
        prepared, corpus, changes = self.prepared[number], self.corpus, self.changes
        now = max(now_micros(), corpus.newest or 0)  # where the wall clock jumped back, time stands still
        corpus.tick(now if prepared.published is None else prepared.published, now)
        is_late = prepared.published is not None and prepared.published < corpus.earliest()
        judge = partial(self._judge, number, override, is_outdated=is_outdated, is_late=is_late)
        outcome = judge() if stored is None else self._instead_of(stored, judge, number, keeps_old=is_late)
        judgement = outcome.judgement
        if corpus.trial is not None:
            changes.after_commit.append(lambda: note(corpus, outcome, self.observer))
        if is_late:
            return judgement
        row = self._insert(number, judgement, outcome.cluster, now)
        if override is not None and override.kind == OverrideKind.PIN_CANONICAL:
            clusters.pin(self.store, row)
        if judgement.verdict is Verdict.EXACT and not row.indexed:
            row = clusters.stand_in(self.store, changes, corpus, row)
            self.are_outdated = self.are_outdated or bool(row.indexed)
        if row.indexed:
            passages = prepared.sketch.passages
            changes.add(
                corpus,
                Entry(
                    row=row.row,
                    digest=row.digest,
                    signature=prepared.sketch.signature,
                    passages=passages if row.indexed == WITH_PASSAGES else passages[:0],
                    letters=row.letters,
                    published=row.time,
                    source=row.source,
                ),
            )
        self.bodies.put(stored_from_row(row, prepared.__dict__.get("body")))
        self.added += 1
        return judgement

    def _judge(self, number: int, override: OverrideRow | None, *, is_outdated: bool, is_late: bool) -> Outcome:
        prepared, corpus, gathered = self.prepared[number], self.corpus, self.gathered
        candidates, evidence = gathered.lookup.candidates[number], gathered.evidence[number]
        if is_outdated or self.are_outdated or gathered.has_left(corpus, number):
            candidates = self.judge.find_again(corpus, prepared, gathered, number)
        return self.judge.judge(corpus, prepared, candidates, evidence, override=override, stored=not is_late)

    def _instead_of(
        self, stored: DocumentRow, judge: Callable[[], Outcome], number: int, *, keeps_old: bool
    ) -> Outcome:
        """Judge a document with its *stored* version gone, which is put back where the new one is not kept."""
        mark = self.changes.mark()
        self.gathered.evidence[number].pop(stored.row, None)
        self.are_outdated = True
        self.store.savepoint("version")
        # As it is now: what was replaced before it in this batch may have promoted it.
        current = self.store.document_at(stored.row) or stored
        clusters.remove(self.store, self.bodies, self.changes, self.corpus, current)
        outcome = judge()
        if keeps_old:
            self.store.rollback_to_savepoint("version")
            self.changes.undo(mark)
        else:
            self.store.release_savepoint("version")
        return outcome

    def _insert(self, number: int, judgement: Judgement, cluster: int | None, now: int) -> DocumentRow:
        prepared = self.prepared[number]
        document, made = prepared.document, prepared.sketch
        own = self.store.next_row()
        keep_text = self.corpus.row.keep_text
        row = DocumentRow(
            row=own,
            corpus=self.corpus.row.corpus,
            id=document.id,
            digest=made.digest_bytes,
            arrived=now,
            published=prepared.published,
            source=document.source,
            title=document.title,
            url=document.url,
            labels=to_json(dict(document.labels)) if document.labels else "{}",
            text=(prepared.frame or compress(document.text.encode())) if keep_text else None,
            text_bytes=prepared.text_bytes,
            signature=array_to_blob(made.signature),
            passages=array_to_blob(made.passages),
            letters=made.size,
            indexed=self._indexed(judgement, cluster),
            cluster=self.store.next_row() if cluster is None else cluster,
            verdict=judgement.verdict.value,
            judgement=judgement_to_json(judgement),
        )
        self.store.insert_document(row)
        if cluster is None:
            self.store.insert_cluster(row.cluster, row.corpus, own)
        else:
            clusters.join(self.store, self.corpus, row, partial(self.judge.repeats, self.corpus))
        return row

    def _indexed(self, judgement: Judgement, cluster: int | None) -> int:
        if cluster is None:
            return WITH_PASSAGES
        if judgement.verdict is Verdict.EXACT:
            return NOT_INDEXED
        # What an editor called a repeat need not be like its original, and nothing else would lead to it.
        is_led_to = judgement.repeated and judgement.reason != OVERRIDDEN
        if is_led_to and self.corpus.policy.index_policy is IndexPolicy.ORIGINALS:
            return NOT_INDEXED
        return WITH_BANDS
