"""The tables of one corpus behind one lock: bands, passages and digests over a set of slots.

A slot stands for one indexed document. It is PENDING from the moment the writer has judged the document until its
transaction is durable, and VISIBLE afterwards: the writer sees both, so that the documents of one batch see each
other; checks see only what is durable.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.bands import band_keys
from baznashr_server.index.candidates import boilerplate_kernel, candidate_kernel
from baznashr_server.index.postings import Postings
from baznashr_server.sketch.fingerprint import Fingerprint
from baznashr_server.sketch.signature import NUM_PERM

FREE, PENDING, VISIBLE = 0, 1, 2

MAX_BAND_POSTINGS = 64
"""Documents under one band key. A bucket this full belongs to a template; its members share other buckets too."""
MAX_PASSAGE_POSTINGS = 50
"""Documents under one passage; a passage held by more is boilerplate and no longer leads to candidates."""
MAX_SOURCE_POSTINGS = 8
"""Documents of one source under one passage; a passage that more of its stories hold is boilerplate of that source."""
NO_TIME = np.iinfo(np.int64).min
MIN_SHINGLES = 8
"""Texts with fewer are found by their digest alone: a band of so small a set says next to nothing."""

FIRST_SLOTS = 256


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


@dataclass(frozen=True, slots=True)
class Candidate:
    row: int
    estimate: float
    """Jaccard similarity as the signatures' low bytes tell it; its standard error is below 0.05."""
    passages: int
    """Fingerprints in common that are not boilerplate."""


class Columns:
    """One entry a slot, in arrays that double."""

    def __init__(self) -> None:
        self.size = 0
        self._allocate(FIRST_SLOTS)

    def _allocate(self, room: int) -> None:
        def grown(name: str, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
            array: NDArray[np.generic] = np.zeros((room, *shape), dtype)
            if self.size:
                array[: self.size] = getattr(self, name)[: self.size]
            return array

        self.state = grown("state", (), np.uint8)
        self.letters = grown("letters", (), np.uint32)
        self.published = grown("published", (), np.int64)
        self.sketch = grown("sketch", (NUM_PERM,), np.uint8)
        self.row = grown("row", (), np.int64)
        self.digest = grown("digest", (2,), np.uint64)
        self.source = grown("source", (), np.uint32)

    def put(self, slot: int, entry: Entry) -> None:
        if slot >= self.state.shape[0]:
            self._allocate(2 * self.state.shape[0])
        self.size = max(self.size, slot + 1)
        self.state[slot] = PENDING
        self.letters[slot] = entry.letters
        self.published[slot] = entry.published
        self.sketch[slot] = entry.signature.astype(np.uint8)
        self.row[slot] = entry.row
        self.digest[slot] = np.frombuffer(entry.digest, np.uint64)
        self.source[slot] = _source_key(entry.source)

    @property
    def memory_bytes(self) -> int:
        arrays = (self.state, self.letters, self.published, self.sketch, self.row, self.digest, self.source)
        return sum(array.nbytes for array in arrays)


class CorpusIndex:
    """Thread-safe. Rows are named by the store's row numbers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bands = Postings(MAX_BAND_POSTINGS)
        self._passages = Postings(MAX_PASSAGE_POSTINGS)
        self._digests = Postings(MAX_BAND_POSTINGS)
        self._columns = Columns()
        self._slots: dict[int, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, row: int) -> bool:
        return row in self._slots

    @property
    def memory_bytes(self) -> int:
        tables = (self._bands, self._passages, self._digests, self._columns)
        return sum(table.memory_bytes for table in tables)

    @property
    def largest_bucket(self) -> int:
        """Postings of the fullest band key or passage met so far, bounded by the limits above."""
        return max(self._bands.largest, self._passages.largest)

    @property
    def dropped_postings(self) -> int:
        return self._bands.drops + self._passages.drops

    def add(self, entry: Entry, *, visible: bool = False) -> None:
        """Enter a document that has no slot yet; PENDING unless *visible*."""
        with self._lock:
            slot = self._free.pop() if self._free else self._columns.size
            self._columns.put(slot, entry)
            self._slots[entry.row] = slot
            self._digests.insert(_digest_key(entry.digest), slot)
            if _is_comparable(entry.letters):
                self._bands.insert(band_keys(entry.signature), slot)
                self._passages.insert(entry.passages, slot)
            if visible:
                self._columns.state[slot] = VISIBLE

    def publish(self, rows: list[int]) -> None:
        """Show documents to checks, once they are durable."""
        with self._lock:
            for row in rows:
                slot = self._slots.get(row)
                if slot is not None:
                    self._columns.state[slot] = VISIBLE

    def remove(self, entry: Entry) -> None:
        """Take a document out again; its slot is free once no table names it."""
        with self._lock:
            slot = self._slots.pop(entry.row)
            self._digests.remove(_digest_key(entry.digest), slot)
            if _is_comparable(entry.letters):
                self._bands.remove(band_keys(entry.signature), slot)
                self._passages.remove(entry.passages, slot)
            self._columns.state[slot] = FREE
            self._free.append(slot)

    def exact(self, digest: bytes, *, pending: bool, earliest: int = NO_TIME) -> int | None:
        """Return the row of an indexed document with this digest, published no earlier than *earliest*."""
        least = PENDING if pending else VISIBLE
        wanted = np.frombuffer(digest, np.uint64)
        columns = self._columns
        with self._lock:
            for slot in self._digests.find(int(wanted[0])):
                live = columns.state[slot] >= least and columns.published[slot] >= earliest
                if live and (columns.digest[slot] == wanted).all():
                    return int(columns.row[slot])
        return None

    def boilerplate(self, passages: NDArray[np.uint64], source: str) -> NDArray[np.bool_]:
        """Return bool[p]: the passages that too many stories hold, of the corpus or of one source, to say anything."""
        with self._lock:
            limits = (MAX_PASSAGE_POSTINGS, MAX_SOURCE_POSTINGS)
            return boilerplate_kernel(
                self._passages.arrays, passages, self._columns.source, _source_key(source), limits
            )

    def candidates(
        self, fingerprint: Fingerprint, *, limit: int, pending: bool, earliest: int = NO_TIME
    ) -> list[Candidate]:
        """Return the best *limit* documents that share a band or a passage, best first."""
        letters = fingerprint.letters.size
        if not _is_comparable(letters):
            return []
        keys = band_keys(fingerprint.signature)
        bounds = (PENDING if pending else VISIBLE, letters, earliest)
        columns = self._columns
        with self._lock:
            slots, estimates, counts, _ = candidate_kernel(
                self._bands.arrays,
                keys,
                self._passages.arrays,
                fingerprint.passages,
                MAX_PASSAGE_POSTINGS,
                (columns.state, columns.letters, columns.published, columns.sketch),
                fingerprint.signature,
                bounds,
                limit,
            )
            rows = columns.row[slots].tolist()
        return [Candidate(*values) for values in zip(rows, estimates.tolist(), counts.tolist(), strict=True)]


def _source_key(source: str) -> int:
    """Return 32 bits that stand for a source, 0 for none."""
    return int.from_bytes(blake2b(source.encode(), digest_size=4).digest(), "little") | 1 if source else 0


def _digest_key(digest: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(digest, np.uint64)[:1]


def _is_comparable(letters: int) -> bool:
    return letters >= MIN_SHINGLES + 7
