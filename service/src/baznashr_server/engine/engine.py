"""The facade: what a caller may do with a data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self, cast

from baznashr.errors import DocumentNotFound, TextNotKept
from baznashr.types import (
    DEFAULT_CORPUS,
    Boilerplate,
    Cluster,
    Corpus,
    CorpusStats,
    Document,
    Judgement,
    Override,
    Policy,
    ShadowDifference,
    StoredDocument,
    StoredId,
)
from baznashr_server import failpoints
from baznashr_server.engine import boilerplate, clusters, reindex, validation
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.changes import Change, Delete
from baznashr_server.engine.check import check_texts
from baznashr_server.engine.compare import compare_texts
from baznashr_server.engine.corpora import Corpora
from baznashr_server.engine.corpus import LoadedCorpus, now_micros
from baznashr_server.engine.ingest import Ingest, Queued, tell
from baznashr_server.engine.judging import Judge
from baznashr_server.engine.observer import Observer, Silence
from baznashr_server.engine.operations import Operations
from baznashr_server.engine.overrides import apply_override
from baznashr_server.engine.prepared import Prepared, prepare_document, prepare_documents
from baznashr_server.engine.records import corpus_from_row, document_from_row, judgement_from_row, override_from_row
from baznashr_server.engine.removal import Filter, delete_matching
from baznashr_server.engine.tables import Tables
from baznashr_server.engine.upkeep import Upkeep
from baznashr_server.engine.writer import Changes, Work, Writer
from baznashr_server.judge.repetition import remove_repeats
from baznashr_server.limits import MAX_BOILERPLATE, MAX_CLUSTER_PAGE
from baznashr_server.profile import PROFILES
from baznashr_server.store.backup import Progress
from baznashr_server.store.codec import from_micros
from baznashr_server.store.folder import DataFolder
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store


class Engine:
    """Judges and stores Persian texts. Thread-safe; one engine owns a data folder at a time.

    All methods raise the errors of `baznashr.errors`: InvalidArgument and its kinds for what can never succeed,
    CorpusNotFound for an unknown corpus, ReadOnly once a write has failed, Unavailable when the writer's queue is full.
    """

    def __init__(self, folder: DataFolder, store: Store, observer: Observer, snapshot_seconds: float) -> None:
        self._folder = folder
        self._store = store
        self._observer = observer
        self._bodies = BodyCache()
        self._judge = Judge(store, self._bodies, observer)
        self.precedence, prepare = self._judge.precedence, partial(prepare_documents, profile=store.profile)
        self._prepare = partial(prepare, observer=observer, give_way=self.precedence.give_way)
        self._tables = Tables(store, folder.path, snapshot_seconds, observer)
        self._corpora = Corpora(store, self._tables, self._bodies, self._change)
        self._writer: Writer
        self.operations: Operations
        self._is_closed = False

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        observer: Observer | None = None,
        group_commit_max_documents: int = 512,
        group_commit_wait_ms: float = 0.0,
        snapshot_seconds: float = 600.0,
        profile: str | None = None,
    ) -> Self:
        """Open or create the data folder *path*, take it, and fill the tables from the store.

        Args:
            observer: Told of stages, verdicts and commits.
            group_commit_max_documents: Most documents that share one durable commit.
            group_commit_wait_ms: How long a commit waits for company.
            snapshot_seconds: Least time between two snapshots of the tables, which speed the next start; inf for none.
            profile: Of the store, once all documents are made anew under it in the background and it is opened again.

        Raises:
            DataFolderInUse: Another engine has it.
            FormatMismatch, ProfileMismatch, StoreDamaged: This release cannot read it.
            InvalidArgument, TextNotKept: There is no such *profile*, or nothing to make it from.
        """
        with ExitStack() as undo:
            folder = DataFolder.acquire(path)
            undo.callback(folder.release)
            store = Store(folder, *PROFILES)
            undo.callback(store.close)
            reindex.arrive(store, profile)
            failpoints.reach("after_schema")
            engine = cls(folder, store, observer or Silence(), snapshot_seconds)
            engine._corpora.load()
            engine._writer = Writer(
                store,
                engine._observer,
                max_documents=group_commit_max_documents,
                wait_seconds=group_commit_wait_ms / 1000,
                precedence=engine.precedence,
                idle=Upkeep(store, engine._bodies, engine._corpora, engine._tables, engine._observer).due,
            )
            undo.callback(engine._writer.close)
            engine.operations = Operations(folder.path, store, engine._corpora, engine._writer, engine._observer)
            if DEFAULT_CORPUS not in engine._corpora:
                engine.create_corpus(DEFAULT_CORPUS)
            undo.pop_all()
        return engine

    def close(self) -> None:
        """Finish the changes already taken, and let the folder go; closing twice does nothing more."""
        if self._is_closed:
            return
        self._is_closed = True
        with ExitStack() as last:
            last.callback(self._folder.release)
            last.callback(self._store.close)
            self._writer.close()
            self._tables.close(self._corpora, save=self.read_only_reason is None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def read_only_reason(self) -> str | None:
        """Why no writes are taken; None while they are."""
        return self._writer.read_only_reason

    @property
    def profile(self) -> str:
        """Name of the profile that the store is under."""
        return self._store.profile.name

    def sizes(self) -> Mapping[str, Mapping[str, float]]:
        """Return per corpus the sizes that the tables have, for operators."""
        return self._corpora.sizes()

    def _change(self, work: Work) -> object:
        return self._writer.submit(work).result()

    def create_corpus(
        self,
        name: str,
        *,
        window_days: int = 0,
        keep_text: bool = True,
        policy: Policy | None = None,
        shadow_policy: Policy | None = None,
    ) -> Corpus:
        """Create an empty corpus.

        Raises:
            CorpusExists: The name is taken.
            LimitReached: There are as many corpora as there may be.
        """
        return self._corpora.create(
            name, window_days=window_days, keep_text=keep_text, policy=policy or Policy(), shadow_policy=shadow_policy
        )

    def get_corpus(self, name: str = DEFAULT_CORPUS) -> Corpus:
        return corpus_from_row(self._corpora[name].row)

    def list_corpora(self) -> tuple[Corpus, ...]:
        """Return all corpora by name."""
        return tuple(corpus_from_row(corpus.row) for corpus in self._corpora)

    def update_corpus(
        self,
        name: str,
        *,
        window_days: int | None = None,
        policy: Policy | None = None,
        shadow_policy: Policy | None = None,
        remove_shadow_policy: bool = False,
    ) -> Corpus:
        """Change a corpus's settings; None leaves one as it is, and judgements already given do not change.

        Args:
            shadow_policy: Judges every text too, for `shadow_differences`; its index policy and ranks do not matter.
        """
        return self._corpora.update(
            name,
            window_days=window_days,
            policy=policy,
            shadow_policy=shadow_policy,
            remove_shadow_policy=remove_shadow_policy,
        )

    def shadow_differences(self, name: str = DEFAULT_CORPUS) -> tuple[ShadowDifference, ...]:
        """Return the newest judgements that the shadow policy would have given otherwise, the newest first.

        They are kept in memory, at most MAX_SHADOW_DIFFERENCES, while the engine is open and the shadow policy stays.
        """
        trial = self._corpora[name].trial
        return trial.differences.newest() if trial else ()

    def delete_corpus(self, name: str) -> None:
        """Delete a corpus with all its documents; deleting the default one leaves it empty."""
        self._corpora.delete(name)

    def corpus_stats(self, name: str = DEFAULT_CORPUS) -> CorpusStats:
        """Count a corpus's documents, by one pass over its rows."""
        return self._corpora.stats(name)

    def submit(
        self, documents: Sequence[Document], corpus: str = DEFAULT_CORPUS, replace: bool = False, *, bulk: bool = True
    ) -> Future[list[Judgement]]:
        """Prepare documents in the calling thread and queue them for the writer, all or none, in order.

        The future's judgements are durable. It fails with DocumentIdReused where an id is stored with another text and
        *replace* was not asked for. Single calls go before *bulk*, which keeps its own order.
        """
        return self._submit(documents, corpus, replace=replace, batch=True, bulk=bulk)

    def _submit(
        self, documents: Sequence[Document], corpus: str, *, replace: bool, batch: bool, bulk: bool
    ) -> Future[list[Judgement]]:
        loaded = self._corpora[corpus]
        validation.check_batch_size(len(documents), "documents")
        validation.check_ids_distinct(documents)
        with self.precedence.call(bulk=bulk):
            prepared = self._prepare(documents, field="documents" if batch else "", are_kept=loaded.row.keep_text)
            return self._queue(prepared, loaded, replace=replace, batch=batch, bulk=bulk).judgements

    def submit_prepared(self, prepared: Sequence[Prepared], corpus: str = DEFAULT_CORPUS) -> Queued:
        """Queue documents that were prepared elsewhere under the store's profile, as `submit` does."""
        validation.check_ids_distinct([one.document for one in prepared])
        return self._queue(prepared, self._corpora[corpus], replace=False, batch=True, bulk=True)

    def _queue(
        self, prepared: Sequence[Prepared], loaded: LoadedCorpus, *, replace: bool, batch: bool, bulk: bool
    ) -> Queued:
        gathered = self._judge.gather(loaded, prepared)
        fixed = (self._store, self._judge, self._bodies, loaded, self._corpora.__getitem__)
        work = Ingest(*fixed, prepared, gathered, self._observer, replace=replace, batch=batch)
        future = cast("Future[list[Judgement]]", self._writer.submit(work, bulk=bulk))
        future.add_done_callback(partial(tell, self._observer))
        return Queued(work.decided_by(future), future)

    def ingest(self, document: Document, corpus: str = DEFAULT_CORPUS, replace: bool = False) -> Judgement:
        """Judge a document and store it, in one atomic step.

        The same id with the same text is answered as the first time, with `replayed` set.

        Raises:
            DocumentIdReused: The id is stored with another text, and *replace* was not asked for.
        """
        return self._submit([document], corpus, replace=replace, batch=False, bulk=False).result()[0]

    def ingest_batch(
        self, documents: Sequence[Document], corpus: str = DEFAULT_CORPUS, replace: bool = False
    ) -> list[Judgement]:
        """Judge and store up to 256 documents in order, all or none; later ones are compared with earlier ones."""
        return self.submit(documents, corpus, replace).result()

    def check(self, item: str | Document, corpus: str = DEFAULT_CORPUS) -> Judgement:
        """Judge a text, or a document, and store nothing. A stored document is answered as ingest would."""
        return self._check([item], corpus, "", bulk=False)[0]

    def check_batch(
        self, items: Sequence[str | Document], corpus: str = DEFAULT_CORPUS, *, bulk: bool = True
    ) -> list[Judgement]:
        """Judge up to 256 texts or documents, each against what is stored; they do not see each other.

        Args:
            bulk: Stand aside for single calls.
        """
        self._corpora[corpus]  # an unknown corpus is no fault of an item
        validation.check_batch_size(len(items), "items")
        return self._check(items, corpus, "items", bulk=bulk)

    def _check(self, items: Sequence[str | Document], corpus: str, field: str, *, bulk: bool) -> list[Judgement]:
        with self.precedence.call(bulk=bulk):
            return check_texts(items, self._corpora[corpus], self._store, self._judge, self._observer, field)

    def compare(
        self, earlier: str | Document | StoredId, later: str | Document | StoredId, corpus: str | None = None
    ) -> Judgement:
        """Return the judgement *later* would get from a corpus that holds *earlier* alone.

        Args:
            corpus: Whose policy applies, and what it has learned; the default policy without one.

        Raises:
            DocumentNotFound: A StoredId names no document.
            TextNotKept: A StoredId names a document whose text was not kept.
        """
        with validation.errors_at("earlier"):
            first = prepare_document(self._resolve(earlier), self._observer)
        with validation.errors_at("later"):
            second = prepare_document(self._resolve(later), self._observer)
        return compare_texts(first, second, self._judge, self._corpora[corpus] if corpus else None)

    def _resolve(self, item: str | Document | StoredId) -> str | Document:
        if not isinstance(item, StoredId):
            return item
        row = self._row(item.id, item.corpus)
        if row.text is None:
            raise TextNotKept("The corpus keeps no text.", metadata={"document_id": item.id, "corpus": item.corpus})
        return document_from_row(row)

    def _row(self, document_id: str, corpus: str) -> DocumentRow:
        row = self._store.document(self._corpora[corpus].row.corpus, document_id)
        if row is None:
            raise DocumentNotFound(
                "No such document is stored.", field="id", metadata={"document_id": document_id, "corpus": corpus}
            )
        return row

    def get(self, document_id: str, corpus: str = DEFAULT_CORPUS) -> StoredDocument:
        """Return a stored document with the judgement it was given.

        Raises:
            DocumentNotFound: The id is not stored.
        """
        row = self._row(document_id, corpus)
        return StoredDocument(
            document=document_from_row(row),
            judgement=judgement_from_row(row, corpus, self._store.profile.name, replayed=False),
            arrived_at=from_micros(row.arrived),
        )

    def delete(self, document_id: str, corpus: str = DEFAULT_CORPUS) -> bool:
        """Delete a document and return whether it was stored; its cluster finds a new canonical one."""
        validation.check_id(document_id)
        return bool(self._change(Delete(self._store, self._bodies, self._corpora[corpus], document_id)))

    def delete_where(
        self,
        corpus: str = DEFAULT_CORPUS,
        *,
        source: str | None = None,
        published_before: datetime | None = None,
        published_after: datetime | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete all documents that match all that is given, in batches; return how many, with *dry_run* only that.

        Times count from *published_after* on and before *published_before*, by publish or else arrival time.
        """
        loaded, wanted = self._corpora[corpus], Filter(source, published_before, published_after)
        if dry_run:
            return len(wanted.rows(self._store, loaded.row.corpus))
        return delete_matching(self._store, self._bodies, loaded, wanted, self._writer.submit)

    def backup(self, target: str | os.PathLike[str], progress: Progress | None = None) -> int:
        """Copy the store as it is now to the new file *target*, while it is written to; return the file's bytes."""
        return self.operations.backup(Path(target), progress)

    def list_cluster(self, document_id: str, corpus: str = DEFAULT_CORPUS, *, limit: int = MAX_CLUSTER_PAGE) -> Cluster:
        """Return the cluster of a stored document: its canonical document, then members in order of arrival."""
        return clusters.read(self._store, self._row(document_id, corpus), limit)

    def list_boilerplate(self, corpus: str = DEFAULT_CORPUS, *, limit: int = 100) -> tuple[Boilerplate, ...]:
        """Return what the corpus has learned to be boilerplate, up to 1000 stretches, the most widely held first."""
        return boilerplate.read(self._store, self._corpora[corpus], max(0, min(limit, MAX_BOILERPLATE)))

    def override(self, override: Override, corpus: str = DEFAULT_CORPUS) -> Override:
        """Store an editor's word about a document; it wins over the rules from now on.

        Raises:
            DocumentNotFound: The document or its target is not stored.
        """
        validation.check_override(override)

        def apply(changes: Changes) -> Override:
            loaded = self._corpora[corpus]  # now, since it may have been deleted while the change waited
            return override_from_row(apply_override(self._store, changes, loaded, override, now_micros()))

        return cast("Override", self._change(Change(apply)))

    def list_overrides(self, corpus: str = DEFAULT_CORPUS) -> tuple[Override, ...]:
        """Return all overrides of a corpus, oldest first."""
        return tuple(map(override_from_row, self._store.overrides(self._corpora[corpus].row.corpus)))

    def remove_repeats(self, text: str) -> str:
        """Return *text* without its second copies; unchanged where it repeats nothing."""
        spans = prepare_document(text, self._observer).repetition.spans
        return remove_repeats(text, spans) if spans else text
