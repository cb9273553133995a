"""What a run reads: files, folders, globs and standard input, each with its form and compression."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from queue import Empty, Queue
from stat import S_ISREG
from threading import Thread

from baznashr.errors import InvalidArgument
from baznashr_server.bulk.unpacking import CHUNK, PACKED, Unreadable, chunks
from baznashr_server.bulk.writing import whole

STDIN = "-"
PATIENCE_SECONDS = 0.2
"""Between two questions, while standard input is awaited, whether to stop."""


class Form(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    TEXT = "text"


SUFFIXES = {
    ".jsonl": Form.JSONL, ".ndjson": Form.JSONL, ".jl": Form.JSONL, ".json": Form.JSONL,
    ".csv": Form.CSV, ".tsv": Form.TSV, ".parquet": Form.PARQUET, ".pq": Form.PARQUET, ".txt": Form.TEXT,
}  # fmt: skip


class Interrupted(Exception):
    """Asked to stop; the same command goes on."""


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    """As people know it, and by which files are ordered; `-` for standard input."""
    path: Path
    form: Form
    text_id: str = ""
    """Of a file that is a text: its path below the folder that was asked for."""

    @property
    def size(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Found:
    inputs: tuple[Input, ...]
    """By name."""
    skipped: tuple[str, ...]
    """What lies in folders and is not read, with the reason."""
    closed: tuple[tuple[str, str], ...] = ()
    """Of it, what could not even be looked at, and the system's reason."""


def form_of(path: Path) -> Form | None:
    """Return the form that a name says, compressed or not."""
    name = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return SUFFIXES.get(name.suffix.lower())


def find(
    patterns: Sequence[str],
    form: Form | None,
    out: Path,
    spool: Path,
    is_stopping: Callable[[], bool],
    *,
    is_resumed: bool,
) -> Found:
    """Return the files that *patterns* name, once each, in an order that is theirs alone.

    Args:
        form: Of files whose names do not say it, and of standard input.
        out: The folder of the run's outputs, which are no inputs.
        spool: Where standard input is kept, since a run reads it more than once.
        is_resumed: Whether it holds that of an earlier start, which has to be the same.

    Raises:
        Interrupted: Asked to stop while standard input was awaited.
        InvalidArgument: A pattern names nothing, nothing that can be read twice, or what lies in *out*; the form of a
            file is unknown; standard input is not what it was.
    """
    search = _Search(form, out.resolve())
    named: list[Path] = []
    for pattern in dict.fromkeys(patterns):
        if pattern == STDIN:
            kept = keep_stdin(spool, is_stopping, is_resumed=is_resumed)
            search.inputs[kept] = Input(STDIN, kept, form or _sniffed(kept), "stdin")
            continue
        path = Path(pattern)
        if os.path.lexists(path):
            if search.is_output(path):
                raise InvalidArgument(f"{pattern} lies in {out}, whose files the run replaces; give another --out.")
            named.append(path)
        elif found := glob.glob(pattern, recursive=True):  # noqa: PTH207 - whole patterns, absolute ones too
            for each in map(Path, found):
                if not search.is_output(each):
                    search.named(each, _fixed_part(pattern))
        else:
            raise InvalidArgument(f"{pattern}: there is no such file.", reason="NO_INPUT")
    folders = [_plain(path) if path.is_dir() else _plain(path).parent for path in named]
    root = Path(os.path.commonpath(folders)) if named else Path()
    for path in named:
        search.named(path, root)
    if not search.inputs:
        passed = f" Passed over: {min(search.skipped)}." if search.skipped else ""
        raise InvalidArgument(f"There is nothing to read.{passed}", reason="NO_INPUT")
    inputs = sorted(search.inputs.values(), key=lambda one: one.name)
    return Found(tuple(inputs), tuple(sorted(search.skipped)), tuple(sorted(search.closed)))


def _plain(path: Path) -> Path:
    """Return the absolute path without `..`."""
    return Path(os.path.normpath(path.absolute()))


def printable(name: str) -> str:
    """Return a file's name with the bytes escaped that are no UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _fixed_part(pattern: str) -> Path:
    """Return the folder that a glob looks into."""
    parts = Path(pattern).parts
    return Path(*parts[: next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)])


@dataclass
class _Search:
    form: Form | None
    out: Path
    inputs: dict[Path, Input] = field(default_factory=dict)
    """By where they really are."""
    skipped: list[str] = field(default_factory=list)
    closed: list[tuple[str, str]] = field(default_factory=list)

    def is_output(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.out)

    def named(self, path: Path, root: Path) -> None:
        """Take a file or folder that was asked for; the ids of texts are their paths below *root*."""
        self._folder(path, root) if path.is_dir() else self._file(path, root)

    def _file(self, path: Path, root: Path) -> None:
        if not path.is_file():
            fault = "it is no file that can be read twice; send it to '-'" if path.exists() else "it leads nowhere"
            raise InvalidArgument(f"{printable(str(path))}: {fault}.", reason="NO_INPUT")
        known = form_of(path) or self.form
        if known is None:
            raise InvalidArgument(
                f"{printable(str(path))}: the name does not say what it holds ({', '.join(SUFFIXES)}, each also .gz, "
                ".zst, .xz, .bz2); say so with --format.",
                reason="UNKNOWN_FORM",
            )
        self._take(path, known, root)

    def _folder(self, folder: Path, root: Path) -> None:
        """Take the files below a folder, but hidden ones and those whose names say nothing."""
        for at, folders, names in os.walk(folder, onerror=self._shut):
            folders[:] = sorted(name for name in folders if self._is_wanted(Path(at, name)))
            for name in folders:
                if Path(at, name).is_symlink():
                    self._skip(Path(at, name), "a link to a folder")
            for name in sorted(names):
                if self._is_wanted(Path(at, name)):
                    self._listed(Path(at, name), root)

    def _is_wanted(self, path: Path) -> bool:
        return not path.name.startswith(".") and not self.is_output(path)

    def _listed(self, path: Path, root: Path) -> None:
        """Take what a folder holds and is no folder."""
        try:
            is_file = S_ISREG(path.stat().st_mode)
        except FileNotFoundError:
            self._skip(path, "a link that leads nowhere")
            return
        except OSError as error:
            self._shut(error)
            return
        form = form_of(path)
        if not is_file:
            self._skip(path, "no file that can be read twice")
        elif form is None:
            self._skip(path, "the name does not say what it holds")
        else:
            self._take(path, form, root)

    def _skip(self, path: Path, why: str) -> None:
        self.skipped.append(f"{printable(str(path))} ({why})")

    def _shut(self, error: OSError) -> None:
        why = error.strerror or str(error)
        self._skip(Path(error.filename), why)
        self.closed.append((printable(str(error.filename)), why))

    def _take(self, path: Path, form: Form, root: Path) -> None:
        plain, top = _plain(path), _plain(root)
        below = plain.relative_to(top).as_posix() if plain.is_relative_to(top) else plain.name
        self.inputs.setdefault(path.resolve(), Input(printable(str(path)), path.absolute(), form, printable(below)))


def _from_stdin(is_stopping: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what is piped in, waiting for it no longer than it is wanted.

    Raises:
        Interrupted: It is not any more.
        OSError: It cannot be read.
    """
    pieces: Queue[bytes | OSError] = Queue(4)
    take: Callable[[int], bytes]
    try:
        take = partial(os.read, sys.stdin.fileno())  # by its buffer, an end while it is read would be a crash
    except OSError:  # no file
        take = sys.stdin.buffer.read

    def read() -> None:
        try:
            while piece := take(CHUNK):
                pieces.put(piece)
            pieces.put(b"")
        except OSError as error:
            pieces.put(error)

    Thread(target=read, name="stdin", daemon=True).start()
    while True:
        try:
            piece = pieces.get(timeout=PATIENCE_SECONDS)
        except Empty:
            if is_stopping():
                raise Interrupted from None
            continue
        if isinstance(piece, OSError):
            raise piece
        if not piece:
            return
        yield piece


def keep_stdin(spool: Path, is_stopping: Callable[[], bool], *, is_resumed: bool) -> Path:
    """Copy standard input to a file; where that of an earlier start is kept, see that nothing else comes.

    Raises:
        InvalidArgument: Something else does.
        Interrupted: Asked to stop.
    """
    pieces = _from_stdin(is_stopping) if sys.stdin else iter(())
    if not (is_resumed and spool.exists()):
        if not sys.stdin:
            raise InvalidArgument("Standard input is closed.", reason="NO_INPUT")
        with whole(spool) as part, part.open("wb") as file:
            file.writelines(pieces)
        return spool
    with spool.open("rb") as kept:
        first = next(pieces, b"")  # nothing need come again
        if first and (any(piece != kept.read(len(piece)) for piece in chain([first], pieces)) or kept.read(1)):
            raise InvalidArgument(
                "Standard input is not what the unfinished run began with; send the same again, or nothing.",
                reason="OTHER_RUN",
            )
    return spool


def _sniffed(path: Path) -> Form:
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return Form.PARQUET
    try:
        first = next(chunks(path), b"")
    except Unreadable:
        first = b""
    return Form.JSONL if first.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b""} else Form.CSV
