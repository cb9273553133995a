"""Snapshots of the tables in memory: one file a corpus, trusted whole or not at all.

A file is a line of JSON that says whose tables these are and how far they reach, the arrays in NumPy's own format, and
BLAKE2b of all before it. It replaces the one before by a rename, once it is on disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from baznashr_server.store.folder import sync_folder

FORMAT = 1
"""Of the file and of the arrays in it; a file of another format is not read."""
DIGEST_BYTES = 32
_CHUNK = 1 << 20

Arrays = Mapping[str, NDArray[np.generic]]


class SnapshotDamaged(Exception):
    """The file is not what was written."""


class _Hashing:
    """A file that is written and hashed in one go."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = blake2b(digest_size=DIGEST_BYTES)

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)


def write(path: Path, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a snapshot in place of the one before; it is on disk when this returns, or the old one is.

    Raises:
        OSError: It could not be written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        hashing = _Hashing(file)
        line = {**header, "format": FORMAT, "arrays": list(arrays)}
        hashing.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        for array in arrays.values():
            np.lib.format.write_array(hashing, array, allow_pickle=False)
        file.write(hashing.hash.digest())
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
        _check(file)
        file.seek(0)
        header = json.loads(file.readline())
        if header.get("format") != FORMAT:
            raise SnapshotDamaged(f"format {header.get('format')} instead of {FORMAT}")
        return header, {name: np.lib.format.read_array(file, allow_pickle=False) for name in header["arrays"]}


def _check(file: BinaryIO) -> None:
    left = os.fstat(file.fileno()).st_size - DIGEST_BYTES
    checksum = blake2b(digest_size=DIGEST_BYTES)
    while left > 0:
        data = file.read(min(_CHUNK, left))
        if not data:
            break
        checksum.update(data)
        left -= len(data)
    if left or checksum.digest() != file.read():
        raise SnapshotDamaged("the checksum is wrong")
