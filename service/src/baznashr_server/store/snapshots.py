"""Snapshots of the tables in memory: one file a corpus, trusted whole or not at all.

A file is a line of JSON that says whose tables these are, how far they reach and which arrays follow, the bytes of the
arrays, and one checksum: BLAKE2b of the line and of the BLAKE2b digests of all blocks, so that blocks are read and
hashed on all cores. It replaces the one before by a rename, once it is on disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from baznashr_server.store.folder import sync_folder

FORMAT = 2
"""Of the file and of the arrays in it; a file of another format is not read."""
DIGEST_BYTES = 32
BLOCK_BYTES = 4 << 20
MAX_HEADER_BYTES = 1 << 20

Arrays = Mapping[str, NDArray[np.generic]]


class SnapshotDamaged(Exception):
    """The file is not what was written."""


def _hash(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=DIGEST_BYTES).digest()


def _blocks(array: NDArray[np.generic]) -> Iterator[memoryview]:
    """Yield the bytes of a contiguous array, a block at a time; none of them is a copy."""
    data = memoryview(array.reshape(-1).view(np.uint8))
    return (data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES))


def write(path: Path, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a snapshot in place of the one before; it is on disk when this returns, or the old one is.

    Raises:
        OSError: It could not be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        shapes = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
        line = json.dumps({**header, "format": FORMAT, "arrays": shapes}, separators=(",", ":")).encode() + b"\n"
        file.write(line)
        digests = [_hash(line)]
        for block in chain.from_iterable(map(_blocks, arrays.values())):
            digests.append(_hash(block))
            file.write(block)
        file.write(_hash(b"".join(digests)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Return a snapshot's header and arrays, of whatever corpus and age.

    Raises:
        FileNotFoundError: There is none.
        SnapshotDamaged: The checksum is wrong, or the file is of another format.
    """
    with path.open("rb") as file:
        line = file.readline(MAX_HEADER_BYTES)
        try:
            header = json.loads(line)
            form = header.pop("format", None)
        except (ValueError, AttributeError):
            raise SnapshotDamaged("the header is no JSON") from None
        if form != FORMAT:
            raise SnapshotDamaged(f"format {form} instead of {FORMAT}")
        arrays = _unread(header, os.fstat(file.fileno()).st_size - len(line) - DIGEST_BYTES)
        blocks = list(chain.from_iterable(map(_blocks, arrays.values())))
        ends = np.cumsum([len(line), *map(len, blocks)]).tolist()
        with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="snapshot") as threads:
            digests = list(threads.map(partial(_read_block, file), blocks, ends))
        file.seek(ends[-1])
        if file.read() != _hash(b"".join([_hash(line), *digests])):
            raise SnapshotDamaged("the checksum is wrong")
        return header, arrays


def _unread(header: dict[str, Any], size: int) -> dict[str, NDArray[np.generic]]:
    """Take out of a header which arrays follow, and return room for them: *size* bytes together."""
    try:
        shapes = [(str(name), np.dtype(form), tuple(map(int, shape))) for name, form, shape in header.pop("arrays")]
        claimed = sum(form.itemsize * int(np.prod(shape, dtype=object)) for _, form, shape in shapes)
    except (KeyError, TypeError, ValueError):
        raise SnapshotDamaged("the header does not say which arrays follow") from None
    if claimed != size or any(n < 0 for _, _, shape in shapes for n in shape) or any(f.hasobject for _, f, _ in shapes):
        raise SnapshotDamaged("the file is not as long as its header says")
    return {name: np.empty(shape, form) for name, form, shape in shapes}


def _read_block(file: BinaryIO, block: memoryview, start: int) -> bytes:
    """Fill *block* from place *start* of the file, and return its hash."""
    done = 0
    while done < len(block):
        count = os.preadv(file.fileno(), [block[done:]], start + done)
        if not count:
            raise SnapshotDamaged("the file ends too early")
        done += count
    return _hash(block)
