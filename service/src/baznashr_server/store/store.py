"""The store: all that is read of a data folder's database, and all that is written to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

import apsw

from baznashr_server.store.database import DOCUMENT_COLUMNS, Database
from baznashr_server.store.rows import ClusterRow, CorpusRow, DocumentRow, IndexedRow, OverrideRow, TextRow
from baznashr_server.store.schema import BUSY_WAIT_MS

ERASE_WAIT_MS = 20
"""How long the writer waits for readers that hold the log; a longer reader, such as a backup, is not waited for."""
_AGE = "published IS NULL, coalesce(published, arrived)"
"""The oldest first; documents of unknown publish time after all others."""
_LONG_COLUMNS = ("id", "source", "title", "url", "labels", "text", "signature", "passages", "judgement")
_SHORT_COLUMNS_BYTES = 80
"""Of the other columns and the row's header, some."""
_SELECT_TEXT = (
    "SELECT row, id, digest, coalesce(published, arrived), letters, source, title, text,"
    " CASE WHEN text IS NULL THEN signature ELSE x'' END, judgement FROM documents"
)
_SELECT_DOCUMENT = f"SELECT {DOCUMENT_COLUMNS} FROM documents"  # noqa: S608 - our own names


def _document(values: tuple[Any, ...] | None) -> DocumentRow | None:
    return None if values is None else DocumentRow(*values)


class Store(Database):
    """The rows of a data folder's database."""

    def corpora(self) -> list[CorpusRow]:
        rows = self._rows(
            "the list of corpora",
            "SELECT corpus, name, window_days, keep_text, policy, policy_revision, created, shadow_policy"
            " FROM corpora ORDER BY corpus",
        )
        return [CorpusRow(c, n, w, bool(k), *rest) for c, n, w, k, *rest in rows]

    def insert_corpus(self, row: CorpusRow) -> int:
        """Store a corpus under a new number, whatever number *row* has, and return it."""
        self._change().execute("INSERT INTO corpora VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)", astuple(row)[1:])
        return self._writer.last_insert_rowid()

    def update_corpus(self, row: CorpusRow) -> None:
        self._change().execute(
            "UPDATE corpora SET window_days=?, policy=?, policy_revision=?, shadow_policy=? WHERE corpus=?",
            (row.window_days, row.policy, row.policy_revision, row.shadow_policy, row.corpus),
        )

    def drop_corpus(self, corpus: int) -> None:
        """Forget a corpus; its documents are left to `delete_dropped`."""
        self._change().execute("INSERT INTO dropped_corpora VALUES(?)", (corpus,))
        for table in ("overrides", "corpora"):
            self._change().execute(f"DELETE FROM {table} WHERE corpus=?", (corpus,))  # noqa: S608 - our own names

    def is_dropping(self) -> bool:
        """Return whether documents of dropped corpora are left."""
        return bool(self._rows("the dropped corpora", "SELECT 1 FROM dropped_corpora LIMIT 1"))

    def delete_dropped(self, limit: int) -> int:
        """Delete up to *limit* documents of a dropped corpus, and with the last its other rows; return how many."""
        ((corpus,),) = self._rows("the dropped corpora", "SELECT min(corpus) FROM dropped_corpora")
        sql = "SELECT row, cluster FROM documents WHERE corpus=? LIMIT ?"
        found = self._rows("the documents of a dropped corpus", sql, (corpus, limit))
        self._change().executemany("DELETE FROM documents WHERE row=?", [(row,) for row, _ in found])
        self._change().executemany("DELETE FROM clusters WHERE cluster=?", {(cluster,) for _, cluster in found})
        self.log_is_to_be_erased = True
        if len(found) < limit:
            for table in ("clusters", "table_changes", "clocks", "dropped_corpora"):
                self._change().execute(f"DELETE FROM {table} WHERE corpus=?", (corpus,))  # noqa: S608 - our own names
        return len(found)

    def table_changes(self, corpus: int) -> int:
        """Return how often anything but a new document changed what belongs in the corpus's tables."""
        found = self._rows("the changes of the tables", "SELECT changes FROM table_changes WHERE corpus=?", (corpus,))
        return int(found[0][0]) if found else 0

    def free_share(self) -> tuple[int, float]:
        """Return how many pages of the file are free, and their share of it."""
        with self._naming_damage("the list of free pages"):
            free, pages = (
                int(self._change().execute(f"PRAGMA {name}").get) for name in ("freelist_count", "page_count")
            )
        return free, free / max(1, pages)

    def give_back(self, pages: int) -> None:
        """Give up to *pages* free pages back to the file system, at the next checkpoint."""
        self._change().execute(f"PRAGMA incremental_vacuum({pages})").fetchall()

    def erase_log(self) -> None:
        """Write the log into the database and cut it to nothing; `log_is_to_be_erased` says where a reader held it.

        What was deleted is in neither file then: `secure_delete` zeroes it in the database.
        """
        self._writer.set_busy_timeout(ERASE_WAIT_MS)
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self.log_is_to_be_erased = False
        except apsw.Error:  # what is committed is safe in the log, whatever hinders this
            self.log_is_to_be_erased = True
        finally:
            self._writer.set_busy_timeout(BUSY_WAIT_MS)

    def insert_document(self, row: DocumentRow) -> None:
        """Insert a document whose id is free, before the next read or change of the transaction."""
        self._new_documents[row.row] = row

    def delete_document(self, row: int) -> None:
        self._change().execute("DELETE FROM documents WHERE row=?", (row,))
        self.log_is_to_be_erased = True

    def set_cluster(self, row: int, cluster: int) -> None:
        self._change().execute("UPDATE documents SET cluster=? WHERE row=?", (cluster, row))

    def set_indexed(self, row: int, indexed: int) -> None:
        self._change().execute("UPDATE documents SET indexed=? WHERE row=?", (indexed, row))

    def document(self, corpus: int, document_id: str) -> DocumentRow | None:
        sql = f"{_SELECT_DOCUMENT} WHERE corpus=? AND id=?"
        return _document(self._row(f"document {document_id!r}", sql, (corpus, document_id)))

    def documents(self, corpus: int, ids: Sequence[str]) -> dict[str, DocumentRow]:
        """Return those of the documents named by *ids* that are stored, by id."""
        sql = f"{_SELECT_DOCUMENT} WHERE corpus=? AND id IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own names
        found = self._rows("documents by their ids", sql, (corpus, json.dumps(ids))) if ids else []
        rows = (DocumentRow(*values) for values in found)
        return {row.id: row for row in rows}

    def document_at(self, row: int) -> DocumentRow | None:
        return self._waiting_document(row) or _document(
            self._row(f"document row {row}", f"{_SELECT_DOCUMENT} WHERE row=?", (row,), row)
        )

    def texts_at(self, rows: Sequence[int]) -> list[TextRow]:
        """Return what is compared of the documents at *rows*, those that are stored, in no order."""
        sql = f"{_SELECT_TEXT} WHERE row IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own names
        what = "the texts of documents" if len(rows) > 1 else f"document row {rows[0]}"
        return [TextRow(*values) for values in self._rows(what, sql, (json.dumps(rows),), max(rows))]

    def indexed_documents(self, corpus: int, after: int = 0) -> Iterator[IndexedRow]:
        """Yield the corpus's documents with rows above *after* that belong in the tables, in order of arrival."""
        sql = (
            "SELECT row, digest, signature, CASE WHEN indexed > 1 THEN passages ELSE x'' END, letters,"
            " coalesce(published, arrived), source"
            " FROM documents WHERE corpus=? AND indexed > 0 AND row > ? ORDER BY row"
        )
        with self._naming_damage("the rows of documents"):
            yield from map(IndexedRow._make, self._reader().execute(sql, (corpus, after)))

    def count_and_newest(self, corpus: int) -> tuple[int, int | None]:
        """Return how many documents the corpus has, and the newest publish (or arrival) time, or the clock kept."""
        sql = "SELECT count(*), max(min(coalesce(published, arrived), arrived)) FROM documents WHERE corpus=?"
        ((count, newest),) = self._rows("the times of documents", sql, (corpus,))
        kept = self._rows("the clocks", "SELECT newest FROM clocks WHERE corpus=?", (corpus,))
        return int(count), max((time for (time,) in [(newest,), *kept] if time is not None), default=None)

    def keep_clock(self, corpus: int, newest: int) -> None:
        """Remember how far a corpus's time has come, for when the document that tells is gone."""
        self._change().execute("INSERT OR REPLACE INTO clocks VALUES(?, ?)", (corpus, newest))

    def count_indexed(self, corpus: int, last: int = (1 << 63) - 1) -> tuple[int, int]:
        """Return how many documents with rows up to *last* belong in the corpus's tables, and the newest one's row."""
        sql = "SELECT count(*), coalesce(max(row), 0) FROM documents WHERE corpus=? AND indexed > 0 AND row <= ?"
        ((count, newest),) = self._rows("the rows of documents", sql, (corpus, last))
        return int(count), int(newest)

    def matching(self, corpus: int, source: str | None, earliest: int, end: int) -> list[int]:
        """Return the rows of documents published, or arrived, from *earliest* until before *end*, oldest first.

        Args:
            source: Only of this source; None of any.
        """
        time_of = "coalesce(published, arrived)"
        sql = f"SELECT row FROM documents WHERE corpus=? AND {time_of}>=? AND {time_of}<?"  # noqa: S608 - our own names
        values: tuple[Any, ...] = (corpus, earliest, end)
        if source is not None:
            sql, values = f"{sql} AND source=?", (*values, source)
        return [row for (row,) in self._rows("the times of documents", f"{sql} ORDER BY {time_of}", values)]

    def documents_before(self, corpus: int, time: int, limit: int) -> list[DocumentRow]:
        """Return up to *limit* documents published, or arrived, before *time*, oldest first."""
        time_of = "coalesce(published, arrived)"
        sql = f"{_SELECT_DOCUMENT} WHERE corpus=? AND {time_of}<? ORDER BY {time_of} LIMIT ?"
        return [DocumentRow(*values) for values in self._rows("the oldest documents", sql, (corpus, time, limit))]

    def insert_cluster(self, cluster: int, corpus: int, canonical: int) -> None:
        """Insert a cluster, before the next read or change of the transaction."""
        self._new_clusters[cluster] = ClusterRow(cluster, corpus, canonical, pinned=False)

    def update_cluster(self, cluster: int, canonical: int, *, pinned: bool) -> None:
        self._change().execute(
            "UPDATE clusters SET canonical=?, pinned=? WHERE cluster=?", (canonical, pinned, cluster)
        )

    def delete_cluster(self, cluster: int) -> None:
        self._change().execute("DELETE FROM clusters WHERE cluster=?", (cluster,))

    def cluster(self, cluster: int) -> ClusterRow | None:
        if waiting := self._waiting_cluster(cluster):
            return waiting
        sql = "SELECT cluster, corpus, canonical, pinned FROM clusters WHERE cluster=?"
        found = self._row(f"cluster {cluster}", sql, (cluster,), cluster)
        return ClusterRow(found[0], found[1], found[2], bool(found[3])) if found else None

    def cluster_of(self, row: int) -> ClusterRow | None:
        """Return the cluster that the document at *row* belongs to now."""
        if waiting := self._waiting_document(row):
            return self.cluster(waiting.cluster)
        ours = "SELECT cluster FROM documents WHERE row=?"
        sql = f"SELECT cluster, corpus, canonical, pinned FROM clusters WHERE cluster=({ours})"  # noqa: S608 - our own names
        found = self._row(f"the cluster of document row {row}", sql, (row,), row)
        return ClusterRow(found[0], found[1], found[2], bool(found[3])) if found else None

    def heirs(self, cluster: int, without: int, since: int = -(1 << 63)) -> list[DocumentRow]:
        """Return the members, but row *without*, of the earliest publish or, where none has one, arrival time.

        Args:
            since: Those before this time are passed over.
        """
        ours = "cluster=?1 AND row<>?2 AND coalesce(published, arrived)>=?3"
        earliest = f"SELECT {_AGE} FROM documents WHERE {ours} ORDER BY {_AGE} LIMIT 1"  # noqa: S608 - our own names
        sql = f"{_SELECT_DOCUMENT} WHERE {ours} AND ({_AGE}) = ({earliest})"
        return [DocumentRow(*values) for values in self._rows(f"cluster {cluster}", sql, (cluster, without, since))]

    def copy_in(
        self, cluster: int, digest: bytes, without: int, *, indexed: bool = False, newest: bool = False
    ) -> DocumentRow | None:
        """Return the oldest, or the *newest*, member with this digest, or the oldest *indexed*, but row *without*."""
        order = "coalesce(published, arrived) DESC, row DESC" if newest else _AGE
        sql = f"{_SELECT_DOCUMENT} WHERE cluster=? AND digest=? AND row<>? AND indexed>=? ORDER BY {order} LIMIT 1"
        return _document(self._row(f"cluster {cluster}", sql, (cluster, digest, without, int(indexed))))

    def has_head(self, cluster: int, without: int) -> bool:
        """Return whether a member but row *without* is in the tables with its passages."""
        sql = "SELECT 1 FROM documents WHERE cluster=? AND indexed=2 AND row<>? LIMIT 1"
        return self._row(f"cluster {cluster}", sql, (cluster, without)) is not None

    def members(self, cluster: int, limit: int) -> list[DocumentRow]:
        """Return the cluster's documents in order of arrival."""
        members = "SELECT row FROM documents WHERE cluster=? ORDER BY row LIMIT ?"
        sql = f"{_SELECT_DOCUMENT} WHERE row IN ({members}) ORDER BY row"
        return [DocumentRow(*values) for values in self._rows(f"cluster {cluster}", sql, (cluster, limit))]

    def count_members(self, cluster: int) -> int:
        ((count,),) = self._rows(f"cluster {cluster}", "SELECT count(*) FROM documents WHERE cluster=?", (cluster,))
        return int(count)

    def cluster_sizes(self) -> dict[int, dict[int, int]]:
        """Return by corpus how many clusters have how many members."""
        sized = "SELECT cluster, count(*) AS members FROM documents GROUP BY cluster"
        sql = f"SELECT corpus, members, count(*) FROM ({sized}) JOIN clusters USING (cluster) GROUP BY corpus, members"  # noqa: S608 - our own names
        sizes: dict[int, dict[int, int]] = {}
        for corpus, members, count in self._rows("the clusters", sql):
            sizes.setdefault(corpus, {})[members] = count
        return sizes

    def estimated_row_bytes(self, corpus: int, documents: int, sample: int) -> int:
        """Estimate the bytes of a corpus's rows by those of *sample* of its *documents*, taken at random."""
        columns = " + ".join(f"coalesce(length({name}), 0)" for name in _LONG_COLUMNS)
        some = "SELECT row FROM documents WHERE corpus=? ORDER BY random() LIMIT ?"
        sql = f"SELECT avg({columns}) FROM documents WHERE row IN ({some})"  # noqa: S608 - our own names
        ((mean,),) = self._rows("the sizes of documents", sql, (corpus, sample))
        return round(documents * ((mean or 0) + _SHORT_COLUMNS_BYTES))

    def put_override(self, row: OverrideRow) -> None:
        self._change().execute("INSERT OR REPLACE INTO overrides VALUES(?, ?, ?, ?, ?, ?)", astuple(row))

    def overrides_of(self, corpus: int, ids: Sequence[str]) -> dict[str, OverrideRow]:
        """Return the overrides of the documents named by *ids*, by id."""
        sql = "SELECT * FROM overrides WHERE corpus=? AND document_id IN (SELECT value FROM json_each(?))"
        found = self._rows("overrides by their ids", sql, (corpus, json.dumps(ids))) if ids else []
        return {row.document_id: row for row in (OverrideRow(*values) for values in found)}

    def overrides(self, corpus: int) -> list[OverrideRow]:
        sql = "SELECT * FROM overrides WHERE corpus=? ORDER BY created, document_id"
        return [OverrideRow(*values) for values in self._rows("the overrides", sql, (corpus,))]

    def statistics(self, corpus: int) -> dict[str, Any]:
        """Return counts over the corpus's documents, by one pass over its rows."""
        sql = (
            "SELECT count(*), total(indexed > 0), total(text_bytes), total(length(text)), max(published),"
            " count(*) FILTER (WHERE json_extract(judgement, '$.self_repetition.share') > 0)"
            " FROM documents WHERE corpus=?"
        )
        what = "the counts of documents"
        ((documents, indexed, text_bytes, stored_bytes, newest, repeating),) = self._rows(what, sql, (corpus,))
        verdicts = self._rows(
            what, "SELECT verdict, count(*) FROM documents WHERE corpus=? GROUP BY verdict", (corpus,)
        )
        ((clusters,),) = self._rows(
            what,
            "SELECT count(*) FROM (SELECT 1 FROM documents WHERE corpus=? GROUP BY cluster HAVING count(*) > 1)",
            (corpus,),
        )
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
