"""One caller's documents, judged and stored inside the writer's transaction: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from baznashr.errors import BaznashrError, DocumentIdReused
from baznashr.types import IndexPolicy, Judgement, Verdict
from baznashr_server import failpoints
from baznashr_server.engine import clusters
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.corpus import (
    NOT_INDEXED,
    WITH_BANDS,
    WITH_PASSAGES,
    LoadedCorpus,
    entry_of,
    now_micros,
)
from baznashr_server.engine.findings import Evidence, Outcome
from baznashr_server.engine.judging import OVERRIDDEN, Judge
from baznashr_server.engine.observer import Observer
from baznashr_server.engine.prepared import Prepared
from baznashr_server.engine.records import judgement_from_row, judgement_to_json, to_json
from baznashr_server.engine.shadow import note
from baznashr_server.engine.writer import Changes
from baznashr_server.store.codec import array_to_blob, compress
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store


@dataclass(eq=False)
class Item:
    """A document on its way to the writer."""

    prepared: Prepared
    frame: bytes | None
    """The compressed text; None where the corpus keeps none."""
    evidence: Evidence


def make_item(prepared: Prepared, evidence: Evidence, *, keep_text: bool) -> Item:
    return Item(prepared, compress(prepared.document.text) if keep_text else None, evidence)


def reused(stored: DocumentRow, corpus: str) -> DocumentIdReused:
    return DocumentIdReused(
        "The id is stored with another text.",
        field="id",
        metadata={"document_id": stored.id, "corpus": corpus, "stored_digest": stored.digest.hex()},
    )


@dataclass(eq=False)
class Ingest:
    """Work of the writer."""

    store: Store
    judge: Judge
    bodies: BodyCache
    corpus: LoadedCorpus
    corpus_named: Callable[[str], LoadedCorpus]
    items: Sequence[Item]
    observer: Observer
    replace: bool
    batch: bool
    """Whether errors name the document by its place."""
    ends_group: bool = False

    @property
    def documents(self) -> int:
        return len(self.items)

    def __call__(self, changes: Changes) -> list[Judgement]:
        """Judge and store the documents in order; each sees those before it.

        Raises:
            DocumentIdReused: An id is stored with another text, and it was not asked to replace it.
            CorpusNotFound: The corpus was deleted while the documents waited.
        """
        self.corpus = self.corpus_named(self.corpus.name)  # which may have been emptied meanwhile
        answers = []
        for number, item in enumerate(self.items):
            try:
                answers.append(self._ingest(item, changes))
            except BaznashrError as error:
                raise (error.at(f"documents[{number}]") if self.batch else error) from None
        return answers

    def _ingest(self, item: Item, changes: Changes) -> Judgement:
        prepared, corpus = item.prepared, self.corpus
        number = corpus.row.corpus
        stored = self.store.document(number, prepared.document.id)
        if stored is not None:
            if stored.digest == prepared.fingerprint.digest_bytes:
                return judgement_from_row(stored, corpus.name, self.store.profile.name, replayed=True)
            if not self.replace:
                raise reused(stored, corpus.name)
            item.evidence.pop(stored.row, None)
        now = max(now_micros(), corpus.newest or 0)  # where the wall clock jumped back, time stands still
        clock = corpus.newest
        changes.on_undo.append(lambda: corpus.set_clock(clock))
        corpus.tick(now if prepared.published is None else prepared.published, now)
        is_late = prepared.published is not None and prepared.published < corpus.earliest()
        outcome = self._judged(item, changes, stored, keeps_old=is_late)
        if corpus.shadow_policy is not None:
            changes.after_commit.append(lambda: note(corpus, outcome, self.observer))
        if is_late:
            return outcome.judgement
        judgement = replace(outcome.judgement, stored=True)
        row = self._insert(item, judgement, outcome.cluster, now)
        if judgement.verdict is Verdict.EXACT and not row.indexed:
            row = clusters.stand_in(self.store, changes, corpus, row)
        if row.indexed:
            changes.add(corpus, entry_of(row))
        if "body" in prepared.__dict__:
            self.bodies.put(row.row, prepared.body)
        changes.after_commit.append(self._count)
        return judgement

    def _judged(self, item: Item, changes: Changes, stored: DocumentRow | None, *, keeps_old: bool) -> Outcome:
        """Judge a document with its *stored* version gone, which is put back where the new one is not kept."""
        document = item.prepared.document
        override = self.store.override(self.corpus.row.corpus, document.id)
        mark = changes.mark()
        if stored is not None:
            self.store.savepoint()
            clusters.remove(self.store, changes, self.corpus, stored)
        outcome = self.judge.judge(self.corpus, item.prepared, item.evidence, pending=True, override=override)
        if stored is not None and keeps_old:
            self.store.rollback_to_savepoint()
            changes.undo(mark)
        elif stored is not None:
            self.store.release_savepoint()
        return outcome

    def _count(self) -> None:
        self.corpus.documents += 1

    def _insert(self, item: Item, judgement: Judgement, cluster: int | None, now: int) -> DocumentRow:
        prepared, document, made = item.prepared, item.prepared.document, item.prepared.fingerprint
        number = self.store.next_row()
        own = self.store.next_row() if cluster is None else cluster
        row = DocumentRow(
            row=number,
            corpus=self.corpus.row.corpus,
            id=document.id,
            digest=made.digest_bytes,
            arrived=now,
            published=prepared.published,
            source=document.source,
            title=document.title,
            url=document.url,
            labels=to_json(dict(document.labels)) if document.labels else "{}",
            text=(item.frame or compress(document.text)) if self.corpus.row.keep_text else None,
            text_bytes=len(document.text.encode()),
            signature=array_to_blob(made.signature),
            passages=array_to_blob(made.passages),
            letters=int(made.letters.size),
            indexed=self._indexed(judgement, cluster),
            cluster=own,
            verdict=judgement.verdict.value,
            judgement=judgement_to_json(judgement),
        )
        self.store.insert_document(row)
        if cluster is None:
            self.store.insert_cluster(own, row.corpus, number)
        else:
            clusters.join(self.store, self.corpus, row, partial(self.judge.repeats, self.corpus))
        failpoints.reach("after_insert")
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
