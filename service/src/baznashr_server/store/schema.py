"""The database's tables and the connections to them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import apsw
import apsw.sqlite_extra

from baznashr.errors import FormatMismatch, ProfileMismatch, StoreDamaged, StoreError
from baznashr_server.profile import Profile

FORMAT = 1
"""Of the tables below; a store of another format is refused."""
APPLICATION_ID = 0x62617A6E
""""bazn", for file(1) and for telling a stranger's database."""
PAGE_SIZE = 8192
CHECKSUM_BYTES = 8
"""Reserved at the end of each page for cksumvfs."""
VFS = "cksmvfs"
CACHE_KIB = 64 * 1024
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)
"""What SQLite raises where it cannot read a page, or its checksum is wrong."""
_UNREADABLE = {f"SQLITE_IOERR_{what}" for what in ("READ", "SHORT_READ", "DATA", "CORRUPTFS")}
JOURNAL_KIB = 64 * 1024
"""To which the log is cut once it was written into the database."""
BUSY_WAIT_MS = 10_000
FILE_MODE = 0o600
"""Of the database, for its owner alone whatever the umask; SQLite gives its log the same."""
MMAP_BYTES = 0
"""Off: pages read through a memory map would not have their checksums verified."""

SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE corpora(
    corpus INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    window_days INTEGER NOT NULL,
    keep_text INTEGER NOT NULL,
    policy TEXT NOT NULL,
    policy_revision INTEGER NOT NULL,
    created INTEGER NOT NULL,
    shadow_policy TEXT
) STRICT;
CREATE TABLE documents(
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    corpus INTEGER NOT NULL,
    id TEXT NOT NULL,
    digest BLOB NOT NULL,
    arrived INTEGER NOT NULL,
    published INTEGER,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT NOT NULL,
    labels TEXT NOT NULL,
    text BLOB,
    text_bytes INTEGER NOT NULL,
    signature BLOB NOT NULL,
    passages BLOB NOT NULL,
    letters INTEGER NOT NULL,
    indexed INTEGER NOT NULL,
    cluster INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    judgement TEXT NOT NULL,
    UNIQUE(corpus, id)
) STRICT;
CREATE INDEX documents_by_cluster ON documents(cluster, published IS NULL, coalesce(published, arrived), digest);
CREATE INDEX documents_by_time ON documents(corpus, coalesce(published, arrived), arrived);
CREATE INDEX documents_in_tables ON documents(corpus) WHERE indexed > 0;
CREATE TABLE table_changes(corpus INTEGER PRIMARY KEY, changes INTEGER NOT NULL) STRICT;
CREATE TRIGGER documents_deleted AFTER DELETE ON documents WHEN OLD.indexed > 0 BEGIN
    INSERT INTO table_changes VALUES(OLD.corpus, 1) ON CONFLICT(corpus) DO UPDATE SET changes = changes + 1;
END;
CREATE TRIGGER documents_changed AFTER UPDATE OF indexed, digest, signature, passages, letters ON documents BEGIN
    INSERT INTO table_changes VALUES(OLD.corpus, 1) ON CONFLICT(corpus) DO UPDATE SET changes = changes + 1;
END;
CREATE TABLE dropped_corpora(corpus INTEGER PRIMARY KEY) STRICT;
CREATE TABLE progress(task TEXT PRIMARY KEY, row INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE clusters(
    cluster INTEGER PRIMARY KEY,
    corpus INTEGER NOT NULL,
    canonical INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE overrides(
    corpus INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    target_id TEXT,
    note TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY(corpus, document_id)
) STRICT, WITHOUT ROWID;
"""
"""Times are microseconds since 1970, UTC. `labels`, `policy`, `shadow_policy` and `judgement` are JSON. `text` is a
Zstandard frame. `documents.cluster` names the star a document belongs to; `clusters.canonical` is the row of its
centre.
`table_changes` counts, by corpus, what a snapshot of the tables cannot catch up with: all but new documents. Documents
of `dropped_corpora` wait to be deleted, in pieces. `progress` holds how far work in pieces has come."""

ADDED = """
CREATE TABLE IF NOT EXISTS clocks(corpus INTEGER PRIMARY KEY, newest INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS renewed(row INTEGER PRIMARY KEY, signature BLOB NOT NULL, passages BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS documents_renewed AFTER DELETE ON documents BEGIN
    DELETE FROM renewed WHERE row = OLD.row;
END;
"""
"""What stores of this format were first written without, and releases that do not know it pass over: `clocks` holds how
far a corpus's time had come where the documents left do not tell, since the newest was deleted; `renewed` what
documents have under the profile that the store is on its way to (`store.renewal`)."""


@cache
def _register_checksums() -> None:
    """Register cksumvfs, once a process; it verifies each page read and computes the checksum of each page written."""
    loader = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(loader, "cksumvfs")
    loader.close()


def code_of(error: apsw.Error) -> str:
    """Return SQLite's name of what went wrong, such as SQLITE_IOERR_DATA for a wrong checksum."""
    extended: int = getattr(error, "extendedresult", 0)
    return str(apsw.mapping_extended_result_codes.get(extended, type(error).__name__))


def describe(error: apsw.Error) -> str:
    """Return SQLite's name of what went wrong, with its message where it has one."""
    return code_of(error) if str(error) == "not an error" else f"{code_of(error)}: {error}"


def is_damage(error: apsw.Error) -> bool:
    """Whether a file that is read is damaged, where another that is written to may have failed as well."""
    return isinstance(error, (apsw.CorruptError, apsw.NotADBError)) or code_of(error) in _UNREADABLE


def unusable(path: Path, error: apsw.Error) -> StoreError:
    """Return what to raise where a database cannot be opened: for damage, a full disk, or a file that is another's."""
    if is_damage(error):
        return StoreDamaged(f"{path} cannot be read ({code_of(error)})")
    return StoreError(f"{path} cannot be opened ({describe(error)})", reason="DATA_FOLDER_UNUSABLE")


def connect(path: Path, *, writable: bool) -> apsw.Connection:
    """Open one connection with the store's settings; the writer's commits wait for fsync (`synchronous=FULL`).

    Raises:
        StoreDamaged: SQLite cannot read the file.
        StoreError: It cannot be opened, or nothing can be written to it.
    """
    _register_checksums()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if writable else apsw.SQLITE_OPEN_READONLY
    try:
        if writable and not path.exists():
            path.touch(FILE_MODE)
        connection = apsw.Connection(str(path), flags=flags, vfs=VFS)
        connection.set_busy_timeout(BUSY_WAIT_MS)
        if writable:
            connection.reserve_bytes("main", CHECKSUM_BYTES)
            connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
            connection.execute("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON")
            connection.execute(f"PRAGMA journal_size_limit={JOURNAL_KIB * 1024}")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}; PRAGMA mmap_size={MMAP_BYTES}")
    except apsw.Error as error:
        raise unusable(path, error) from error
    if writable and connection.readonly("main"):
        connection.close()
        raise StoreError(f"{path} cannot be written to", reason="DATA_FOLDER_UNUSABLE")
    return connection


def prepare(connection: apsw.Connection, *profiles: Profile) -> Profile:
    """Return which of *profiles* a database is under; an empty one gets its tables, and comes under the first.

    Raises:
        FormatMismatch: Written by another release, or no database of ours.
        ProfileMismatch: Written under another profile.
        StoreDamaged: Its header was changed.
    """
    profile = profiles[0]
    if connection.execute("SELECT count(*) FROM sqlite_master").get:
        profile = check(connection, *profiles)
        # The page header says whether pages carry checksums, and where it is damaged none would be verified.
        if connection.execute("PRAGMA checksum_verification").get != "1":
            raise StoreDamaged(f"{connection.filename}: the header does not say that pages carry checksums")
        connection.execute(ADDED)
    else:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        with connection:
            connection.execute(SCHEMA)
            connection.execute(ADDED)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}")
            connection.executemany("INSERT INTO meta VALUES(?, ?)", profile.describe().items())
    # Written to the file, so not before it is known to be ours.
    connection.execute("PRAGMA journal_mode=WAL")
    return profile


def check(connection: apsw.Connection, *profiles: Profile) -> Profile:
    """Check that a database is ours, of our format and under one of *profiles*; return which.

    Raises:
        FormatMismatch: Written by another release, or no database of ours.
        ProfileMismatch: Written under another profile.
    """
    if connection.execute("PRAGMA application_id").get != APPLICATION_ID:
        raise FormatMismatch("the file is a SQLite database, but not one of Baznashr")
    found = int(connection.execute("PRAGMA user_version").get)
    if found != FORMAT:
        raise FormatMismatch(
            f"the store has format {found} and this release reads format {FORMAT}: "
            "open it with the release that wrote it, or restore a backup",
            metadata={"found": str(found), "expected": str(FORMAT)},
        )
    stored = {str(key): str(value) for key, value in connection.execute("SELECT key, value FROM meta")}
    for profile in profiles:
        if stored == profile.describe():
            return profile
    expected = next((profile for profile in profiles if profile.name == stored.get("name")), profiles[0]).describe()
    differing = sorted(key for key in expected.keys() | stored.keys() if stored.get(key) != expected.get(key))
    detail = ", ".join(f"{key}: {stored.get(key)} instead of {expected.get(key)}" for key in differing)
    raise ProfileMismatch(f"the store was written under another profile ({detail}); build it anew under this one")
