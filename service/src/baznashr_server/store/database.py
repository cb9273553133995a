"""The connections to the database, and the open transaction: one writer, one reader a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import apsw

from baznashr.errors import StoreDamaged, StoreError, Unavailable
from baznashr_server import failpoints
from baznashr_server.profile import Profile
from baznashr_server.store import renewal
from baznashr_server.store.folder import SNAPSHOTS, DataFolder
from baznashr_server.store.rows import ClusterRow, DocumentRow
from baznashr_server.store.schema import DAMAGE, JOURNAL_KIB, PAGE_SIZE, code_of, connect, prepare, unusable

log = logging.getLogger(__name__)

DOCUMENT_COLUMNS = ", ".join(DocumentRow._fields)
_INSERT_DOCUMENT = f"INSERT INTO documents({DOCUMENT_COLUMNS}) VALUES(?{', ?' * (len(DocumentRow._fields) - 1)})"


class Database:
    """What a store is read and written through.

    Reads inside a thread's open transaction see that transaction's writes, all others the last commit. Writes belong
    to one thread at a time, between `begin` and `commit` or `rollback`.

    Reads raise StoreDamaged where SQLite cannot read a page, or its checksum is wrong, and Unavailable where the
    process has no file descriptor left for another connection.
    """

    def __init__(self, folder: DataFolder, *profiles: Profile) -> None:
        """Open the store, which is under one of *profiles*; a new one comes under the first.

        Raises:
            StoreError: As `schema.connect` and `schema.prepare` do.
        """
        self._path = folder.database
        self.damage: str | None = None
        """The first damage that a read has met."""
        if self._path.exists() and not self._path.stat().st_size and any((folder.path / SNAPSHOTS).glob("*")):
            raise StoreDamaged(f"{self._path} is empty, and the tables beside it are of documents")
        self._writer = connect(self._path, writable=True)
        used = (
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name='documents'), 0),"
            " coalesce((SELECT max(cluster) FROM clusters), 0))"
        )
        try:
            self.profile = prepare(self._writer, *profiles)
            renewal.settle(self._writer)
            self._last_row = self._durable_row = int(self._writer.execute(used).get or 0)
        except BaseException as error:
            self._writer.close()
            if isinstance(error, apsw.Error):
                raise unusable(self._path, error) from error
            raise
        self.log_is_to_be_erased = False
        """Whether the log may still hold what was deleted."""
        self._writing_thread: int | None = None
        self._is_closed = False
        self._new_documents: dict[int, DocumentRow] = {}
        self._new_clusters: dict[int, ClusterRow] = {}
        """Rows of the open transaction, by number, ascending. They are inserted, many at a time, before anything but
        they themselves is read or changed."""
        self._local = threading.local()
        # Held weakly: a thread that ends takes its connection along.
        self._readers: WeakSet[apsw.Connection] = WeakSet()
        self._readers_lock = threading.Lock()

    def close(self) -> None:
        self._is_closed = True
        with self._readers_lock:
            readers = list(self._readers)
        for connection in readers:
            connection.close()
        self._writer.close()

    @property
    def connection(self) -> apsw.Connection:
        """The writer's, for what is written beside the documents."""
        return self._change()

    def keep_log(self) -> None:
        """Leave the log to the next start: after a failed sync what is read back from it may not be what is on disk."""
        self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def spare_syncs(self) -> None:
        """Have commits outlast from now on the end of the process, and not that of the machine.

        The log is synced only where it is written into the database, which is put off until it is as long as it is ever
        kept: a page that many commits change is written there once.
        """
        self._writer.execute(f"PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint={JOURNAL_KIB * 1024 // PAGE_SIZE}")

    def begin(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        self._writing_thread = threading.get_ident()
        self._durable_row = self._last_row

    def is_durable(self, row: int) -> bool:
        """Whether the document at *row* was stored before the open transaction began."""
        return row <= self._durable_row

    def commit(self) -> None:
        """Make the transaction durable: returns after the log was synced to disk, unless `spare_syncs` was asked."""
        self._change().execute("COMMIT")
        self._writing_thread = None

    def rollback(self) -> None:
        self._forget_inserts()
        self._writing_thread = None
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def savepoint(self, name: str) -> None:
        """Begin a part that can be taken back alone, with all parts inside it, which have other names."""
        self._change().execute(f"SAVEPOINT {name}")

    def release_savepoint(self, name: str) -> None:
        self._writer.execute(f"RELEASE {name}")

    def rollback_to_savepoint(self, name: str) -> None:
        self._forget_inserts()
        self._writer.execute(f"ROLLBACK TO {name}; RELEASE {name}")

    def _change(self) -> apsw.Connection:
        """Return the writer's connection with all rows inserted that were to be."""
        if self._new_documents:
            documents, self._new_documents = self._new_documents, {}
            self._writer.executemany(_INSERT_DOCUMENT, documents.values())
            failpoints.reach("after_insert")
        if self._new_clusters:
            clusters, self._new_clusters = self._new_clusters, {}
            rows = [(row.cluster, row.corpus, row.canonical) for row in clusters.values()]
            self._writer.executemany("INSERT INTO clusters(cluster, corpus, canonical) VALUES(?, ?, ?)", rows)
        return self._writer

    @property
    def _first_waiting(self) -> int:
        """The least number of a row that waits to be inserted; one higher than any where none waits."""
        none = self._last_row + 1
        return min(next(iter(self._new_documents), none), next(iter(self._new_clusters), none))

    def _forget_inserts(self) -> None:
        self._new_documents, self._new_clusters = {}, {}

    def _waiting_document(self, row: int) -> DocumentRow | None:
        """Return the document at *row*, if the thread has made it and it waits to be inserted."""
        return self._new_documents.get(row) if self._writing_thread == threading.get_ident() else None

    def _waiting_cluster(self, cluster: int) -> ClusterRow | None:
        return self._new_clusters.get(cluster) if self._writing_thread == threading.get_ident() else None

    def _reader(self, newest: int | None = None) -> apsw.Connection:
        """Return the thread's connection to read from.

        Args:
            newest: The highest number of a document or cluster that is read by its number, if that is all that is
                read: rows that wait to be inserted may go on waiting where all of them have higher ones.
        """
        if self._writing_thread == threading.get_ident():
            if newest is not None and newest < self._first_waiting:
                return self._writer
            return self._change()
        if self._is_closed:
            raise Unavailable("The engine is closed.", reason="SHUTTING_DOWN")
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = self._local.connection = connect(self._path, writable=False)
            except StoreDamaged:
                raise
            except StoreError as error:
                raise Unavailable("No file can be opened to read from the store.", reason="OVERLOADED") from error
            with self._readers_lock:
                self._readers.add(connection)
        return connection

    @contextmanager
    def _naming_damage(self, what: str) -> Iterator[None]:
        try:
            yield
        except DAMAGE as error:
            raise self._damaged(what, error) from error

    def _damaged(self, what: str, error: apsw.Error) -> StoreDamaged:
        """Take note of damage, and return what to tell of it."""
        found = f"{self._path}: {what} cannot be read ({code_of(error)})"
        if self.damage is None:
            self.damage = found
            log.error("the store takes no writes from now on, since it is damaged: %s", found)
        return StoreDamaged(found, metadata={"what": what})

    def _rows(
        self, what: str, sql: str, values: tuple[Any, ...] = (), newest: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Return all rows of a query; *what* it reads is named where the read meets damage."""
        try:
            return list(self._reader(newest).execute(sql, values))
        except DAMAGE as error:
            raise self._damaged(what, error) from error

    def _row(self, what: str, sql: str, values: tuple[Any, ...], newest: int | None = None) -> tuple[Any, ...] | None:
        try:
            return self._reader(newest).execute(sql, values).fetchone()
        except DAMAGE as error:
            raise self._damaged(what, error) from error

    def next_row(self) -> int:
        """Return a number for a document or a cluster, higher than any before it."""
        self._last_row += 1
        return self._last_row
