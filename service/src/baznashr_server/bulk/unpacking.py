"""The bytes of files, decompressed a little at a time: whatever was packed, and however small."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import zstandard

CHUNK = 1 << 18
"""Bytes read at once."""
AT_ONCE = 1 << 20
"""Bytes decompressed at once, and some more of zstd."""
ZSTD_STEP = 1 << 10
"""Bytes decompressed at once by zstd, which takes no bound: 32 MB come of them at most, 128 KB of four."""
ZSTD_WINDOW = 1 << 31
"""Of `zstd --ultra --long=31`."""
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
PACKED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".xz": "xz", ".bz2": "bzip2"}
SKIPPABLE = b"\x2a\x4d\x18"
"""After a first byte of 0x50 to 0x5f: a frame of zstd that holds nothing, as pzstd begins with."""


class Unreadable(Exception):
    """A file ends too early or holds what its form does not allow; what was read before is good."""


def packing(path: Path) -> str:
    """Return how a file is compressed, by its first bytes, or by its name if there are none; empty if it is not."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        start = b""
    if not start:
        return PACKED.get(path.suffix.lower(), "")
    if start[1:4] == SKIPPABLE and start[0] >> 4 == 5:
        return "zstd"
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


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
        yield from _gathered(_unpacked(raw, name)) if name else raw


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


def _unpacker(name: str) -> Any:
    match name:
        case "gzip":
            return zlib.decompressobj(wbits=31)
        case "zstd":
            return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        case "xz":
            return lzma.LZMADecompressor()
        case _:
            return bz2.BZ2Decompressor()


def _step(name: str, unpacker: Any, data: memoryview) -> tuple[bytes, memoryview]:
    """Return some of what is packed, and what is left of *data*."""
    if name == "zstd":
        out = unpacker.decompress(data[:ZSTD_STEP])
        left = data[ZSTD_STEP:]
        return out, memoryview(unpacker.unused_data + bytes(left)) if unpacker.eof else left
    out = unpacker.decompress(data, AT_ONCE)
    if unpacker.eof:
        return out, memoryview(unpacker.unused_data)
    return out, memoryview(getattr(unpacker, "unconsumed_tail", b""))  # xz and bzip2 keep it themselves


def _unpacked(raw: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        unpacker = _unpacker(name)
        for data in raw:
            left = memoryview(data)
            while left or not getattr(unpacker, "needs_input", True):
                unpacker = unpacker or _unpacker(name)
                out, left = _step(name, unpacker, left)
                yield out
                if unpacker.eof:
                    unpacker = None
                    if not bytes(left).strip(b"\0"):
                        break
    except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, ValueError) as error:
        raise Unreadable(f"the {name} data are damaged: {error}") from error
    if unpacker is not None:
        raise Unreadable(f"the {name} data end too early")


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same, more at once.

    Raises:
        Unreadable: *pieces* does; all before was yielded.
    """
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= AT_ONCE:
                yield b"".join(held)
                held, size = [], 0
    except Unreadable:
        if size:
            yield b"".join(held)
        raise
    if size:
        yield b"".join(held)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        for _ in _read(file.fileno(), digest):
            pass
    return digest.hexdigest()
