"""Backups that callers ask for, in the one folder that the operator chose."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import structlog

from baznashr.errors import AlreadyExists, FailedPrecondition, InvalidArgument, StoreError, Unavailable
from baznashr.types import Backup
from baznashr_server.engine import Engine

log = structlog.get_logger()

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
REPORT_SECONDS = 10.0


class Backups:
    """One at a time."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._taking = Lock()

    def take(self, engine: Engine, name: str) -> Backup:
        """Copy the store to a new file of this name, made of the time where it is empty.

        Raises:
            InvalidArgument: The name could lead out of the folder, or is too long.
            AlreadyExists: The file exists.
            FailedPrecondition: There is no backup folder, or it cannot be written to.
            Unavailable: Another backup is being taken.
        """
        if self._folder is None:
            raise FailedPrecondition("The server has no backup folder; set backup_dir.", reason="BACKUPS_OFF")
        name = name or f"baznashr-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite3"
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                "A name has 1 to 100 characters of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or digit.",
                reason="INVALID_FIELD",
                field="name",
            )
        if not self._taking.acquire(blocking=False):
            raise Unavailable(
                "Another backup is being taken.", reason="OVERLOADED", metadata={"retry_after_ms": "10000"}
            )
        try:
            return self._take(engine, self._folder / name)
        finally:
            self._taking.release()

    def _take(self, engine: Engine, path: Path) -> Backup:
        start = reported = time.monotonic()

        def report(pages: int, total: int) -> None:
            nonlocal reported
            if time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                log.info("backup", path=str(path), pages=pages, total=total)

        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            size = engine.backup(path, report)
        except (StoreError, OSError) as error:
            if isinstance(error, StoreError) and error.reason == "FILE_EXISTS":
                raise AlreadyExists("A backup of this name exists.", reason="BACKUP_EXISTS", field="name") from None
            log.exception("backup failed", path=str(path))
            raise FailedPrecondition("The backup failed; the server's log says why.", reason="BACKUP_FAILED") from None
        log.info("backup taken", path=str(path), bytes=size, seconds=round(time.monotonic() - start, 3))
        return Backup(str(path), size)
