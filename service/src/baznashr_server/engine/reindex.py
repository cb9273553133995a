"""What is derived from the stored texts, made anew: in place, or under another profile beside what is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

import apsw

from baznashr.errors import InvalidArgument, StoreError, TextNotKept
from baznashr_server.engine.verify import Progress, document_faults, held_folder
from baznashr_server.engine.writer import Changes
from baznashr_server.profile import PROFILE_OF, PROFILES, Profile
from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.store import renewal
from baznashr_server.store.codec import array_to_blob, decompress
from baznashr_server.store.consistency import all_rows
from baznashr_server.store.schema import connect, describe, is_damage, unusable
from baznashr_server.store.store import Store

log = logging.getLogger(__name__)

TASK = "reindex"
BATCH = 256
"""Documents of one transaction, offline."""
PIECE = 32
"""Documents made anew between two commits of a live store: some 5 ms of the writer's time."""
MAX_AT_START = 4096
"""Documents that a start waits for, about a second; with more left the store is served as it is, and goes on."""
LOG_SECONDS = 30.0


def known(profile: str) -> Profile:
    """Return the profile of a name; InvalidArgument without one."""
    found = PROFILE_OF.get(profile)
    if found is None:
        names = ", ".join(known.name for known in PROFILES)
        raise InvalidArgument(
            f"There is no profile {profile!r}; this release knows {names}.", reason="INVALID_FIELD", field="profile"
        )
    return found


def reindex(path: Path, profile: str, *, progress: Progress = lambda *_: None) -> tuple[int, int]:
    """Bring a store under a profile, or make everything anew under the one that it has.

    Goes on where an interrupted run, or a server, stopped. The folder must have no owner.

    Returns:
        How many documents there were, and how many changed.

    Raises:
        InvalidArgument: There is no such profile.
        TextNotKept: Documents are stored without their texts.
        DataFolderInUse: The folder has an owner.
        StoreError: It is no data folder, or of another format or profile.
    """
    wanted = known(profile)
    folder = held_folder(path)
    try:
        with closing(Store(folder, *PROFILES)) as store:
            check_texts(store.connection)
            if wanted == store.profile:
                renewal.aim(store.connection, None)
                with closing(connect(folder.database, writable=True)) as connection:
                    return _in_place(store, connection, progress)
            return _beside(store.connection, wanted, progress)
    except apsw.Error as error:
        if is_damage(error):
            raise unusable(folder.database, error) from error
        failure = f"{folder.database} cannot be written ({describe(error)}); the next run goes on where this stopped"
        raise StoreError(failure, reason="DATA_FOLDER_UNUSABLE") from error
    finally:
        folder.release()


def check_texts(connection: apsw.Connection) -> None:
    """Raise TextNotKept, with the number, where documents are stored without their texts."""
    without = renewal.documents_without_text(connection)
    if without:
        raise TextNotKept(
            f"{without} documents are stored without their texts, and nothing can be made anew from nothing.",
            metadata={"documents": str(without)},
        )


def _in_place(store: Store, connection: apsw.Connection, progress: Progress) -> tuple[int, int]:
    start = int(connection.execute("SELECT max(row) FROM progress WHERE task=?", (TASK,)).get or 0)
    rows = all_rows(connection)
    left = [row for row in rows if row > start]
    changed = 0
    done = len(rows) - len(left)
    for batch in batched(left, BATCH):
        with connection:
            changed += sum(_renew(store, connection, row) for row in batch)
            connection.execute("INSERT OR REPLACE INTO progress VALUES(?, ?)", (TASK, batch[-1]))
        done += len(batch)
        progress("documents", done, len(rows))
    connection.execute("DELETE FROM progress WHERE task=?", (TASK,))
    return len(rows), changed


def _renew(store: Store, connection: apsw.Connection, number: int) -> bool:
    row = store.document_at(number)
    faults = () if row is None else document_faults(row, store.profile)
    repairs = [statement for fault in faults for statement in fault.repair]
    for sql, values in repairs:
        connection.execute(sql, values)
    return bool(repairs)


def _beside(connection: apsw.Connection, wanted: Profile, progress: Progress) -> tuple[int, int]:
    renewal.aim(connection, wanted)
    total, left = renewal.count(connection)
    done = total - left
    for made in _pieces(connection, wanted, BATCH):
        done += made
        progress("documents", done, total)
    renewal.switch(connection)
    renewal.settle(connection, lambda _, moved, of: progress("moved", moved, of))
    return total, total


def _pieces(connection: apsw.Connection, profile: Profile, size: int) -> Iterator[int]:
    """Make all that waits, a transaction at a time, and yield how many documents each made."""
    made = size
    while made:
        with connection:
            made = _piece(connection, profile, size)
        yield made


def _piece(connection: apsw.Connection, profile: Profile, size: int) -> int:
    texts = renewal.waiting(connection, size)
    if texts:
        renewal.put(connection, [_made(row, frame, profile) for row, frame in texts])
    return len(texts)


def _made(row: int, frame: bytes, profile: Profile) -> renewal.Made:
    own = fingerprint(decompress(frame), profile)
    return row, array_to_blob(own.signature), array_to_blob(own.passages)


def arrive(store: Store, profile: str | None) -> None:
    """At a start, bring the store under the profile that it is on its way to, if there is next to nothing left to do.

    Args:
        profile: Set out for that one then, if the store is not under it; None: leave it as it is.

    Raises:
        InvalidArgument: There is no such profile.
        TextNotKept: Documents are stored without their texts.
    """
    wanted = renewal.target(store.connection)
    if wanted is not None:
        _finish(store, wanted)
    if profile is not None:
        _set_out(store, known(profile))


def _finish(store: Store, wanted: Profile) -> None:
    _, left = renewal.count(store.connection)
    if left > MAX_AT_START:
        log.info("under profile %s until %d documents are made anew under %s", store.profile.name, left, wanted.name)
        return
    for _ in _pieces(store.connection, wanted, BATCH):
        pass
    reached = renewal.switch(store.connection)
    if reached is None:
        without = renewal.documents_without_text(store.connection)
        log.warning("under profile %s still: %d documents have no text", store.profile.name, without)
        return
    renewal.settle(store.connection)
    store.profile = reached
    log.info("under profile %s from now on", reached.name)


def _set_out(store: Store, wanted: Profile) -> None:
    if wanted != store.profile:
        check_texts(store.connection)
    renewal.aim(store.connection, None if wanted == store.profile else wanted)


@dataclass(eq=False)
class Renew:
    """Makes a bounded number of documents anew, beside what they have; the writer's work."""

    store: Store
    profile: Profile
    documents: int = 0
    ends_group: bool = False

    def __call__(self, changes: Changes) -> int:  # noqa: ARG002 - the tables stay those of the store's profile
        return _piece(self.store.connection, self.profile, PIECE)


class Renewal:
    """What is left to make anew of a live store; for the writer's thread alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next_line = 0.0

    def due(self) -> Renew | None:
        """Return the next piece; None where nothing waits."""
        connection = self._store.connection
        wanted = renewal.target(connection)
        if wanted is None:
            return None
        is_due = bool(renewal.waiting(connection, 1))
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LOG_SECONDS
            documents, left = renewal.count(connection)
            log.info("%d of %d documents are made anew for profile %s", documents - left, documents, wanted.name)
        return Renew(self._store, wanted) if is_due else None
