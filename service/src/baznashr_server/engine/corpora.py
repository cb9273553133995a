"""The corpora of a data folder: their rows, and their tables in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import cast

from baznashr.errors import CorpusExists, CorpusNotFound, InvalidCorpus, LimitReached
from baznashr.types import DEFAULT_CORPUS, Corpus, CorpusStats, Policy, Verdict
from baznashr_server.engine import validation
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.changes import Change
from baznashr_server.engine.corpus import LoadedCorpus, now_micros
from baznashr_server.engine.records import corpus_from_row, policy_to_json
from baznashr_server.engine.tables import Tables
from baznashr_server.engine.writer import Changes, Work
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.limits import MAX_CORPORA, MAX_LOADED_CORPORA
from baznashr_server.store.codec import from_micros
from baznashr_server.store.rows import CorpusRow
from baznashr_server.store.store import Store


def _table_sizes(tables: CorpusIndex | None) -> Mapping[str, float]:
    return {
        "indexed": 0 if tables is None else len(tables),
        "memory_bytes": 0 if tables is None else tables.memory_bytes,
        "largest_bucket": 0 if tables is None else tables.largest_bucket,
        "dropped_postings": 0 if tables is None else tables.dropped_postings,
        "boilerplate_passages": 0 if tables is None else tables.boilerplate_passages,
    }


class Corpora:
    """Read from any thread; changed by the writer's alone, once a change is durable."""

    def __init__(self, store: Store, tables: Tables, bodies: BodyCache, change: Callable[[Work], object]) -> None:
        self._store = store
        self._tables = tables
        self._bodies = bodies
        self._change = change
        self._loaded: dict[str, LoadedCorpus] = {}

    def load(self) -> None:
        """Read the corpora and fill the tables of those that have been used last, as many as may be in memory."""
        for row in self._store.corpora():
            corpus = self._loaded[row.name] = LoadedCorpus(row, self._tables.fill)
            corpus.documents, corpus.newest = self._store.count_and_newest(row.corpus)
        self._tables.keep_only(corpus.row.corpus for corpus in self)
        used = sorted((corpus for corpus in self if corpus.documents), key=lambda corpus: corpus.newest or 0)
        for corpus in used[-MAX_LOADED_CORPORA:]:
            corpus.index  # noqa: B018 - asking for it fills it

    def __contains__(self, name: str) -> bool:
        return name in self._loaded

    def __iter__(self) -> Iterator[LoadedCorpus]:
        """Yield the corpora there are now, by name."""
        return iter([corpus for _, corpus in sorted(self._loaded.items())])

    def __getitem__(self, name: str) -> LoadedCorpus:
        corpus = self._loaded.get(name)
        if corpus is None:
            raise CorpusNotFound("No such corpus.", field="corpus", metadata={"corpus": name})
        return corpus

    def sizes(self) -> Mapping[str, Mapping[str, float]]:
        """Return the numbers of each corpus: documents and, of its tables where they are in memory, the rest."""
        return {
            corpus.name: {
                "documents": corpus.documents,
                **_table_sizes(corpus.tables),
                "snapshot_time": self._tables.snapshot_time(corpus),
            }
            for corpus in self
        }

    def _show(self, row: CorpusRow) -> None:
        self._loaded[row.name] = LoadedCorpus(row, self._tables.fill)

    def _insert(self, changes: Changes, row: CorpusRow) -> CorpusRow:
        stored = replace(row, corpus=self._store.insert_corpus(row))
        changes.after_commit.append(lambda: self._show(stored))
        return stored

    def create(
        self, name: str, *, window_days: int, keep_text: bool, policy: Policy, shadow_policy: Policy | None
    ) -> Corpus:
        validation.check_corpus_name(name)
        validation.check_window(window_days)
        validation.check_policy(policy)
        if shadow_policy is not None:
            validation.check_policy(shadow_policy, "shadow_policy")
        shadow = None if shadow_policy is None else policy_to_json(shadow_policy)

        def create(changes: Changes) -> CorpusRow:
            if name in self._loaded:
                raise CorpusExists("The name is taken.", field="name", metadata={"corpus": name})
            if len(self._loaded) >= MAX_CORPORA:
                raise LimitReached(f"There are {MAX_CORPORA} corpora, which are the most.")
            row = CorpusRow(0, name, window_days, keep_text, policy_to_json(policy), 1, now_micros(), shadow)
            return self._insert(changes, row)

        return corpus_from_row(cast("CorpusRow", self._change(Change(create, ends_group=True))))

    def update(
        self,
        name: str,
        *,
        window_days: int | None,
        policy: Policy | None,
        shadow_policy: Policy | None,
        remove_shadow_policy: bool,
    ) -> Corpus:
        if window_days is not None:
            validation.check_window(window_days)
        if policy is not None:
            validation.check_policy(policy)
        if shadow_policy is not None:
            validation.check_policy(shadow_policy, "shadow_policy")
            if remove_shadow_policy:
                raise InvalidCorpus(
                    "A shadow policy cannot be both set and removed.", reason="INVALID_POLICY", field="shadow_policy"
                )

        def update(changes: Changes) -> CorpusRow:
            corpus = self[name]
            text = corpus.row.policy if policy is None else policy_to_json(policy)
            shadow = None if remove_shadow_policy else corpus.row.shadow_policy
            row = replace(
                corpus.row,
                window_days=corpus.row.window_days if window_days is None else window_days,
                policy=text,
                policy_revision=corpus.row.policy_revision + (text != corpus.row.policy),
                shadow_policy=shadow if shadow_policy is None else policy_to_json(shadow_policy),
            )
            self._store.update_corpus(row)
            changes.after_commit.append(lambda: corpus.change(row))
            return row

        return corpus_from_row(cast("CorpusRow", self._change(Change(update, ends_group=True))))

    def delete(self, name: str) -> None:
        def delete(changes: Changes) -> None:
            corpus = self[name]
            self._store.drop_corpus(corpus.row.corpus)
            changes.after_commit.append(lambda: self._tables.forget(corpus.row.corpus))
            changes.after_commit.append(self._bodies.clear)  # of all corpora: rows do not say whose they are
            if name == DEFAULT_CORPUS:
                self._insert(changes, corpus.row)
            else:
                changes.after_commit.append(lambda: self._loaded.__delitem__(name))

        self._change(Change(delete, ends_group=True))

    def stats(self, name: str) -> CorpusStats:
        corpus = self[name]
        found = self._store.statistics(corpus.row.corpus)
        return CorpusStats(
            corpus=name,
            documents=found["documents"],
            indexed_documents=found["indexed"],
            clusters=found["clusters"],
            verdicts={verdict.value: found["verdicts"].get(verdict.value, 0) for verdict in Verdict},
            self_repeating=found["self_repeating"],
            text_bytes=found["text_bytes"],
            stored_bytes=found["stored_bytes"],
            memory_bytes=corpus.memory_bytes,
            profile=self._store.profile.name,
            newest_published_at=None if found["newest"] is None else from_micros(found["newest"]),
        )
