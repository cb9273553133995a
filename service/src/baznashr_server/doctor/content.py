"""What is in a store, read without changing it, whether a server has it open or not."""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path

import apsw

from baznashr.errors import FormatMismatch, ProfileMismatch, StoreError
from baznashr_server.doctor.findings import Finding, Findings, broken, duration, note, ok, warning
from baznashr_server.limits import MIN_SNAPSHOT_DOCUMENTS
from baznashr_server.profile import PROFILES, Profile
from baznashr_server.store import snapshots
from baznashr_server.store.folder import DATABASE, SNAPSHOTS
from baznashr_server.store.pages import count_pages, damaged_pages
from baznashr_server.store.schema import FORMAT, check, connect

SAMPLED_PAGES = 4000
"""Read for the quick check: 32 MB."""
HALF_WRITTEN_SECONDS = 0.5
AHEAD_SECONDS = 60
OLD_SNAPSHOT_SECONDS = 86_400


def examine(data: Path) -> Findings:
    """Yield what is to be said of the database and the snapshots of its tables."""
    database = data / DATABASE
    try:
        with closing(connect(database, writable=False)) as connection:
            profile = check(connection, *PROFILES)
            yield ok("format", f"format {FORMAT}, profile {profile.name}")
            yield from _pages(connection, database, data)
            yield from _clock(connection)
            yield from _content(connection)
            yield from _snapshots(connection, data, profile)
    except (FormatMismatch, ProfileMismatch) as error:
        yield broken("format", error.message, _RENEW if "profile" in error.message else _OTHER_RELEASE)
    except StoreError as error:
        yield _unreadable(data, error.message)
    except apsw.Error as error:
        yield _unreadable(data, str(error))


_OTHER_RELEASE = "open it with the release that wrote it, or restore a backup made for this one"
_RENEW = "open it with the release that wrote it, or bring it under this profile: baznashr-server reindex --help"


def _unreadable(data: Path, why: str) -> Finding:
    return broken(
        "database",
        f"it cannot be read: {why}",
        f"keep a copy of {data}, then restore the last backup into a new folder: baznashr-server restore FILE NEW",
    )


def _pages(connection: apsw.Connection, database: Path, data: Path) -> Findings:
    every = range(1, count_pages(database) + 1)
    chosen = sorted(random.sample(every, min(len(every), SAMPLED_PAGES)))
    damaged = damaged_pages(connection, database, lambda *_: None, chosen)
    if damaged:
        # A page may have been half written when it was read, by the server that has the store open.
        time.sleep(HALF_WRITTEN_SECONDS)
        damaged = damaged_pages(connection, database, lambda *_: None, damaged)
    if damaged:
        yield broken(
            "checksums",
            f"{len(damaged)} of {len(chosen)} pages read do not have their checksum, first page {damaged[0]}",
            f"stop the server, see all of it with baznashr-server verify {data}, and restore the last backup",
        )
    else:
        yield ok("checksums", f"{len(chosen)} pages read, all with their checksum")


def _clock(connection: apsw.Connection) -> Findings:
    newest = connection.execute("SELECT arrived FROM documents ORDER BY row DESC LIMIT 1").get
    ahead = 0 if newest is None else newest / 1e6 - time.time()
    if ahead > AHEAD_SECONDS:
        yield warning(
            "clock",
            f"the newest article arrived {duration(ahead)} in the future: this machine's clock is behind, or was ahead",
            "put the clock right (NTP); arrival times stand still until it has caught up",
        )
    else:
        yield ok("clock", "no article came from the future")


def _content(connection: apsw.Connection) -> Findings:
    documents = int(connection.execute("SELECT count(*) FROM documents").get)
    corpora = int(connection.execute("SELECT count(*) FROM corpora").get)
    yield ok("content", f"{documents:,} documents, {corpora:,} corpora")
    if connection.execute("SELECT 1 FROM dropped_corpora LIMIT 1").get:
        yield note("content", "documents of deleted corpora are still to be removed", "a server does so while it rests")


def _snapshots(connection: apsw.Connection, data: Path, profile: Profile) -> Findings:
    counts = "SELECT corpus, count(*) FROM documents WHERE indexed > 0 GROUP BY corpus"
    indexed: dict[int, int] = dict(connection.execute(counts).fetchall())  # type: ignore[arg-type]
    names: dict[int, str] = dict(connection.execute("SELECT corpus, name FROM corpora").fetchall())  # type: ignore[arg-type]
    wrong = False
    for corpus, count in indexed.items():
        if count >= MIN_SNAPSHOT_DOCUMENTS and corpus in names:
            path = data / SNAPSHOTS / f"{corpus}.tables"
            for finding in _snapshot(connection, path, profile, (corpus, names[corpus], count)):
                wrong = True
                yield finding
    strange = {path.name for path in (data / SNAPSHOTS).glob("*")} - {f"{corpus}.tables" for corpus in names}
    if strange:
        yield note("snapshots", f"{min(strange)} belongs to no corpus", "the next start removes it")
    if not wrong:
        yield ok("snapshots", "the next start need not read all documents")


def _snapshot(connection: apsw.Connection, path: Path, profile: Profile, of: tuple[int, str, int]) -> Findings:
    corpus, name, indexed = of
    slow = f"the next start reads all {indexed:,} documents of corpus {name}"
    try:
        header, _ = snapshots.read(path)
    except FileNotFoundError:
        yield warning("snapshots", f"there is none of corpus {name}: {slow}", "stop the server by SIGTERM, once")
        return
    except (OSError, ValueError, KeyError, snapshots.SnapshotDamaged) as error:
        yield warning("snapshots", f"{path.name} is unreadable ({error}): {slow}", f"rm {path}; it is written anew")
        return
    if (header.get("corpus"), header.get("profile")) != (corpus, profile.describe()):
        yield warning("snapshots", f"{path.name} is of another store or profile: {slow}", f"rm {path}")
        return
    changes = connection.execute("SELECT changes FROM table_changes WHERE corpus=?", (corpus,)).get or 0
    age = time.time() - path.stat().st_mtime
    if header.get("changes") != changes:
        yield note("snapshots", f"documents of corpus {name} left or changed since: {slow}")
    elif age > OLD_SNAPSHOT_SECONDS and indexed - header["indexed"][0] > MIN_SNAPSHOT_DOCUMENTS:
        yield warning(
            "snapshots",
            f"{path.name} is {duration(age)} old and lacks {indexed - header['indexed'][0]:,} documents",
            "see why none is written: the log says so, or snapshot_seconds is long",
        )
