"""A disk below the store that fails, and one that forgets what was not synced.

Registered before the checksums are, it lies below them: SQLite, cksumvfs, this, the operating system.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

NAME = "disk"


@dataclass
class Unsynced:
    """A write, or a truncation, that may or may not be on the disk."""

    offset: int
    data: bytes | None
    """None: cut here."""


@dataclass
class Durable:
    """What is on the disk of one file, and what may be."""

    content: bytes
    pending: list[Unsynced] = field(default_factory=list)

    def image(self, chosen: list[Unsynced]) -> bytes:
        """Return the file with some of what was not synced."""
        content = bytearray(self.content)
        for step in chosen:
            if step.data is None:
                del content[step.offset :]
                continue
            content.extend(bytes(max(0, step.offset - len(content))))
            content[step.offset : step.offset + len(step.data)] = step.data
        return bytes(content)


class Disk(apsw.VFS):
    """Counts writes and syncs; fails the one that is told."""

    def __init__(self) -> None:
        super().__init__(NAME, "unix", makedefault=True)
        self.left: dict[str, int] = {}
        """How many more of each operation go well."""
        self.error: type[apsw.Error] = apsw.IOError
        self.lasts = False
        """Whether all that follow fail too."""
        self.failed = 0
        self.files: dict[str, Durable] | None = None
        """By path, while the disk keeps account of what is synced."""
        self.on_event: Callable[[], None] = lambda: None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "File":  # noqa: N802 - apsw's name
        return File(self, name, flags)

    def count(self, operation: str) -> None:
        """Fail if it is this operation's turn."""
        if operation not in self.left:
            return
        self.left[operation] -= 1
        if self.left[operation] == -1 or (self.lasts and self.left[operation] < 0):
            self.failed += 1
            raise self.error(f"{operation} failed on purpose")

    def fail(self, operation: str, number: int, error: type[apsw.Error], *, lasts: bool) -> None:
        """Let the *number*-th write or sync from now on fail."""
        self.left, self.error, self.lasts, self.failed = {operation: number - 1}, error, lasts, 0

    def heal(self) -> None:
        self.left = {}

    def keep_account(self, folder: Path) -> None:
        """From now on remember what of the files in *folder* is synced; what is there is."""
        self.files = {str(path): Durable(path.read_bytes()) for path in folder.glob("*.sqlite3*")}

    def note(self, path: str, step: Unsynced) -> None:
        if self.files is not None and path:
            self.files.setdefault(path, Durable(b"")).pending.append(step)
            self.on_event()

    def synced(self, path: str) -> None:
        if self.files is not None and path in self.files:
            file = self.files[path]
            self.files[path] = Durable(file.image(file.pending))

    def after_power_loss(self, rng: random.Random) -> dict[str, bytes]:
        """Return what the files may hold after a power loss: of what was not synced a prefix, or any part."""
        files = {}
        for path, file in (self.files or {}).items():
            pending = file.pending
            prefix = pending[: rng.randint(0, len(pending))]
            part = [step for step in pending if rng.random() < 0.7]
            files[path] = file.image(rng.choice([prefix, prefix, part]))
        return files


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self.disk = disk
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        """Empty for a temporary file."""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self.disk.count("write")
        super().xWrite(data, offset)
        self.disk.note(self.path, Unsynced(offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802 - apsw's name
        super().xTruncate(size)
        self.disk.note(self.path, Unsynced(size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self.disk.count("sync")
        super().xSync(flags)
        self.disk.synced(self.path)
