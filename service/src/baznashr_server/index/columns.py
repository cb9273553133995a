"""What the tables keep of each document, one entry a slot, in arrays that double."""

from __future__ import annotations

from collections.abc import Buffer, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.sketch.signature import NUM_PERM

FREE, PENDING, VISIBLE = 0, 1, 2
FIRST_SLOTS = 256
COLUMNS = ("state", "letters", "published", "sketch", "row", "digest", "source")


class Entry(NamedTuple):
    """What the tables keep of a document."""

    row: int
    digest: bytes
    signature: Buffer
    """128 uint32, an array or its bytes."""
    passages: Buffer
    """uint64s, an array or its bytes."""
    letters: int
    published: int
    """Microseconds since 1970, UTC."""
    source: str = ""


type Fields = tuple[int, bytes, Buffer, Buffer, int, int, str]
"""Those of an Entry, in its order."""


@lru_cache(4096)
def source_key(source: str) -> int:
    """Return 32 bits that stand for a source, 0 for none."""
    return int.from_bytes(blake2b(source.encode(), digest_size=4).digest(), "little") | 1 if source else 0


@kernel
def _put(columns, slots, fields, signatures, digests):  # type: ignore[no-untyped-def]
    state, letters, published, row, source, sketch, digest = columns
    for i in range(slots.size):
        slot = slots[i]
        state[slot], letters[slot], published[slot], row[slot], source[slot] = fields[i]
        for j in range(signatures.shape[1]):
            sketch[slot, j] = np.uint8(signatures[i, j] & np.uint32(0xFF))
        digest[slot, 0], digest[slot, 1] = digests[i]


class Columns:
    """The arrays, each by slot."""

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
        self.reserve(room)

    def reserve(self, room: int) -> None:
        """Make room for *room* slots in all."""
        if room <= self.state.shape[0]:
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

    def put(
        self,
        slots: NDArray[np.int64],
        fields: NDArray[np.int64],
        signatures: NDArray[np.uint32],
        digests: NDArray[np.uint64],
    ) -> None:
        """Write n entries to *slots*, int64[n].

        Args:
            fields: int64[n, 5]: state, letters, publish time, row, source key.
            signatures: uint32[n, 128].
            digests: uint64[n, 2].
        """
        size = max(self.size, int(slots.max()) + 1)
        self._make_room(size)
        self.size = size
        columns = (self.state, self.letters, self.published, self.row, self.source, self.sketch, self.digest)
        _put(columns, slots, fields, signatures, digests)

    @property
    def memory_bytes(self) -> int:
        return sum(getattr(self, name).nbytes for name in COLUMNS)
