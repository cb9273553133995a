"""Reading and writing rows. One writer connection, one reader connection a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import astuple, fields
from typing import Any

import apsw

from baznashr_server.profile import Profile
from baznashr_server.store.folder import DataFolder
from baznashr_server.store.rows import ClusterRow, CorpusRow, DocumentRow, OverrideRow
from baznashr_server.store.schema import connect, prepare

_DOCUMENT_COLUMNS = ", ".join(field.name for field in fields(DocumentRow))
_INSERT_DOCUMENT = f"INSERT INTO documents({_DOCUMENT_COLUMNS}) VALUES(?{', ?' * (len(fields(DocumentRow)) - 1)})"
_SELECT_DOCUMENT = f"SELECT {_DOCUMENT_COLUMNS} FROM documents"  # noqa: S608 - our own names


def _document(values: tuple[Any, ...] | None) -> DocumentRow | None:
    return None if values is None else DocumentRow(*values)


def _one(cursor: apsw.Cursor) -> tuple[Any, ...]:
    """Return the row of an aggregate, which always has one."""
    return cursor.fetchone() or ()


class Store:
    """The database of a data folder.

    Reads inside a thread's open transaction see that transaction's writes, all others the last commit. Writes belong
    to one thread at a time, between `begin` and `commit` or `rollback`.
    """

    def __init__(self, folder: DataFolder, profile: Profile) -> None:
        self._path = folder.database
        self._writer = connect(self._path, writable=True)
        prepare(self._writer, profile)
        used = (
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name='documents'), 0),"
            " coalesce((SELECT max(cluster) FROM clusters), 0))"
        )
        self._last_row = int(self._writer.execute(used).get or 0)
        self._writing_thread: int | None = None
        self._local = threading.local()
        self._readers: list[apsw.Connection] = []
        self._readers_lock = threading.Lock()

    def close(self) -> None:
        for connection in self._readers:
            connection.close()
        self._writer.close()

    def begin(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        self._writing_thread = threading.get_ident()

    def commit(self) -> None:
        """Make the transaction durable: returns after the log was synced to disk."""
        self._writer.execute("COMMIT")
        self._writing_thread = None

    def rollback(self) -> None:
        self._writing_thread = None
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def savepoint(self) -> None:
        self._writer.execute("SAVEPOINT one")

    def release_savepoint(self) -> None:
        self._writer.execute("RELEASE one")

    def rollback_to_savepoint(self) -> None:
        self._writer.execute("ROLLBACK TO one; RELEASE one")

    def _reader(self) -> apsw.Connection:
        if self._writing_thread == threading.get_ident():
            return self._writer
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, writable=False)
            with self._readers_lock:
                self._readers.append(connection)
        return connection

    def corpora(self) -> list[CorpusRow]:
        rows = self._reader().execute(
            "SELECT corpus, name, window_days, keep_text, policy, policy_revision, created, shadow_policy"
            " FROM corpora ORDER BY corpus"
        )
        return [CorpusRow(c, n, w, bool(k), *rest) for c, n, w, k, *rest in rows]

    def insert_corpus(self, row: CorpusRow) -> int:
        self._writer.execute("INSERT INTO corpora VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)", astuple(row)[1:])
        return self._writer.last_insert_rowid()

    def update_corpus(self, row: CorpusRow) -> None:
        self._writer.execute(
            "UPDATE corpora SET window_days=?, policy=?, policy_revision=?, shadow_policy=? WHERE corpus=?",
            (row.window_days, row.policy, row.policy_revision, row.shadow_policy, row.corpus),
        )

    def delete_corpus(self, corpus: int) -> None:
        for table in ("documents", "clusters", "overrides", "corpora"):
            self._writer.execute(f"DELETE FROM {table} WHERE corpus=?", (corpus,))  # noqa: S608 - our own names

    def next_row(self) -> int:
        """Return a number for a document or a cluster, higher than any before it."""
        self._last_row += 1
        return self._last_row

    def insert_document(self, row: DocumentRow) -> None:
        self._writer.execute(_INSERT_DOCUMENT, astuple(row))

    def delete_document(self, row: int) -> None:
        self._writer.execute("DELETE FROM documents WHERE row=?", (row,))

    def set_cluster(self, row: int, cluster: int) -> None:
        self._writer.execute("UPDATE documents SET cluster=? WHERE row=?", (cluster, row))

    def set_indexed(self, row: int, indexed: int) -> None:
        self._writer.execute("UPDATE documents SET indexed=? WHERE row=?", (indexed, row))

    def document(self, corpus: int, document_id: str) -> DocumentRow | None:
        found = self._reader().execute(f"{_SELECT_DOCUMENT} WHERE corpus=? AND id=?", (corpus, document_id))
        return _document(found.fetchone())

    def document_at(self, row: int) -> DocumentRow | None:
        return _document(self._reader().execute(f"{_SELECT_DOCUMENT} WHERE row=?", (row,)).fetchone())

    def indexed_documents(self, corpus: int) -> Iterator[DocumentRow]:
        """Yield the corpus's documents that belong in the tables, in order of arrival."""
        found = self._reader().execute(f"{_SELECT_DOCUMENT} WHERE corpus=? AND indexed ORDER BY row", (corpus,))
        for values in found:
            yield DocumentRow(*values)

    def count_and_newest(self, corpus: int) -> tuple[int, int | None]:
        """Return how many documents the corpus has, and the newest publish (or arrival) time."""
        sql = "SELECT count(*), max(min(coalesce(published, arrived), arrived)) FROM documents WHERE corpus=?"
        count, newest = _one(self._reader().execute(sql, (corpus,)))
        return int(count), newest

    def documents_before(self, corpus: int, time: int, limit: int) -> list[DocumentRow]:
        """Return up to *limit* documents published, or arrived, before *time*, oldest first."""
        time_of = "coalesce(published, arrived)"
        sql = f"{_SELECT_DOCUMENT} WHERE corpus=? AND {time_of}<? ORDER BY {time_of} LIMIT ?"
        return [DocumentRow(*values) for values in self._reader().execute(sql, (corpus, time, limit))]

    def insert_cluster(self, cluster: int, corpus: int, canonical: int) -> None:
        self._writer.execute(
            "INSERT INTO clusters(cluster, corpus, canonical) VALUES(?, ?, ?)", (cluster, corpus, canonical)
        )

    def update_cluster(self, cluster: int, canonical: int, *, pinned: bool) -> None:
        self._writer.execute("UPDATE clusters SET canonical=?, pinned=? WHERE cluster=?", (canonical, pinned, cluster))

    def delete_cluster(self, cluster: int) -> None:
        self._writer.execute("DELETE FROM clusters WHERE cluster=?", (cluster,))

    def cluster(self, cluster: int) -> ClusterRow | None:
        sql = "SELECT cluster, corpus, canonical, pinned FROM clusters WHERE cluster=?"
        found = self._reader().execute(sql, (cluster,)).fetchone()
        return ClusterRow(found[0], found[1], found[2], bool(found[3])) if found else None

    def members(self, cluster: int, limit: int) -> list[DocumentRow]:
        """Return the cluster's documents in order of arrival."""
        found = self._reader().execute(f"{_SELECT_DOCUMENT} WHERE cluster=? ORDER BY row LIMIT ?", (cluster, limit))
        return [DocumentRow(*values) for values in found]

    def count_members(self, cluster: int) -> int:
        return int(self._reader().execute("SELECT count(*) FROM documents WHERE cluster=?", (cluster,)).get)

    def put_override(self, row: OverrideRow) -> None:
        self._writer.execute("INSERT OR REPLACE INTO overrides VALUES(?, ?, ?, ?, ?, ?)", astuple(row))

    def override(self, corpus: int, document_id: str) -> OverrideRow | None:
        found = self._reader().execute(
            "SELECT * FROM overrides WHERE corpus=? AND document_id=?", (corpus, document_id)
        )
        values = found.fetchone()
        return OverrideRow(*values) if values else None

    def overrides(self, corpus: int) -> list[OverrideRow]:
        found = self._reader().execute(
            "SELECT * FROM overrides WHERE corpus=? ORDER BY created, document_id", (corpus,)
        )
        return [OverrideRow(*values) for values in found]

    def statistics(self, corpus: int) -> dict[str, Any]:
        """Return counts over the corpus's documents, by one pass over its rows."""
        sql = (
            "SELECT count(*), total(indexed > 0), total(text_bytes), total(length(text)), max(published),"
            " count(*) FILTER (WHERE json_extract(judgement, '$.self_repetition.share') > 0)"
            " FROM documents WHERE corpus=?"
        )
        reader = self._reader()
        documents, indexed, text_bytes, stored_bytes, newest, repeating = _one(reader.execute(sql, (corpus,)))
        verdicts = reader.execute("SELECT verdict, count(*) FROM documents WHERE corpus=? GROUP BY verdict", (corpus,))
        clusters = reader.execute(
            "SELECT count(*) FROM (SELECT 1 FROM documents WHERE corpus=? GROUP BY cluster HAVING count(*) > 1)",
            (corpus,),
        ).get
        return {
            "documents": documents,
            "indexed": int(indexed),
            "text_bytes": int(text_bytes),
            "stored_bytes": int(stored_bytes),
            "newest": newest,
            "self_repeating": repeating,
            "verdicts": {str(verdict): count for verdict, count in verdicts},
            "clusters": clusters,
        }
