"""The writer's other work: corpora, deletion, expiry, overrides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from baznashr_server.engine import clusters
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.writer import Changes
from baznashr_server.index.corpus_index import NO_TIME
from baznashr_server.limits import EXPIRY_BATCH
from baznashr_server.store.store import Store


@dataclass(eq=False)
class Change:
    """A change given as a function of the transaction's changes."""

    make: Callable[[Changes], object]
    documents: int = 0

    def __call__(self, changes: Changes) -> object:
        return self.make(changes)


@dataclass(eq=False)
class Delete:
    """Deletes one document; answers whether it was stored."""

    store: Store
    bodies: BodyCache
    corpus: LoadedCorpus
    document_id: str
    documents: int = 1

    def __call__(self, changes: Changes) -> bool:
        row = self.store.document(self.corpus.row.corpus, self.document_id)
        if row is None:
            return False
        clusters.remove(self.store, changes, self.corpus, row)
        changes.after_commit.append(lambda: self.bodies.drop(row.row))
        return True


@dataclass(eq=False)
class Expire:
    """Deletes a bounded number of documents that have left the corpus's window."""

    store: Store
    bodies: BodyCache
    corpus: LoadedCorpus
    documents: int = 0

    def is_due(self) -> bool:
        earliest = self.corpus.earliest()
        return earliest != NO_TIME and bool(self.store.documents_before(self.corpus.row.corpus, earliest, 1))

    def __call__(self, changes: Changes) -> int:
        rows = self.store.documents_before(self.corpus.row.corpus, self.corpus.earliest(), EXPIRY_BATCH)
        for row in rows:
            current = self.store.document_at(row.row)
            if current is not None:
                clusters.remove(self.store, changes, self.corpus, current)
                self.bodies.drop(row.row)
        return len(rows)
