"""Whether a data folder holds what it should, and the repair of what can be derived from the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import zstandard

from baznashr.errors import StoreDamaged, StoreError
from baznashr.types import IndexPolicy, Policy
from baznashr_server.engine.clusters import seniority
from baznashr_server.engine.corpus import WITH_BANDS, WITH_PASSAGES
from baznashr_server.engine.records import judgement_from_row, policy_from_json
from baznashr_server.engine.tables import Tables
from baznashr_server.profile import PROFILES, Profile
from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.store.codec import array_to_blob, decompress
from baznashr_server.store.consistency import (
    all_rows,
    clusters_of_two_corpora,
    clusters_without_canonical,
    clusters_without_head,
    clusters_without_member,
    clusters_without_row,
    corpora_without_row,
    rows_with_strange_flag,
    texts_in_no_table,
)
from baznashr_server.store.folder import DATABASE, SNAPSHOTS, DataFolder
from baznashr_server.store.pages import damaged_pages
from baznashr_server.store.rows import CorpusRow, DocumentRow
from baznashr_server.store.schema import DAMAGE, check, connect
from baznashr_server.store.snapshots import SnapshotDamaged, read
from baznashr_server.store.store import Store

Progress = Callable[[str, int, int], object]
"""Told what is looked at, and how many of how many are done."""
SNAPSHOT = "snapshot "
MAX_PROBLEMS = 100
"""Lines of SQLite's own integrity check."""


@dataclass(frozen=True)
class Fault:
    where: str
    what: str
    repair: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Statements that put it right; none where it cannot be derived."""

    @property
    def is_repairable(self) -> bool:
        return bool(self.repair) or self.where.startswith(SNAPSHOT)


@dataclass
class Report:
    faults: list[Fault] = field(default_factory=list)
    documents: int | None = None
    """None where damaged pages kept them from being read."""
    repaired: int = 0
    """Of the faults; the others remain."""

    @property
    def is_sound(self) -> bool:
        return self.repaired == len(self.faults)


def verify(path: Path, *, repair: bool = False, progress: Progress = lambda *_: None) -> Report:
    """Check a data folder that nobody owns: pages, rows, clusters, tables. With *repair* put right what is derived.

    Where a page is damaged nothing is repaired: restore a backup.

    Raises:
        DataFolderInUse: It has an owner.
        StoreError, ProfileMismatch: It is no data folder, or of another format or profile.
    """
    folder = held_folder(path)
    report = Report()
    try:
        for fault in _store_faults(folder, report, progress):
            report.faults.append(fault)
        if repair and not any(fault.where.startswith(("page", "database")) for fault in report.faults):
            _repair(folder, report)
    finally:
        folder.release()
    return report


def held_folder(path: Path) -> DataFolder:
    """Take an existing data folder.

    Raises:
        DataFolderInUse: It has an owner.
        StoreError: There is no store in it.
    """
    if not (path / DATABASE).is_file():
        raise StoreError(f"{path} holds no store", reason="NO_STORE")
    return DataFolder.acquire(path)


def _store_faults(folder: DataFolder, report: Report, progress: Progress) -> Iterator[Fault]:
    try:
        with closing(connect(folder.database, writable=True)) as connection:
            broken = list(_page_faults(connection, folder.database, progress))
            yield from broken
            if broken:
                return
            check(connection, *PROFILES)
    except (*DAMAGE, StoreDamaged) as error:
        yield Fault("database", f"cannot be opened: {error}")
        return
    with closing(Store(folder, *PROFILES)) as store, closing(connect(folder.database, writable=False)) as connection:
        yield from _document_faults(store, connection, report, progress)
        yield from _cluster_faults(store, connection)
        yield from _flag_faults(store, connection)
        yield from _head_faults(store, connection)
        yield from _table_faults(folder, store, progress)


def _page_faults(connection: apsw.Connection, path: Path, progress: Progress) -> Iterator[Fault]:
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.Error as error:
        yield Fault("database", f"its log cannot be written into it: {error}")
    pages = damaged_pages(connection, path, lambda done, total: progress("pages", done, total))
    yield from (Fault(f"page {page}", "its checksum is wrong") for page in pages)
    if not pages:
        found = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})")]
        yield from (Fault("database", line) for line in found if line != "ok")


def _document_faults(store: Store, connection: apsw.Connection, report: Report, progress: Progress) -> Iterator[Fault]:
    rows = all_rows(connection)
    for done, number in enumerate(rows, 1):
        row = store.document_at(number)
        if row is not None:
            yield from document_faults(row, store.profile)
        progress("documents", done, len(rows))
    report.documents = len(rows)


def document_faults(row: DocumentRow, profile: Profile) -> Iterator[Fault]:
    """Yield what is wrong with one row by itself, under the store's profile."""
    where = f"document {row.id!r} of corpus {row.corpus}"
    try:
        judgement_from_row(row, "", profile.name, replayed=False)
        json.loads(row.labels)
    except (ValueError, KeyError, TypeError) as error:
        yield Fault(where, f"its judgement or labels cannot be read: {error}")
    if row.text is None:
        if len(row.signature) != 4 * profile.num_perm or len(row.passages) % 8:
            yield Fault(where, "its signature or passages have a wrong length, and no text is kept to make them from")
        return
    try:
        text = decompress(row.text)
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        yield Fault(where, f"its text cannot be read: {error}")
        return
    made = fingerprint(text, profile)
    if made.digest_bytes != row.digest:
        yield Fault(where, "its text does not have its digest")
        return
    derived = {
        "signature": array_to_blob(made.signature),
        "passages": array_to_blob(made.passages),
        "letters": int(made.letters.size),
        "text_bytes": len(text.encode()),
    }
    for name, value in derived.items():
        if getattr(row, name) != value:
            sql = f"UPDATE documents SET {name}=? WHERE row=?"  # noqa: S608 - our own names
            yield Fault(where, f"its {name} is not that of its text", ((sql, (value, row.row)),))


def _cluster_faults(store: Store, connection: apsw.Connection) -> Iterator[Fault]:
    corpora = {row.corpus: row for row in store.corpora()}
    for cluster, corpus in clusters_without_row(connection):
        heir = _senior(store, corpora.get(corpus), cluster)
        sql = "INSERT INTO clusters(cluster, corpus, canonical) VALUES(?, ?, ?)"
        yield Fault(f"cluster {cluster}", "has members and no row", ((sql, (cluster, corpus, heir.row)),))
    for cluster in clusters_without_member(connection):
        yield Fault(f"cluster {cluster}", "has no member", (("DELETE FROM clusters WHERE cluster=?", (cluster,)),))
    for cluster, corpus in clusters_without_canonical(connection):
        heir = _senior(store, corpora.get(corpus), cluster)
        sql = "UPDATE clusters SET canonical=?, pinned=0 WHERE cluster=?"
        yield Fault(f"cluster {cluster}", "its canonical document is no member", ((sql, (heir.row, cluster)),))
    for cluster in clusters_of_two_corpora(connection):
        yield Fault(f"cluster {cluster}", "has members of another corpus")
    for corpus in corpora_without_row(connection):
        yield Fault(f"corpus {corpus}", "has documents and does not exist")


def _senior(store: Store, corpus: CorpusRow | None, cluster: int) -> DocumentRow:
    policy = policy_from_json(corpus.policy) if corpus else Policy()
    return min(store.heirs(cluster, without=0), key=lambda row: seniority(row, policy))


def _flag_faults(store: Store, connection: apsw.Connection) -> Iterator[Fault]:
    for row in rows_with_strange_flag(connection):
        sql = "UPDATE documents SET indexed=? WHERE row=?"
        yield Fault(f"document row {row}", "its place in the tables is none", ((sql, (WITH_BANDS, row)),))
    for corpus in store.corpora():
        # Under another index policy, which the corpus may have had before its first one changed, copies stay out.
        every = corpus.policy_revision == 1 and policy_from_json(corpus.policy).index_policy is IndexPolicy.ALL
        # In a window that indexes originals, a copy is found through the original until that has expired.
        beside_heads = every or not corpus.window_days
        for row in texts_in_no_table(connection, corpus.corpus, every=every, beside_heads=beside_heads):
            sql = "UPDATE documents SET indexed=? WHERE row=?"
            what = "neither it nor another copy of its text is in the tables"
            yield Fault(f"document row {row} of corpus {corpus.name}", what, ((sql, (WITH_BANDS, row)),))


def _head_faults(store: Store, connection: apsw.Connection) -> Iterator[Fault]:
    for cluster, canonical in clusters_without_head(connection):
        centre = store.document_at(canonical)
        copy = centre and store.copy_in(cluster, centre.digest, without=0, indexed=True)
        head = canonical if copy is None else copy.row
        sql = "UPDATE documents SET indexed=? WHERE row=?"
        yield Fault(f"cluster {cluster}", "no member is found by its passages", ((sql, (WITH_PASSAGES, head)),))


def _table_faults(folder: DataFolder, store: Store, progress: Progress) -> Iterator[Fault]:
    tables = Tables(store, folder.path, snapshot_seconds=0)
    corpora = store.corpora()
    for done, corpus in enumerate(corpora, 1):
        path = tables.path(corpus.corpus)
        if path.exists():
            try:
                read(path)
            except (OSError, ValueError, SnapshotDamaged) as error:
                yield Fault(f"{SNAPSHOT}{path.name}", f"{error}; it will be written anew")
                continue
            built = tables.build(corpus).listing()
            loaded = tables.fill(corpus).listing()
            if wrong := differences(loaded, built):
                yield Fault(f"{SNAPSHOT}{path.name}", f"differs from its documents in {', '.join(wrong)}")
        progress("tables", done, len(corpora))
    tables.close((), save=False)


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the names of the parts in which two listings of tables differ."""
    return [name for name in one.keys() & other.keys() if not np.array_equal(one[name], other[name])]


def _repair(folder: DataFolder, report: Report) -> None:
    """Apply the repairs in one transaction, and let go of snapshots that are wrong or may now be."""
    mended = [fault for fault in report.faults if fault.repair]
    snapshots = [fault for fault in report.faults if fault.where.startswith(SNAPSHOT)]
    with closing(connect(folder.database, writable=True)) as connection, connection:
        for fault in mended:
            for sql, values in fault.repair:
                connection.execute(sql, values)
    for fault in snapshots:
        (folder.path / SNAPSHOTS / fault.where.removeprefix(SNAPSHOT)).unlink(missing_ok=True)
    report.repaired = len(mended) + len(snapshots)
