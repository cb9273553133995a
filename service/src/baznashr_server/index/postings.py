"""A multimap from 64-bit keys to slots in flat arrays, growing one partition at a time.

An entry is one uint64: 32 mixed bits of its key above the slot plus one; zero is empty. A key's low byte names one of
256 partitions; within it entries lie by linear probing from the home place `key32 * capacity >> 32`, and deletion
shifts followers back, so no tombstone is left (Knuth, TAOCP 3, 6.4, algorithm R). Growth allocates larger partitions
for all and moves them one by one as documents arrive, giving the memory of each back; a partition is always wholly in
the old array or in the new one.

Keys that differ may share partition and 32 bits (about n/2^40 of n keys): a lookup may name a slot too many, never one
too few, save for keys that hold `max_postings` slots already, to which no more are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import CDLL, c_size_t, c_void_p
from mmap import MADV_DONTNEED, PAGESIZE
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel

PARTITIONS = 256
FIRST_CAPACITY = 32
"""Entries of a partition when the first document comes: 64 KiB a table, which an empty one does not take."""
GROWTH = 1.5
MAX_LOAD = 0.8
"""Linear probing's mean miss costs 13 probes at this load (Knuth), all in one or two cache lines."""

GROWTH_SHARE = 0.05
"""Of the old table's places: so many entries come while a growth is under way."""
NO_LIMIT = 1 << 62

GIVEN_BACK = 16 << 20
"""Bytes of a table from which the memory of moved partitions is worth a call of the system each."""
AHEAD = 32
"""Keys whose home places are read before the first is inserted, so that their cache misses overlap."""
_C = CDLL(None)

U64 = NDArray[np.uint64]


class Arrays(NamedTuple):
    """What the kernels work on."""

    old: U64
    """uint64[256, c]: partitions not yet moved."""
    new: U64
    """uint64[256, d]: partitions moved; the same array as `old` when no growth is under way."""
    moved: NDArray[np.bool_]
    """bool[256]."""
    counts: NDArray[np.int64]
    """int64[256]: entries of each partition."""


def upper(key):  # type: ignore[no-untyped-def]
    """Return 32 bits of *key*, one uint64 or an array, that spread over the whole range, also where keys do not.

    Winnowing keeps the least hashes, whose upper bits are all but zero; a product with an odd number is a bijection
    that carries the lower bits up (Knuth's multiplicative hashing).
    """
    return (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)


upper_kernel = kernel(upper)


@kernel
def _place(part, key32, entry):  # type: ignore[no-untyped-def]
    """Put *entry* into the first free place of a partition that has one."""
    size = part.size
    at = np.int64((np.uint64(key32) * np.uint64(size)) >> np.uint64(32))
    while part[at] != 0:
        at = at + 1 if at + 1 < size else 0
    part[at] = entry


@kernel
def move_partition(arrays, p):  # type: ignore[no-untyped-def]
    """Move partition *p* to the new array, if it is not there yet."""
    old, new, moved, _ = arrays
    if moved[p]:
        return
    source, target = old[p], new[p]
    for i in range(source.size):
        entry = source[i]
        if entry != 0:
            _place(target, entry >> np.uint64(32), entry)
    moved[p] = True


@kernel
def touch_kernel(arrays, keys, first, last):  # type: ignore[no-untyped-def]
    """Read the home places of keys[first:last], one by one independent of the others, and return a sum of no meaning.

    The processor fetches them from memory side by side; the search that follows, where each step waits for the one
    before, finds them in its cache. The sum has to be used, or the compiler leaves the reads out.
    """
    old, new, moved, _ = arrays
    touched = np.uint64(0)
    for i in range(first, last):
        p = np.int64(keys[i] & np.uint64(PARTITIONS - 1))
        key32 = upper_kernel(keys[i])
        if moved[p]:
            touched += new[p, np.int64((key32 * np.uint64(new.shape[1])) >> np.uint64(32))]
        else:
            touched += old[p, np.int64((key32 * np.uint64(old.shape[1])) >> np.uint64(32))]
    return touched


@kernel
def insert_kernel(arrays, keys, slots, max_postings, start):  # type: ignore[no-untyped-def]
    """Add slots[i] under keys[i].

    Args:
        start: The first i.

    Returns:
        The first i not added as its partition was full, entries, drops, the largest number of slots under a key, and
        what `touch_kernel` gave. A key that holds *max_postings* slots is left as it is and counted as a drop.
    """
    old, new, moved, counts = arrays
    added = 0
    drops = 0
    largest = 0
    touched = np.uint64(0)
    for i in range(start, keys.size):
        if (i - start) % AHEAD == 0:
            touched += touch_kernel(arrays, keys, i, min(keys.size, i + AHEAD))
        key = keys[i]
        p = np.int64(key & np.uint64(PARTITIONS - 1))
        if counts[p] + 1 >= old.shape[1] and not moved[p]:
            move_partition(arrays, p)
        part = new[p] if moved[p] else old[p]
        size = part.size
        if counts[p] + 1 >= size:
            return i, added, drops, largest, touched
        key32 = upper_kernel(key)
        at = np.int64((key32 * np.uint64(size)) >> np.uint64(32))
        held = 0
        while part[at] != 0:
            held += part[at] >> np.uint64(32) == key32
            at = at + 1 if at + 1 < size else 0
        if held >= max_postings:
            drops += 1
            continue
        largest = max(largest, held + 1)
        part[at] = (key32 << np.uint64(32)) | np.uint64(slots[i] + 1)
        counts[p] += 1
        added += 1
    return keys.size, added, drops, largest, touched


@kernel
def _close_gap(part, gap):  # type: ignore[no-untyped-def]
    """Empty place *gap* and shift back the entries that probing could no longer reach."""
    size = part.size
    at = gap
    while True:
        at = at + 1 if at + 1 < size else 0
        entry = part[at]
        if entry == 0:
            break
        home = np.int64(((entry >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))
        if (at - home) % size >= (at - gap) % size:
            part[gap] = entry
            gap = at
    part[gap] = np.uint64(0)


@kernel
def remove_kernel(arrays, keys, slot):  # type: ignore[no-untyped-def]
    """Remove *slot* from under each of *keys*; return how many entries went."""
    old, new, moved, counts = arrays
    removed = 0
    for key in keys:
        p = np.int64(key & np.uint64(PARTITIONS - 1))
        part = new[p] if moved[p] else old[p]
        size = part.size
        key32 = upper_kernel(key)
        wanted = (key32 << np.uint64(32)) | np.uint64(slot + 1)
        at = np.int64((key32 * np.uint64(size)) >> np.uint64(32))
        while part[at] != 0 and part[at] != wanted:
            at = at + 1 if at + 1 < size else 0
        if part[at] == wanted:
            _close_gap(part, at)
            counts[p] -= 1
            removed += 1
    return removed


@kernel
def find_kernel(arrays, key, out, start):  # type: ignore[no-untyped-def]
    """Write the slots under *key* to out[start:] as far as they fit; return the end of what was written."""
    old, new, moved, _ = arrays
    p = np.int64(key & np.uint64(PARTITIONS - 1))
    part = new[p] if moved[p] else old[p]
    size = part.size
    key32 = upper_kernel(key)
    at = np.int64((key32 * np.uint64(size)) >> np.uint64(32))
    end = start
    while part[at] != 0 and end < out.size:
        if part[at] >> np.uint64(32) == key32:
            out[end] = np.int64(part[at] & np.uint64(0xFFFFFFFF)) - 1
            end += 1
        at = at + 1 if at + 1 < size else 0
    return end


@kernel
def count_kernel(arrays, key):  # type: ignore[no-untyped-def]
    """Return the number of slots under *key*."""
    old, new, moved, _ = arrays
    p = np.int64(key & np.uint64(PARTITIONS - 1))
    part = new[p] if moved[p] else old[p]
    size = part.size
    key32 = upper_kernel(key)
    at = np.int64((key32 * np.uint64(size)) >> np.uint64(32))
    count = 0
    while part[at] != 0:
        count += part[at] >> np.uint64(32) == key32
        at = at + 1 if at + 1 < size else 0
    return count


def _partitions(capacity: int) -> U64:
    return np.zeros((PARTITIONS, capacity), np.uint64)


def _give_back(partition: U64) -> None:
    """Let the system have the whole pages of a partition that is not read again; they read as zeros from now on."""
    if partition.nbytes * PARTITIONS < GIVEN_BACK:
        return
    start = -(-partition.ctypes.data // PAGESIZE) * PAGESIZE
    size = (partition.ctypes.data + partition.nbytes) // PAGESIZE * PAGESIZE - start
    if size > 0:
        _C.madvise(c_void_p(start), c_size_t(size), MADV_DONTNEED)


_EMPTY = _partitions(1)
"""What all empty multimaps share: a partition of one place is full, so the first insertion makes one of their own."""


class Sample:
    """Some partitions of a multimap, as they were."""

    def __init__(self, partitions: list[U64]) -> None:
        self._partitions = partitions

    def key_sizes(self) -> dict[int, int]:
        """Return how many keys of the multimap have how many slots, estimated where the sample is not all of it."""
        sizes = np.zeros(1, np.int64)
        for partition in self._partitions:
            _, counts = np.unique(partition[partition != 0] >> np.uint64(32), return_counts=True)
            found = np.bincount(counts)
            sizes = np.pad(sizes, (0, max(0, found.size - sizes.size)))
            sizes[: found.size] += found
        scale = PARTITIONS / len(self._partitions)
        return {size: round(int(sizes[size]) * scale) for size in np.flatnonzero(sizes).tolist()}


class Postings:
    """The multimap. Not thread-safe: the corpus index locks around it."""

    def __init__(self, max_postings: int) -> None:
        self.max_postings = max_postings
        self.entries = 0
        self.largest = 0
        """Slots of the fullest key met by an insertion."""
        self.drops = 0
        """Entries not added because their key held `max_postings` slots."""
        self.arrays = Arrays(_EMPTY, _EMPTY, np.ones(PARTITIONS, np.bool_), np.zeros(PARTITIONS, np.int64))
        self._next = PARTITIONS
        """The partition that growth moves next; PARTITIONS when no growth is under way."""

    def dump(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that make up the multimap, its own until it changes; growth is finished for it."""
        self._finish_growth()
        progress = np.array([self.largest, self.drops], np.int64)
        return {"entries": self.arrays.new, "counts": self.arrays.counts, "met": progress}

    def listing(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64[n, 3]: partition, key32 and row of all entries, sorted.

        Args:
            rows: int64[s]: the row that stands for each slot.
        """
        entries = np.concatenate(
            [self.arrays.new[p] if self.arrays.moved[p] else self.arrays.old[p] for p in range(PARTITIONS)]
        )
        sizes = [(self.arrays.new if moved else self.arrays.old).shape[1] for moved in self.arrays.moved]
        partitions = np.repeat(np.arange(PARTITIONS), sizes)
        held = entries != 0
        slots = (entries[held] & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
        listed = np.stack([partitions[held], (entries[held] >> np.uint64(32)).astype(np.int64), rows[slots]], axis=1)
        return listed[np.lexsort(listed.T[::-1])]

    def sample(self, entries: int) -> Sample:
        """Return a copy of as many partitions as hold about *entries*; keys are spread over partitions by chance."""
        wanted = PARTITIONS if self.entries <= entries else max(1, PARTITIONS * entries // self.entries)
        chosen = range(0, PARTITIONS, PARTITIONS // wanted)
        arrays = self.arrays
        return Sample([(arrays.new if arrays.moved[p] else arrays.old)[p].copy() for p in chosen])

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Become the multimap that `dump` gave *arrays* of; they must be this one's alone and writable."""
        entries, counts = arrays["entries"].view(np.uint64), arrays["counts"].view(np.int64)
        self.arrays = Arrays(entries, entries, np.ones(PARTITIONS, np.bool_), counts)
        self.largest, self.drops = map(int, arrays["met"])
        self.entries = int(counts.sum())

    @property
    def memory_bytes(self) -> int:
        old, new = self.arrays.old, self.arrays.new
        waiting = 0 if old is _EMPTY else old.nbytes * (PARTITIONS - self._next) // PARTITIONS
        return waiting + (0 if new is _EMPTY else new.nbytes)

    def insert(self, keys: U64, slots: NDArray[np.int64]) -> None:
        """Add slots[i] under keys[i], uint64[k] and int64[k]; no pair may be there yet."""
        self._grow_a_little(keys.size)
        start = 0
        while True:
            start, added, drops, largest, _ = insert_kernel(self.arrays, keys, slots, self.max_postings, start)
            self.entries += added
            self.drops += drops
            self.largest = max(self.largest, largest)
            if start == keys.size:
                return
            self._finish_growth()
            self._begin_growth()

    def reserve(self, entries: int) -> None:
        """Make room at once for *entries* in all, so that none need move as they come."""
        capacity = 1 + int(entries / (MAX_LOAD * PARTITIONS))
        self._finish_growth()
        if capacity > self.arrays.new.shape[1]:
            self._begin_growth(capacity)
            self._finish_growth()

    def remove(self, keys: U64, slot: int) -> int:
        """Remove *slot* from under each of *keys*; return how many entries there were."""
        removed = int(remove_kernel(self.arrays, keys, slot))
        self.entries -= removed
        return removed

    def find(self, key: int) -> NDArray[np.int64]:
        """Return the slots under *key*."""
        out = np.empty(count_kernel(self.arrays, np.uint64(key)), np.int64)
        return out[: find_kernel(self.arrays, np.uint64(key), out, 0)]

    def _grow_a_little(self, keys: int) -> None:
        """Move as many partitions as it takes to have moved all once GROWTH_SHARE more entries have come."""
        if self._next == PARTITIONS and self.entries > MAX_LOAD * self.arrays.new.size:
            self._begin_growth()
        if self._next < PARTITIONS:
            pieces = 1 + int(PARTITIONS * keys / (GROWTH_SHARE * self.arrays.old.size))
            for p in range(self._next, min(PARTITIONS, self._next + pieces)):
                self._move(p)
            self._next = min(PARTITIONS, self._next + pieces)
            if self._next == PARTITIONS:
                self._drop_old()

    def _begin_growth(self, capacity: int = FIRST_CAPACITY) -> None:
        old = self.arrays.new
        new = _partitions(max(capacity, int(old.shape[1] * GROWTH)))
        self.arrays = Arrays(old, new, np.zeros(PARTITIONS, np.bool_), self.arrays.counts)
        self._next = 0

    def _finish_growth(self) -> None:
        if self._next == PARTITIONS:
            return
        for p in range(self._next, PARTITIONS):
            self._move(p)
        self._next = PARTITIONS
        self._drop_old()

    def _move(self, p: int) -> None:
        """Move partition *p* and give its old memory back, so that growth takes hardly more than the table it makes."""
        move_partition(self.arrays, p)
        _give_back(self.arrays.old[p])

    def _drop_old(self) -> None:
        self.arrays = self.arrays._replace(old=self.arrays.new)
