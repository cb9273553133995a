"""Which files of a folder are new or changed, and at rest."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeAlias

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
"""How programs name files that they are still writing."""

Version: TypeAlias = tuple[int, int, int]
"""Of a file's content: time of change in ns, size in bytes, inode."""


class Arrivals:
    """The files of a folder and its subfolders that are to be taken, each version once.

    A file is taken when it has not changed for some seconds, so that one that is being written is not torn. Where a
    writer pauses for longer, the file is taken again when it changes again.

    Args:
        folder: Where they arrive.
        patterns: Of file names, of which one must match. Hidden and unfinished files never do.
        settle_seconds: How long a file must not have changed.
    """

    def __init__(self, folder: Path, patterns: Sequence[str], settle_seconds: float) -> None:
        self.folder = folder
        self._patterns = patterns
        self._settle = settle_seconds
        self._taken: dict[Path, Version] = {}
        self._changing: dict[Path, tuple[Version, float]] = {}  # since when it has this version

    def __len__(self) -> int:
        """How many wait to be taken."""
        return len(self._changing)

    def scan(self) -> None:
        """Note every file; what is no longer there is forgotten."""
        for path in [path for path in (*self._taken, *self._changing) if not path.exists()]:
            self.note(path)
        self._walk(self.folder)

    def _walk(self, folder: Path) -> None:
        for root, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                self.note(Path(root, name))

    def note(self, path: Path) -> None:
        """Look at a file that may be new, changed, or gone."""
        version = _version(path)
        if version is None:
            self._taken.pop(path, None)
            self._changing.pop(path, None)
            if path.is_dir():
                self._walk(path)
        elif not self._matches(path) or self._taken.get(path) == version:
            self._changing.pop(path, None)
        elif self._changing.get(path, (None, 0))[0] != version:
            self._changing[path] = (version, _since(version))

    def at_rest(self) -> list[Path]:
        """Return the files to be taken, those that changed first before the others."""
        for path in list(self._changing):
            self.note(path)
        ready = [path for path, (_, since) in self._changing.items() if time.monotonic() - since >= self._settle]
        return sorted(ready, key=lambda path: (self._changing[path][0][0], path))

    def taken(self, path: Path) -> None:
        """Note that the version which ``at_rest`` saw was dealt with; a later one is taken too."""
        waiting = self._changing.pop(path, None)
        if waiting is not None:
            self._taken[path] = waiting[0]
            self.note(path)

    def take_all(self) -> None:
        """Pass over what is there now."""
        self.scan()
        for path in list(self._changing):
            self.taken(path)

    def _matches(self, path: Path) -> bool:
        name = path.name
        parts = path.relative_to(self.folder).parts
        return (
            not any(part.startswith(".") for part in parts)
            and not name.endswith(_UNFINISHED)
            and any(fnmatch(name, pattern) for pattern in self._patterns)
        )


def _version(path: Path) -> Version | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _since(version: Version) -> float:
    """Return when the file took this version, on the monotonic clock: what is old need not be waited for."""
    age = time.time() - version[0] / 1e9
    return time.monotonic() - max(0.0, age)
