"""The writer's other work: corpora, deletion, expiry, overrides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from baznashr_server.engine import clusters
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.observer import Observer, Silence
from baznashr_server.engine.writer import Changes
from baznashr_server.index.lookup import NO_TIME
from baznashr_server.limits import EXPIRY_BATCH, VACUUM_PAGES
from baznashr_server.store.store import Store


@dataclass(eq=False)
class Change:
    """A change given as a function of the transaction's changes."""

    make: Callable[[Changes], object]
    documents: int = 0
    ends_group: bool = False

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
    ends_group: bool = False

    def __call__(self, changes: Changes) -> bool:
        row = self.store.document(self.corpus.row.corpus, self.document_id)
        if row is None:
            return False
        clusters.remove(self.store, self.bodies, changes, self.corpus, row)
        _erase(self.store, changes)
        return True


@dataclass(eq=False)
class DeleteRows:
    """Deletes documents by their rows; answers how many were still there."""

    store: Store
    bodies: BodyCache
    corpus: LoadedCorpus
    rows: Sequence[int]
    ends_group: bool = False

    @property
    def documents(self) -> int:
        return len(self.rows)

    def __call__(self, changes: Changes) -> int:
        deleted = 0
        for number in self.rows:
            row = self.store.document_at(number)
            if row is not None:
                clusters.remove(self.store, self.bodies, changes, self.corpus, row)
                deleted += 1
        _erase(self.store, changes)
        return deleted


def _erase(store: Store, changes: Changes) -> None:
    """Have the log erased before the caller is answered: what was asked to be deleted is to be nowhere."""
    if store.erase_log not in changes.after_commit:
        changes.after_commit.append(store.erase_log)


@dataclass(eq=False)
class Expire:
    """Deletes a bounded number of documents that have left the corpus's window."""

    store: Store
    bodies: BodyCache
    corpus: LoadedCorpus
    observer: Observer = field(default_factory=Silence)
    documents: int = 0
    ends_group: bool = False

    def is_due(self) -> bool:
        earliest = self.corpus.earliest()
        return earliest != NO_TIME and bool(self.store.documents_before(self.corpus.row.corpus, earliest, 1))

    def __call__(self, changes: Changes) -> int:
        rows = self.store.documents_before(self.corpus.row.corpus, self.corpus.earliest(), EXPIRY_BATCH)
        for row in rows:
            current = self.store.document_at(row.row)
            if current is not None:
                clusters.remove(self.store, self.bodies, changes, self.corpus, current)
        changes.after_commit.append(partial(self.observer.expired, len(rows)))
        return len(rows)


@dataclass(eq=False)
class DeleteDropped:
    """Deletes a bounded number of documents of dropped corpora."""

    store: Store
    documents: int = 0
    ends_group: bool = False

    def __call__(self, changes: Changes) -> int:  # noqa: ARG002 - the tables of a dropped corpus are gone already
        return self.store.delete_dropped(EXPIRY_BATCH)


@dataclass(eq=False)
class GiveBack:
    """Gives a bounded number of free pages back to the file system."""

    store: Store
    documents: int = 0
    ends_group: bool = False

    def __call__(self, changes: Changes) -> None:  # noqa: ARG002 - the tables do not know of pages
        self.store.give_back(VACUUM_PAGES)
