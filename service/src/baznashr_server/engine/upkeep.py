"""What the writer does when nobody waits for it: a bounded piece at a time."""

from __future__ import annotations

import time

from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.changes import DeleteDropped, Expire, GiveBack
from baznashr_server.engine.corpora import Corpora
from baznashr_server.engine.observer import Observer
from baznashr_server.engine.reindex import Renewal
from baznashr_server.engine.tables import Tables
from baznashr_server.engine.writer import Work
from baznashr_server.store.store import Store

LOOK_SECONDS = 1.0
"""Between two looks for what is due, once nothing was."""
ERASE_SECONDS = 1.0
"""Between two erasures of a log that holds what expired, was replaced or dropped; who deletes waits for it."""
MAX_FREE_SHARE = 0.25
"""Of the file's pages; deletion leaves free pages, which new documents take first."""
MIN_FREE_PAGES = 1024
"""8 MiB that are never worth giving back."""


class Upkeep:
    """For the writer's thread alone."""

    def __init__(self, store: Store, bodies: BodyCache, corpora: Corpora, tables: Tables, observer: Observer) -> None:
        self._store = store
        self._bodies = bodies
        self._corpora = corpora
        self._tables = tables
        self._observer = observer
        self._renewal = Renewal(store)
        self._next = 0.0
        self._next_erasure = 0.0

    def due(self) -> Work | None:
        """Return the next piece of work; None where nothing is due."""
        if time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + LOOK_SECONDS  # where looking fails too
        work = self._find()
        if work is not None:
            self._next = 0.0
        return work

    def _find(self) -> Work | None:
        if self._store.log_is_to_be_erased and time.monotonic() >= self._next_erasure:
            self._next_erasure = time.monotonic() + ERASE_SECONDS
            self._store.erase_log()
        for corpus in self._corpora:
            expire = Expire(self._store, self._bodies, corpus, self._observer)
            if expire.is_due():
                return expire
        if self._store.is_dropping():
            return DeleteDropped(self._store)
        free, share = self._store.free_share()
        if free > MIN_FREE_PAGES and share > MAX_FREE_SHARE:
            return GiveBack(self._store)
        self._tables.upkeep(self._corpora)
        return self._renewal.due()  # the last, since it may last for hours
