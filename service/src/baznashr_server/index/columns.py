"""What the tables keep of each document, one entry a slot, in arrays that double."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.sketch.signature import NUM_PERM

FREE, PENDING, VISIBLE = 0, 1, 2
FIRST_SLOTS = 256
COLUMNS = ("state", "letters", "published", "sketch", "row", "digest", "source")


class Entry(NamedTuple):
    """What the tables keep of a document."""

    row: int
    digest: bytes
    signature: NDArray[np.uint32]
    passages: NDArray[np.uint64]
    letters: int
    published: int
    """Microseconds since 1970, UTC."""
    source: str = ""


@lru_cache(4096)
def source_key(source: str) -> int:
    """Return 32 bits that stand for a source, 0 for none."""
    return int.from_bytes(blake2b(source.encode(), digest_size=4).digest(), "little") | 1 if source else 0


class Columns:
    def __init__(self) -> None:
        self.size = 0
        self.state = np.zeros(0, np.uint8)
        self.letters = np.zeros(0, np.uint32)
        self.published = np.zeros(0, np.int64)
        self.sketch = np.zeros((0, NUM_PERM), np.uint8)
        self.row = np.zeros(0, np.int64)
        self.digest = np.zeros((0, 2), np.uint64)
        self.source = np.zeros(0, np.uint32)

    def _make_room(self, slots: int) -> None:
        room = max(FIRST_SLOTS, self.state.shape[0])
        while room < slots:
            room *= 2
        if room == self.state.shape[0]:
            return
        for name in COLUMNS:
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)

    def dump(self) -> dict[str, NDArray[np.generic]]:
        return {name: getattr(self, name)[: self.size] for name in COLUMNS}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        for name in COLUMNS:
            setattr(self, name, arrays[name])
        self.size = self.state.size

    def put(self, slots: NDArray[np.int64], states: Sequence[int], entries: Sequence[Entry]) -> None:
        """Write *entries* to *slots*, int64[n]."""
        size = max(self.size, int(slots.max()) + 1)
        self._make_room(size)
        self.size = size
        self.state[slots] = states
        self.letters[slots] = [entry.letters for entry in entries]
        self.published[slots] = [entry.published for entry in entries]
        self.sketch[slots] = np.array([entry.signature for entry in entries]).astype(np.uint8)
        self.row[slots] = [entry.row for entry in entries]
        digests = b"".join(entry.digest for entry in entries)
        self.digest[slots] = np.frombuffer(digests, np.uint64).reshape(-1, 2)
        self.source[slots] = [source_key(entry.source) for entry in entries]

    @property
    def memory_bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in COLUMNS)
