"""The tables of one corpus behind one lock: bands, passages and digests over a set of slots.

A slot stands for one indexed document. It is PENDING from the moment the writer has judged the document until its
transaction is durable, and VISIBLE afterwards: the writer sees both, so that the documents of one batch see each
other; checks see only what is durable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.bands import band_keys
from baznashr_server.index.candidates import boilerplate_kernel, candidate_kernel
from baznashr_server.index.crowding import FIELDS, Crowded, crowded, crowded_kernel, most_crowded
from baznashr_server.index.postings import PARTITIONS, Postings
from baznashr_server.sketch.fingerprint import Fingerprint
from baznashr_server.sketch.signature import NUM_PERM

FREE, PENDING, VISIBLE = 0, 1, 2

MAX_BAND_POSTINGS = 64
"""Documents under one band key. A bucket this full belongs to a template; its members share other buckets too."""
MAX_PASSAGE_POSTINGS = 50
"""Documents under one passage; a passage held by more is boilerplate and no longer leads to candidates."""
MAX_SOURCE_POSTINGS = 8
"""Documents of one source under one passage; a passage that more of its stories hold is boilerplate of that source."""
PASSAGE_LIMITS = (MAX_PASSAGE_POSTINGS, MAX_SOURCE_POSTINGS)
SAMPLED_POSTINGS = 100_000
"""Read to estimate how full buckets are, which takes some 10 ms."""
RECOUNT_SHARE = 0.01
"""Of the documents that may change before boilerplate is counted anew, which takes 1.6 s for a million of them."""
NO_TIME = np.iinfo(np.int64).min
MIN_SHINGLES = 8
"""Texts with fewer are found by their digest alone: a band of so small a set says next to nothing."""

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
        self.state = np.zeros(0, np.uint8)
        self.letters = np.zeros(0, np.uint32)
        self.published = np.zeros(0, np.int64)
        self.sketch = np.zeros((0, NUM_PERM), np.uint8)
        self.row = np.zeros(0, np.int64)
        self.digest = np.zeros((0, 2), np.uint64)
        self.source = np.zeros(0, np.uint32)

    def _allocate(self, room: int) -> None:
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

    def put(self, slot: int, entry: Entry) -> None:
        if slot >= self.state.shape[0]:
            self._allocate(max(FIRST_SLOTS, 2 * self.state.shape[0]))
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
        return sum(getattr(self, name).nbytes for name in COLUMNS)


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
        self._changes = 0
        self._counted: tuple[int, int] | None = None
        """Boilerplate passages when they were last counted, after how many changes."""

    def _parts(self) -> dict[str, Postings | Columns]:
        return {"bands": self._bands, "passages": self._passages, "digests": self._digests, "slots": self._columns}

    def dump(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays from which `restored` makes an equal index, its own until it changes; none is PENDING."""
        with self._lock:
            arrays = {f"{part}.{name}": a for part, table in self._parts().items() for name, a in table.dump().items()}
            return {**arrays, "free": np.array(self._free, np.int64)}

    def listing(self) -> dict[str, NDArray[np.generic]]:
        """Return the content in an order that does not depend on how it came about.

        Postings are left out once a key was full: which ones it holds then depends on the order in which they came.
        """
        with self._lock:
            columns = self._columns
            live = np.flatnonzero(columns.state)
            live = live[np.argsort(columns.row[live])]
            listed = {name: getattr(columns, name)[live] for name in COLUMNS}
            for part, table in self._parts().items():
                if isinstance(table, Postings) and not table.drops:
                    listed[part] = table.listing(columns.row)
            return listed

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Return the index that `dump` gave *arrays* of; they become its own."""
        index = cls()
        for part, table in index._parts().items():
            table.restore({key.removeprefix(f"{part}."): a for key, a in arrays.items() if key.startswith(f"{part}.")})
        live = np.flatnonzero(index._columns.state).tolist()
        index._slots = dict(zip(index._columns.row[live].tolist(), live, strict=True))
        index._free = arrays["free"].tolist()
        return index

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, row: int) -> bool:
        return row in self._slots

    @property
    def newest_row(self) -> int:
        """The highest row in the tables; 0 where they are empty."""
        return max(self._slots, default=0)

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

    def bucket_sizes(self) -> dict[str, dict[int, int]]:
        """Estimate for bands and passages how many keys hold how many postings, from some of their partitions."""
        sizes = {}
        for name, postings in (("bands", self._bands), ("passages", self._passages)):
            with self._lock:
                sample = postings.sample(SAMPLED_POSTINGS)
            sizes[name] = sample.key_sizes()
        return sizes

    @property
    def boilerplate_passages(self) -> int:
        """Passages that are boilerplate, of the corpus or of a source; what the last few documents changed may lack."""
        changes = self._changes
        if self._counted is None or changes - self._counted[0] > RECOUNT_SHARE * len(self):
            self._counted = changes, sum(map(len, self._scan()))
        return self._counted[1]

    def _scan(self) -> Iterator[NDArray[np.int64]]:
        """Yield the boilerplate of each partition; the lock is held for one at a time, which is a few milliseconds."""
        for p in range(PARTITIONS):
            with self._lock:
                columns = self._columns
                found = crowded_kernel(self._passages.arrays, p, columns.row, columns.source, PASSAGE_LIMITS)
            yield found

    def crowded_passages(self, limit: int) -> Crowded:
        """Return the *limit* most widely held of the passages that are boilerplate now, the most widely held first."""
        best = np.empty((0, FIELDS), np.int64)
        for found in self._scan():
            best = np.concatenate([best, found])
            if len(best) > 2 * limit:
                best = most_crowded(best, limit)
        return crowded(most_crowded(best, limit))

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
            self._changes += 1

    def publish(self, rows: list[int]) -> None:
        """Show documents to checks, once they are durable."""
        with self._lock:
            for row in rows:
                slot = self._slots.get(row)
                if slot is not None:
                    self._columns.state[slot] = VISIBLE

    def remove(self, entry: Entry) -> bool:
        """Take a document out again and return whether it was visible; its slot is free once no table names it."""
        with self._lock:
            slot = self._slots.pop(entry.row)
            visible = bool(self._columns.state[slot] == VISIBLE)
            self._digests.remove(_digest_key(entry.digest), slot)
            if _is_comparable(entry.letters):
                self._bands.remove(band_keys(entry.signature), slot)
                self._passages.remove(entry.passages, slot)
            self._columns.state[slot] = FREE
            self._free.append(slot)
            self._changes += 1
            return visible

    def exact(self, digest: bytes, *, pending: bool, earliest: int = NO_TIME) -> int | None:
        """Return the row of the newest indexed document with this digest, published no earlier than *earliest*.

        There is more than one only where a copy heads a cluster of its own; those that follow are to join it.
        """
        least = PENDING if pending else VISIBLE
        wanted = np.frombuffer(digest, np.uint64)
        columns = self._columns
        with self._lock:
            slots = self._digests.find(int(wanted[0]))
            live = (columns.state[slots] >= least) & (columns.published[slots] >= earliest)
            live &= (columns.digest[slots] == wanted).all(axis=1)
            rows = columns.row[slots[live]]
        return int(rows.max()) if rows.size else None

    def boilerplate(self, passages: NDArray[np.uint64], source: str) -> NDArray[np.bool_]:
        """Return bool[p]: the passages that too many stories hold, of the corpus or of one source, to say anything."""
        with self._lock:
            key = _source_key(source)
            return boilerplate_kernel(self._passages.arrays, passages, self._columns.source, key, PASSAGE_LIMITS)

    def candidates(
        self, fingerprint: Fingerprint, *, limit: int, pending: bool, source: str = "", earliest: int = NO_TIME
    ) -> list[Candidate]:
        """Return the best *limit* documents that share a band or a passage, best first.

        Passages that are boilerplate of the corpus, or of *source*, do not count.
        """
        letters = fingerprint.letters.size
        if not _is_comparable(letters):
            return []
        keys = band_keys(fingerprint.signature)
        bounds = (PENDING if pending else VISIBLE, letters, earliest, _source_key(source))
        columns = self._columns
        with self._lock:
            slots, estimates, counts, _ = candidate_kernel(
                self._bands.arrays,
                keys,
                self._passages.arrays,
                fingerprint.passages,
                PASSAGE_LIMITS,
                (columns.state, columns.letters, columns.published, columns.sketch, columns.source),
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
