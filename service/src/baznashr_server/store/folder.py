"""A data folder and its one owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from baznashr.errors import DataFolderInUse, StoreError

DATABASE = "baznashr.sqlite3"
LOCK = "LOCK"
SNAPSHOTS = "tables"
"""The folder of what spares the time to fill the tables: made of documents, so that none are without any."""


def sync_folder(path: Path) -> None:
    """Make what was created, renamed or removed inside a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(folder: Path) -> None:
    """Create a folder and those above it, so that a power loss after an answer takes none of them away."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def _unusable(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{folder} cannot be used as a data folder: {error.strerror}", reason="DATA_FOLDER_UNUSABLE")


class DataFolder:
    """An exclusively held folder. The lock is the kernel's (flock): it goes with the process, however that ends."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def acquire(cls, path: str | os.PathLike[str]) -> Self:
        """Create the folder if need be, readable by its owner alone, and take it.

        Raises:
            DataFolderInUse: Another process, or another engine of this one, holds it.
            StoreError: The path cannot be a data folder.
        """
        folder = Path(path).absolute()
        try:
            _make(folder)
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise DataFolderInUse(
                f"{folder} is in use by process {pid}; a data folder has one owner at a time", metadata={"pid": pid}
            ) from error
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:  # the disk is full
            os.close(lock)
            raise _unusable(folder, error) from error
        return cls(folder, lock)

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def release(self) -> None:
        os.close(self._lock)
