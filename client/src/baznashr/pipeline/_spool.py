"""Documents on disk that wait for the service: append-only segments of JSON lines.

A document is durable when ``append`` returns. Each acknowledged document moves a position file, which is not synced:
a killed process repeats at most the document in hand, a power cut perhaps some more, and none is ever lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TextIO

from baznashr.errors import SpoolError, SpoolFull
from baznashr.types import Document

SEGMENT_BYTES = 4 << 20
"""A segment takes no more documents beyond this, so that disk space comes back as documents are judged."""

_NUMBER = "[0-9]" * 8


class Spool:
    """A queue of documents in a folder that has one owner.

    Args:
        folder: Made where it is missing, for the owner alone.
        limit_bytes: What all segments together may take on disk.

    Raises:
        SpoolError: Another process or guard uses the folder, or files in it look like segments and are none.
        OSError: The folder cannot be made or read.
    """

    def __init__(self, folder: str | Path, limit_bytes: int) -> None:
        self._folder = Path(folder)
        self._limit = limit_bytes
        self._mutex = threading.Lock()
        self._sizes: dict[int, int] = {}  # of the segments, by number, the oldest first
        self._newest = 0
        self._position = 0  # in the oldest segment
        self._ends: deque[int] = deque()  # of the documents that were peeked at
        self._waiting = 0
        self._pid = os.getpid()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_foreign_files()
        self._owner = _own(self._folder / "lock")
        try:
            self._recover()
        except BaseException:
            self._owner.close()
            raise

    def __len__(self) -> int:
        return self._waiting

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def append(self, documents: list[Document]) -> None:
        """Keep *documents*, all or none, behind those that wait.

        Raises:
            SpoolFull: They would pass the limit.
            OSError: The disk did not take them.
        """
        lines = b"".join(_to_line(document) for document in documents)
        with self._mutex:
            self._check_open()
            if sum(self._sizes.values()) + len(lines) > self._limit:
                raise SpoolFull(
                    f"The spool {self._folder} holds all it may, {self._limit} bytes.",
                    metadata={"limit": str(self._limit)},
                )
            newest = next(reversed(self._sizes), None)
            if newest is None or self._sizes[newest] >= SEGMENT_BYTES:
                newest = self._newest = self._newest + 1
            size = self._sizes.get(newest, 0)
            _append(self._segment(newest), lines, size)
            self._sizes[newest] = size + len(lines)
            self._waiting += len(documents)

    def peek(self, limit: int) -> list[Document]:
        """Return at most *limit* of the oldest documents, all that wait in the oldest segment at most.

        Raises:
            SpoolError: The oldest line cannot be read; it names the file and the byte.
        """
        with self._mutex:
            self._check_open()
            self._ends.clear()
            oldest = next(iter(self._sizes), None)
            if oldest is None:
                return []
            documents = []
            path = self._segment(oldest)
            with path.open("rb") as file:
                end = file.seek(self._position)
                for line in file:
                    try:
                        documents.append(_from_line(line, path, end))
                    except SpoolError:
                        if documents:  # told when those before it are judged
                            break
                        raise
                    end += len(line)
                    self._ends.append(end)
                    if len(documents) == limit or end >= self._sizes[oldest]:
                        break
            return documents

    def acknowledge(self) -> None:
        """Forget the oldest document that was peeked at; a segment without others is removed."""
        with self._mutex:
            self._position = self._ends.popleft()
            self._waiting -= 1
            oldest = next(iter(self._sizes))
            if self._position < self._sizes[oldest]:
                _write_position(self._place(oldest), self._position)
                return
            del self._sizes[oldest]
            self._position = 0
            self._segment(oldest).unlink()
            # Were the position gone first, a power cut could bring the whole segment back.
            _sync_folder(self._folder)
            self._place(oldest).unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have the folder; what waits stays there."""
        with self._mutex:
            if not self._owner.closed and os.getpid() == self._pid:
                fcntl.flock(self._owner, fcntl.LOCK_UN)  # or forks of this process would have the folder until they end
            self._owner.close()

    def check_process(self) -> None:
        """Refuse a fork: with copies of the lock and of the segments' sizes each would write over the other's.

        Raises:
            RuntimeError: Another process made the spool.
        """
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"The spool {self._folder} belongs to process {self._pid}, of which this process, {os.getpid()}, is a "
                "fork: make a guard after the fork, with a folder of its own."
            )

    def _check_open(self) -> None:
        self.check_process()
        if self._owner.closed:
            raise ValueError(f"The spool {self._folder} was closed with its guard.")

    def _refuse_foreign_files(self) -> None:
        """Refuse a folder that never was a spool and holds files of such names, which would be taken for segments."""
        segment = next(self._folder.glob(f"{_NUMBER}.jsonl"), None)
        if segment is not None and not (self._folder / "lock").exists():
            raise SpoolError(
                f"{self._folder} is no spool, and {segment.name} in it would be taken for a part of one: give the "
                "spool a folder of its own or, if this is a copy of a spool, make an empty file lock in it.",
                reason="NO_SPOOL",
            )

    def _recover(self) -> None:
        """Find what an earlier owner left, whatever ended it."""
        numbers = sorted(int(path.stem) for path in self._folder.glob(f"{_NUMBER}.jsonl"))
        for place in self._folder.glob(f"{_NUMBER}.position"):
            if int(place.stem) not in numbers:
                place.unlink()
        self._newest = numbers[-1] if numbers else 0
        for number in numbers:
            segment = self._segment(number)
            size = _cut_torn_line(segment)
            position = 0 if self._sizes else _read_position(self._place(number), size)
            if position == size:
                segment.unlink()
                continue
            if not self._sizes:
                self._position = position
            self._sizes[number] = size
            self._waiting += _count_lines(segment, position)

    def _segment(self, number: int) -> Path:
        return self._folder / f"{number:08}.jsonl"

    def _place(self, number: int) -> Path:
        return self._folder / f"{number:08}.position"


def _own(path: Path) -> TextIO:
    """Lock a folder by the file *path* and return the lock, which ends when it is closed."""
    lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii", errors="replace")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with lock:
            owner = lock.read().strip()
        raise SpoolError(
            f"The spool {path.parent} is in use by process {owner}.", reason="SPOOL_IN_USE", metadata={"pid": owner}
        ) from None
    lock.truncate()
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _append(path: Path, lines: bytes, size: int) -> None:
    """Write *lines* behind the first *size* bytes of a file and to the disk, or not at all."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.ftruncate(descriptor, size)  # of what nobody was answered for, as where a signal's handler has raised
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
        if is_new:
            _sync_folder(path.parent)
    except BaseException:
        os.ftruncate(descriptor, size)
        raise
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_line(document: Document) -> bytes:
    record = {
        "id": document.id,
        "text": document.text,
        "title": document.title,
        "source": document.source,
        "url": document.url,
        "published_at": document.published_at and document.published_at.isoformat(),
        "labels": dict(document.labels),
    }
    # A lone surrogate is for the service to refuse; here it must come back as it was.
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _from_line(line: bytes, path: Path, start: int) -> Document:
    try:
        record = json.loads(line.decode("utf-8", "surrogatepass"))
        published_at = record.pop("published_at")
        return Document(**record, published_at=published_at and datetime.fromisoformat(published_at))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SpoolError(
            f"{path} holds no document at byte {start}: repair the line or take it out.", reason="SPOOL_DAMAGED"
        ) from None


def _cut_torn_line(path: Path) -> int:
    """Cut off what follows the last whole line, which no ``append`` has answered for; return the size left."""
    with path.open("r+b") as file:
        content_end = file.seek(0, os.SEEK_END)
        end = content_end
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < content_end:
            file.truncate(end)
        return end


def _count_lines(path: Path, start: int) -> int:
    with path.open("rb") as file:
        file.seek(start)
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _write_position(path: Path, position: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, f"{position:020}\n".encode(), 0)
    finally:
        os.close(descriptor)


def _read_position(path: Path, size: int) -> int:
    """Return where the first line begins that is not acknowledged; the beginning where nothing credible says so."""
    try:
        position = int(path.read_bytes())
    except (OSError, ValueError):
        return 0
    return position if position <= size else 0
