"""What a run reads: files, folders, globs and standard input, each with its form and compression."""

from __future__ import annotations

import bz2
import glob
import lzma
import os
import shutil
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

from baznashr.errors import InvalidArgument

CHUNK = 1 << 18
"""Bytes read at once; a compressed chunk may become a thousand times as much."""
STDIN = "-"
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
PACKED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".xz": "xz", ".bz2": "bzip2"}


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


class Unreadable(Exception):
    """A file ends too early or holds what its form does not allow; what was read before is good."""


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    """As people know it, and by which files are ordered; `-` for standard input."""
    path: Path
    form: Form
    root: Path
    """The folder that a text's id is relative to."""

    @property
    def size(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Found:
    inputs: tuple[Input, ...]
    """By name."""
    skipped: tuple[str, ...]
    """Files in folders whose names do not say what they are."""


def form_of(path: Path) -> Form | None:
    """Return the form that a name says, compressed or not."""
    name = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return SUFFIXES.get(name.suffix.lower())


def find(patterns: Sequence[str], form: Form | None, spool: Path) -> Found:
    """Return the files that *patterns* name, once each, in an order that is theirs alone.

    Args:
        form: Of files whose names do not say it, and of standard input.
        spool: Where standard input is kept, since a run reads it more than once.

    Raises:
        InvalidArgument: A pattern names nothing, or a file's form is unknown.
    """
    inputs: dict[Path, Input] = {}
    skipped: list[str] = []
    for pattern in patterns:
        if pattern == STDIN:
            kept = keep_stdin(spool)
            inputs[kept] = Input(STDIN, kept, form or _sniffed(kept), kept.parent)
            continue
        paths = [Path(pattern)] if Path(pattern).exists() else [Path(p) for p in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - whole patterns, absolute ones too
        if not paths:
            raise InvalidArgument(f"{pattern}: there is no such file.", reason="NO_INPUT")
        for path in paths:
            _take(path, form, inputs, skipped)
    if not inputs:
        raise InvalidArgument("There is nothing to read.", reason="NO_INPUT")
    return Found(tuple(sorted(inputs.values(), key=lambda one: one.name)), tuple(sorted(skipped)))


def _take(path: Path, form: Form | None, inputs: dict[Path, Input], skipped: list[str]) -> None:
    if not path.is_dir():
        known = form_of(path) or form
        if known is None:
            raise InvalidArgument(
                f"{path}: the name does not say what it holds ({', '.join(SUFFIXES)}, each also .gz, .zst, .xz, .bz2); "
                "say so with --format.",
                reason="UNKNOWN_FORM",
            )
        inputs.setdefault(path.resolve(), Input(str(path), path, known, path.parent))
        return
    for below in sorted(path.rglob("*")):
        if below.is_file() and not any(part.startswith(".") for part in below.relative_to(path).parts):
            known = form_of(below)
            if known is None:
                skipped.append(str(below))
            else:
                inputs.setdefault(below.resolve(), Input(str(below), below, known, path))


def keep_stdin(spool: Path) -> Path:
    """Copy standard input to a file, unless an earlier run has done so."""
    if not spool.exists():
        part = spool.with_name(spool.name + ".partial")
        with part.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, CHUNK)
        part.rename(spool)
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


def packing(path: Path) -> str:
    """Return how a file is compressed, by its first bytes; empty where it is not."""
    with path.open("rb") as file:
        start = file.read(8)
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def _unpacker(name: str) -> Any:
    match name:
        case "gzip":
            return zlib.decompressobj(wbits=31)
        case "zstd":
            return zstandard.ZstdDecompressor().decompressobj()
        case "xz":
            return lzma.LZMADecompressor()
        case _:
            return bz2.BZ2Decompressor()


def chunks(path: Path, digest: Any = None) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed.

    Args:
        digest: Told all bytes as they lie in the file.

    Raises:
        Unreadable: The compressed data are damaged, or end too early; all before was yielded.
        OSError: It cannot be read.
    """
    name = packing(path)
    with path.open("rb", buffering=0) as file:
        raw = _read(file.fileno(), digest)
        yield from _unpacked(raw, name) if name else raw


def ahead(data: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same, each made by another thread while the one before is worked on.

    Raises:
        Whatever *data* raises, in its place.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        following = thread.submit(next, data, None)
        while (one := following.result()) is not None:
            following = thread.submit(next, data, None)
            yield one


def _read(descriptor: int, digest: Any) -> Iterator[bytes]:
    while data := os.read(descriptor, CHUNK):
        if digest is not None:
            digest.update(data)
        yield data


def _unpacked(raw: Iterator[bytes], name: str) -> Iterator[bytes]:
    unpacker = None
    try:
        for data in raw:
            left = data
            while left:
                unpacker = unpacker or _unpacker(name)
                if out := unpacker.decompress(left):
                    yield out
                left = unpacker.unused_data if unpacker.eof else b""
                if unpacker.eof:
                    unpacker = None
                    if not left.strip(b"\0"):
                        break
    except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, ValueError) as error:
        raise Unreadable(f"the {name} data are damaged: {error}") from error
    if unpacker is not None:
        raise Unreadable(f"the {name} data end too early")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        for _ in _read(file.fileno(), digest):
            pass
    return digest.hexdigest()
