"""Copies of a store that are consistent and on disk, taken while it is written to, and put back where none is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import apsw

from baznashr.errors import StoreDamaged, StoreError
from baznashr_server.profile import Profile
from baznashr_server.store.folder import DATABASE, LOCK, DataFolder, sync_folder
from baznashr_server.store.schema import VFS, check, connect, describe, is_damage

LAST_BACKUP = "last-backup"
"""Empty file of a data folder; its time is that of the last backup taken of it, whoever took it."""
PAGES_A_STEP = 512
"""4 MiB between two reports of progress."""

Progress = Callable[[int, int], object]
"""Told how many of how many pages are done."""


def copy_database(source: Path, target: Path, progress: Progress | None = None) -> int:
    """Copy the database *source* as it is at this moment to the new file *target*; return its size in bytes.

    Only reads *source*, whose owner may go on writing: the copy is one moment's, and every page read has its checksum
    verified. *target* appears under its name when it is whole and on disk.

    Raises:
        StoreDamaged: A page of *source* is damaged.
        StoreError: *target* exists or cannot be written, or *source* cannot be opened.
    """
    if target.exists():
        raise StoreError(f"{target} exists already", reason="FILE_EXISTS")
    temporary = target.with_name(target.name + ".partial")
    try:
        temporary.unlink(missing_ok=True)
        with closing(connect(source, writable=False)) as reader:
            _copy(reader, temporary, progress)
        size = _settle(temporary)
        temporary.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error}", reason="BACKUP_FAILED") from error
    except apsw.Error as error:
        failure = f"{source} cannot be copied to {target} ({describe(error)})"
        raise StoreDamaged(failure) if is_damage(error) else StoreError(failure, reason="BACKUP_FAILED") from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):  # which would be told in place of what went wrong
                Path(f"{temporary}{suffix}").unlink()
    return size


def backup_folder(data: Path, target: Path, progress: Progress | None = None) -> int:
    """Copy the store of a data folder, in use or not, to the new file *target*; return its size in bytes.

    Raises:
        StoreError: There is no store, or *target* exists or cannot be written.
        StoreDamaged: A page of the store is damaged.
    """
    if not (data / DATABASE).is_file():
        raise StoreError(f"{data} holds no store", reason="NO_STORE")
    size = copy_database(data / DATABASE, target, progress)
    with suppress(OSError):  # whoever may only read the folder may still back it up
        _mark(data)
    return size


def _mark(data: Path) -> None:
    """Make the file of the last backup anew, as the folder's owner's: it may be root's, who takes backups too."""
    mark = data / LAST_BACKUP
    mark.unlink(missing_ok=True)
    mark.touch(0o600)
    if os.geteuid() == 0:
        owner = data.stat()
        os.chown(mark, owner.st_uid, owner.st_gid)


def last_backup(data: Path) -> float | None:
    """Return when the last backup of a data folder was taken, in seconds since 1970; None where none is known."""
    try:
        return (data / LAST_BACKUP).stat().st_mtime
    except OSError:
        return None


def _copy(reader: apsw.Connection, target: Path, progress: Progress | None) -> None:
    reader.execute("BEGIN")
    # Pins the moment: a copy in steps would otherwise begin anew with every commit of the owner.
    reader.execute("SELECT 1 FROM meta").fetchall()
    with closing(apsw.Connection(str(target), vfs=VFS)) as writer:
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(PAGES_A_STEP)
                if progress:
                    progress(backup.page_count - backup.remaining, backup.page_count)
        # One file, which can be read where nothing can be written beside it.
        writer.execute("PRAGMA journal_mode=DELETE")


def _settle(path: Path) -> int:
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def restore_database(backup: Path, target: Path, profiles: Sequence[Profile], progress: Progress | None = None) -> None:
    """Make *target* a data folder that holds what *backup* does, once the whole copy was found sound.

    Raises:
        DataFolderInUse: *target* has an owner.
        StoreError: *target* holds something already, or *backup* cannot be read.
        StoreDamaged: *backup* is damaged.
        FormatMismatch, ProfileMismatch: *backup* is not of this release's format, or under none of *profiles*.
    """
    if not backup.is_file():
        raise StoreError(f"{backup} is no file", reason="NO_BACKUP")
    folder = DataFolder.acquire(target)
    try:
        if found := sorted(path.name for path in folder.path.iterdir() if path.name != LOCK):
            raise StoreError(
                f"{folder.path} is not empty ({found[0]}); restore into a new folder", reason="FOLDER_NOT_EMPTY"
            )
        waiting = folder.path / "restored.sqlite3"
        copy_database(backup, waiting, progress)
        try:
            check_integrity(waiting, *profiles)
        except BaseException:
            waiting.unlink()
            raise
        finally:
            for suffix in ("-wal", "-shm"):
                Path(f"{waiting}{suffix}").unlink(missing_ok=True)
        waiting.rename(folder.database)
        sync_folder(folder.path)
    finally:
        folder.release()


def check_integrity(database: Path, *profiles: Profile) -> None:
    """Read every page of a database, compare tables with indexes, and check its format and profile.

    Raises:
        StoreDamaged: Something is wrong with it.
        FormatMismatch, ProfileMismatch: It is not of this release's format or profile.
    """
    try:
        with closing(connect(database, writable=False)) as connection:
            check(connection, *profiles)
            found = str(connection.execute("PRAGMA integrity_check").get)
    except apsw.Error as error:
        raise StoreDamaged(f"{database} is damaged: {error}") from error
    if found != "ok":
        raise StoreDamaged(f"{database} is damaged: {found.splitlines()[0]}")
