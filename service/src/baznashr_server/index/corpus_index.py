"""The tables of one corpus behind one lock: bands, passages and digests over a set of slots.

A slot stands for one indexed document. It is PENDING from the moment the writer has judged the document until its
transaction is durable, and VISIBLE afterwards: the writer sees both, so that the documents of one batch see each
other; checks see only what is durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, batched
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.bands import BANDS, band_keys, keys_of_entries
from baznashr_server.index.candidates import MIN_LETTERS, edges_kernel, lookup_kernel
from baznashr_server.index.columns import COLUMNS, FREE, PENDING, VISIBLE, Columns, Entry, Fields, source_key
from baznashr_server.index.crowding import FIELDS, Crowded, crowded, crowded_kernel, most_crowded
from baznashr_server.index.fresh import FreshKeys
from baznashr_server.index.lookup import Candidate, Lookup, Query, Reach, Texts
from baznashr_server.index.postings import NO_LIMIT, PARTITIONS, Postings
from baznashr_server.sketch.signature import NUM_PERM

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
LOADED_AT_ONCE = 1024
"""Documents put into the tables by one call of compiled code."""
SEEN_SHARE = 1 / 16
"""Of the documents to load, after which room is made for the rest: the very first have few copies among them."""
ROOM = 1.2
"""Times what is to be loaded that there is room for: full tables are slow, and would grow with the next document."""
LOCKED_LOOKUPS = 32
"""Texts looked up before others get a turn at the tables: a millisecond's work."""
LOCKED_ENTRIES = 64
"""Documents put into the tables likewise."""


class CorpusIndex:
    """Thread-safe. Rows are named by the store's row numbers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bands = Postings(MAX_BAND_POSTINGS)
        self._passages = Postings(MAX_PASSAGE_POSTINGS)
        self._digests = Postings(NO_LIMIT)
        self._columns = Columns()
        self._free: list[int] = []
        self._waiting: list[Entry] = []
        """Entered as PENDING, but not in the tables yet: they are put there many at a time."""
        self._pending: list[NDArray[np.int64]] = []
        """Slots that `publish` shows."""
        self._fresh = FreshKeys()
        self._published = 0
        """The newest of the documents numbered by `_fresh` that checks see, with all before it."""
        self._removals = 0
        self._changes = 0
        self._counted: tuple[int, int] | None = None
        """After how many changes boilerplate passages were last counted, and how many they were."""

    def _parts(self) -> dict[str, Postings | Columns]:
        return {"bands": self._bands, "passages": self._passages, "digests": self._digests, "slots": self._columns}

    def dump(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays from which `restored` makes an equal index, its own until it changes; none is PENDING."""
        with self._settled():
            arrays = {f"{part}.{name}": a for part, table in self._parts().items() for name, a in table.dump().items()}
            return {**arrays, "free": np.array(self._free, np.int64)}

    def listing(self) -> dict[str, NDArray[np.generic]]:
        """Return the content in an order that does not depend on how it came about.

        Postings are left out once a key was full: which ones it holds then depends on the order in which they came.
        """
        with self._settled():
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
        index._free = arrays["free"].tolist()
        return index

    def __len__(self) -> int:
        return self._columns.size - len(self._free) + len(self._waiting)

    @property
    def newest_row(self) -> int:
        """The highest row in the tables; 0 where they are empty."""
        with self._settled():
            columns = self._columns
            return int(columns.row[: columns.size].max(initial=0, where=columns.state[: columns.size] != FREE))

    @property
    def memory_bytes(self) -> int:
        tables = (self._bands, self._passages, self._digests, self._columns, self._fresh)
        with self._settled():
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
            with self._settled():
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
            with self._settled():
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

    def _settle(self) -> None:
        """Put all that was entered into the tables, in pieces between which others get a turn at them."""
        while self._waiting:
            with self._lock:
                if some := self._waiting[:LOCKED_ENTRIES]:
                    del self._waiting[:LOCKED_ENTRIES]
                    self._enter(some, PENDING, are_fresh=True)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Hold the lock with all in the tables that the thread has entered."""
        self._settle()
        with self._lock:
            yield

    def reserve(self, documents: int, passages: int) -> None:
        """Make room at once for so many more documents, with so many passages in all.

        Tables that grow as documents come are moved many times, and end with up to half as much room as they need.
        """
        with self._settled():
            self._columns.reserve(self._columns.size + documents)
            for table, entries in ((self._digests, 1), (self._bands, BANDS)):
                table.reserve(table.entries + entries * documents)
            self._passages.reserve(self._passages.entries + passages)

    def add(self, entry: Entry, *, visible: bool = False) -> None:
        """Enter a document that is not there yet; PENDING unless *visible*."""
        with self._lock:
            if visible:
                self._enter([entry], VISIBLE, are_fresh=True)
            else:
                self._waiting.append(entry)
            self._changes += 1

    def load(self, entries: Iterable[Fields], expected: int = 0) -> None:
        """Enter stored documents, visible at once, before anybody looks anything up.

        Args:
            entries: Are read by the calling thread, while another puts those before into the tables.
            expected: How many there are about, to make room for all once it is seen how many passages the first have.
        """
        loaded = 0
        entering: Future[None] | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="tables") as thread:
            for some in batched(entries, LOADED_AT_ONCE):
                if entering is not None:
                    entering.result()
                entering = thread.submit(self._load, some, loaded, expected)
                loaded += len(some)
            if entering is not None:
                entering.result()

    def _load(self, some: Sequence[Fields], loaded: int, expected: int) -> None:
        """Enter *some* after those *loaded*, and make room for the rest once enough are seen."""
        with self._lock:
            self._enter(some, VISIBLE, are_fresh=False)
        if loaded < SEEN_SHARE * expected <= loaded + len(some) < expected:
            left = round(ROOM * (expected - loaded - len(some)))
            self.reserve(left, self._passages.entries * left // (loaded + len(some)))

    def _enter(self, entries: Sequence[Fields], state: int, *, are_fresh: bool) -> None:
        reused = [self._free.pop() for _ in range(min(len(self._free), len(entries)))]
        end = self._columns.size + len(entries) - len(reused)
        slots = np.array([*reused, *range(self._columns.size, end)], np.int64)
        rows, digests_of_each, signatures_of_each, passages_of_each, letters, published, sources = zip(
            *entries, strict=True
        )
        states, source_keys = [state] * len(entries), list(map(source_key, sources))
        columns = np.array((states, letters, published, rows, source_keys), np.int64).T.copy()
        signatures = np.frombuffer(b"".join(signatures_of_each), np.uint32).reshape(-1, NUM_PERM)
        digests = np.frombuffer(b"".join(digests_of_each), np.uint64).reshape(-1, 2)
        passages = np.frombuffer(b"".join(passages_of_each), np.uint64)
        sizes = np.array([memoryview(own).nbytes for own in passages_of_each]) // passages.itemsize
        self._columns.put(slots, columns, signatures, digests)
        if state == PENDING:
            self._pending.append(slots)
        bands, of_bands, passages, of_passages = keys_of_entries(columns, MIN_LETTERS, signatures, passages, sizes)
        keys = digests[:, 0].copy()
        self._digests.insert(keys, slots)
        if bands.size:
            self._bands.insert(bands, slots[of_bands])
        if passages.size:
            self._passages.insert(passages, slots[of_passages])
        if are_fresh:
            numbers = self._fresh.take_numbers(len(entries))
            owners = np.concatenate((np.arange(len(entries)), of_bands, of_passages))
            self._fresh.record(np.concatenate((keys, bands, passages)), numbers[owners])

    def publish(self) -> None:
        """Show to checks all that was entered, once it is durable."""
        with self._settled():
            state = self._columns.state
            for slots in self._pending:
                state[slots[state[slots] == PENDING]] = VISIBLE
            self._pending.clear()
            self._published = self._fresh.newest

    def _slot(self, row: int, digest: bytes) -> int | None:
        slots = self._digests.find(int(_digest_keys([digest])[0]))
        found = slots[(self._columns.row[slots] == row) & (self._columns.state[slots] != FREE)]
        return int(found[0]) if found.size else None

    def holds(self, row: int, digest: bytes) -> bool:
        """Whether the document with this row and digest is in the tables."""
        with self._settled():
            return self._slot(row, digest) is not None

    def remove(self, entry: Entry) -> bool:
        """Take a document out again and return whether it was visible; its slot is free once no table names it.

        Raises:
            KeyError: It is not in the tables.
        """
        with self._settled():
            slot = self._slot(entry.row, entry.digest)
            if slot is None:
                raise KeyError(entry.row)
            visible = bool(self._columns.state[slot] == VISIBLE)
            self._digests.remove(_digest_keys([entry.digest]), slot)
            if entry.letters >= MIN_LETTERS:
                self._bands.remove(band_keys(np.frombuffer(entry.signature, np.uint32)), slot)
                self._passages.remove(np.frombuffer(entry.passages, np.uint64), slot)
            self._columns.state[slot] = FREE
            self._free.append(slot)
            self._removals += 1
            self._changes += 1
            return visible

    def exact(self, digest: bytes, *, pending: bool) -> int | None:
        """Return the row of the newest indexed document with this digest.

        There is more than one only where a copy heads a cluster of its own; those that follow are to join it.
        """
        least = PENDING if pending else VISIBLE
        wanted = np.frombuffer(digest, np.uint64)
        columns = self._columns
        with self._settled():
            slots = self._digests.find(int(wanted[0]))
            live = (columns.state[slots] >= least) & (columns.digest[slots] == wanted).all(axis=1)
            rows = columns.row[slots[live]]
        return int(rows.max()) if rows.size else None

    def boilerplate_edges(self, texts: Sequence[tuple[NDArray[np.uint64], str]]) -> list[list[int]]:
        """Return of each text how many of its passages, from the first on and from the last back, say nothing.

        Too many stories hold them, of the corpus or of the one source.

        Args:
            texts: The passages and the source of each.
        """
        passages = texts[0][0] if len(texts) == 1 else np.concatenate([own for own, _ in texts])
        ends = np.array(list(accumulate(own.size for own, _ in texts)))
        sources = np.array([source_key(source) for _, source in texts])
        with self._settled():
            columns, tables = self._columns, self._passages.arrays
            edges = edges_kernel(tables, passages, ends, columns.source, sources, PASSAGE_LIMITS)
        found: list[list[int]] = edges.tolist()
        return found

    def lookup(self, queries: Sequence[Query], reach: Reach, *, pending: bool = False) -> Lookup:
        """Return for each text its candidates (`find`), and what to ask `is_outdated` by."""
        texts = Texts.of(queries)
        with self._settled() if pending else self._lock:
            since, removals = self._fresh.newest if pending else self._published, self._removals
        candidates: list[list[Candidate]] = []
        telling = np.empty(texts.passages.size, np.bool_)
        for first in range(0, len(queries), LOCKED_LOOKUPS):
            some, start, end = texts.part(first, first + LOCKED_LOOKUPS)
            found, telling[start:end] = self.find(some, reach, pending=pending)
            candidates += found
        return Lookup(candidates, since, removals, texts, *texts.keys(telling))

    def find(
        self, texts: Texts, reach: Reach, *, pending: bool = False
    ) -> tuple[list[list[Candidate]], NDArray[np.bool_]]:
        """Return for each text the best documents that share a band or a passage, best first.

        Where there are any of equal text, they alone, the newest first. Passages that are boilerplate of the corpus, or
        of the text's source, do not count: the second answer, bool[p], says which of all texts' do.
        """
        with self._settled() if pending else self._lock:
            c = self._columns
            columns = (c.state, c.letters, c.published, c.sketch, c.source, c.row, c.digest)
            tables = (self._bands.arrays, self._passages.arrays, self._digests.arrays)
            least = PENDING if pending else VISIBLE
            window = reach.earliest, reach.earliest_similar
            made = lookup_kernel(tables, columns, texts, PASSAGE_LIMITS, least, window, reach.limit)
        *found, counts, telling, _ = made
        candidates: list[list[Candidate]] = []
        for t, n in enumerate(counts.tolist()):
            values = (column[t, :n].tolist() for column in found)
            candidates.append([Candidate(*each) for each in zip(*values, strict=True)] if n else [])
        return candidates, telling

    def is_outdated(
        self, lookup: Lookup, watched: Sequence[Sequence[NDArray[np.uint64]]] = ()
    ) -> tuple[list[bool], bool]:
        """Return for each text whether another lookup, by the writer, could find more; and whether it could find less.

        Texts are taken in order: one that shares a key with an earlier one is said to find more, and so is one with a
        *watched* passage that was entered since.
        """
        with self._settled():
            flags = self._fresh.flags(lookup.keys, lookup.tested, lookup.ends, lookup.since, watched)
            return flags.tolist(), lookup.removals != self._removals


def _digest_keys(digests: Iterable[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(digest[:8] for digest in digests), np.uint64)
