"""The tables of the corpora between memory and disk: filled, snapshotted, unloaded.

Runs in the writer's thread while it rests, when no transaction is open and the tables are what the store says; only
the files are written in a thread of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any

from baznashr.errors import StoreDamaged
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.observer import Observer, Silence
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.limits import MAX_LOADED_CORPORA, MAX_SNAPSHOT_COPY_BYTES, MIN_SNAPSHOT_DOCUMENTS
from baznashr_server.store import snapshots
from baznashr_server.store.folder import SNAPSHOTS
from baznashr_server.store.rows import CorpusRow
from baznashr_server.store.store import Store

log = logging.getLogger(__name__)

LEAST_REST = 50
"""Times as long as a snapshot took that none is taken: they cost at most 2 % of the time."""


class Tables:
    def __init__(self, store: Store, folder: Path, snapshot_seconds: float, observer: Observer | None = None) -> None:
        self._store = store
        self._folder = folder / SNAPSHOTS
        self._observer = observer or Silence()
        self._seconds = snapshot_seconds
        self._next = time.monotonic() + snapshot_seconds
        self._saved: dict[int, Mapping[str, Any]] = {}
        """The header of each corpus's snapshot, as far as this process wrote or read it."""
        self._current: dict[int, float] = {}
        """When each corpus's snapshot was last known to hold what its tables do, in seconds since 1970."""
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._writing: Future[None] | None = None

    def path(self, corpus: int) -> Path:
        return self._folder / f"{corpus}.tables"

    def fill(self, row: CorpusRow) -> CorpusIndex:
        """Return the tables of a corpus, from its snapshot and what came since, or from its documents alone."""
        index = self._from_snapshot(row)
        return self._caught_up(row, CorpusIndex() if index is None else index)

    def build(self, row: CorpusRow) -> CorpusIndex:
        """Return the tables of a corpus, from its documents alone."""
        return self._caught_up(row, CorpusIndex())

    def _caught_up(self, row: CorpusRow, index: CorpusIndex) -> CorpusIndex:
        expected = self._store.count_indexed(row.corpus)[0] - len(index)
        index.load(self._store.indexed_documents(row.corpus, after=index.newest_row), expected)
        return index

    def _from_snapshot(self, row: CorpusRow) -> CorpusIndex | None:
        try:
            header, arrays = snapshots.read(self.path(row.corpus))
            index = CorpusIndex.restored(arrays)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, snapshots.SnapshotDamaged) as error:
            log.warning("the tables of corpus %s are built anew: their snapshot is unreadable: %s", row.name, error)
            return None
        if header != {**header, **self._header(row.corpus, index.newest_row)}:
            log.info("the tables of corpus %s are built anew: their snapshot is out of date", row.name)
            return None
        self._saved[row.corpus] = header
        self._current[row.corpus] = self.path(row.corpus).stat().st_mtime
        return index

    def _header(self, corpus: int, last: int) -> dict[str, Any]:
        """Return what a snapshot says of itself, if the store's documents up to row *last* are those it holds."""
        newest = self._store.document_at(last) if last else None
        return {
            "profile": self._store.profile.describe(),
            "corpus": corpus,
            "changes": self._store.table_changes(corpus),
            "indexed": list(self._store.count_indexed(corpus, last)),
            "digest": newest.digest.hex() if newest else "",
        }

    def upkeep(self, corpora: Iterable[LoadedCorpus]) -> None:
        """Unload what has not been used for longest where too much is loaded; begin a snapshot where one is due."""
        if self._writing is not None and not self._writing.done():
            return
        filled = sorted((c for c in corpora if c.tables), key=lambda corpus: corpus.last_used)
        for corpus in filled[: max(0, len(filled) - MAX_LOADED_CORPORA)]:
            self._begin(corpus)
            corpus.unload()
            if self._writing is not None:
                return
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._seconds  # where there is no memory for a copy too
            for corpus in sorted(filled, key=lambda corpus: self._current.get(corpus.row.corpus, 0.0)):
                if corpus.memory_bytes <= MAX_SNAPSHOT_COPY_BYTES and self._begin(corpus, copy=True):
                    return

    def _begin(self, corpus: LoadedCorpus, *, copy: bool = False) -> bool:
        """Begin to write a snapshot in the background, of a copy where the tables go on changing."""
        start = time.monotonic()
        index, number = corpus.tables, corpus.row.corpus
        if index is None or len(index) < MIN_SNAPSHOT_DOCUMENTS:
            return False
        header = self._header(number, index.newest_row)
        if not self._differs(number, header):
            self._current[number] = time.time()
            return False
        arrays = {name: array.copy() if copy else array for name, array in index.dump().items()}

        def write() -> None:
            self._write(number, header, arrays)
            self._next = time.monotonic() + max(self._seconds, LEAST_REST * (time.monotonic() - start))

        self._writing = self._threads.submit(write)
        return True

    def _differs(self, corpus: int, header: Mapping[str, Any]) -> bool:
        saved = self._saved.get(corpus)
        return saved is None or saved != {**saved, **header}

    def _write(self, corpus: int, header: Mapping[str, Any], arrays: snapshots.Arrays) -> None:
        start, begun = time.perf_counter(), time.time()
        try:
            snapshots.write(self.path(corpus), header, arrays)
            self._saved[corpus] = header
            self._current[corpus] = begun
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the store has all that the snapshot would
            log.warning("no snapshot of the tables was written: %s: %s", type(error).__name__, error)
        self._observer.snapshot(time.perf_counter() - start, written=self._saved.get(corpus) is header)

    def snapshot_time(self, corpus: LoadedCorpus) -> float:
        """Return when the corpus's snapshot last held what its tables do, in seconds since 1970.

        0 where that is not known to have been; now where it needs none: its tables are small, or not in memory, whose
        snapshot was written when they left it.
        """
        tables = corpus.tables
        if tables is None or len(tables) < MIN_SNAPSHOT_DOCUMENTS:
            return time.time()
        return self._current.get(corpus.row.corpus, 0.0)

    def forget(self, corpus: int) -> None:
        """Remove the snapshot of a corpus that is no more, after one that is being written."""
        self._saved.pop(corpus, None)
        self._current.pop(corpus, None)
        self._threads.submit(self.path(corpus).unlink, missing_ok=True)

    def keep_only(self, corpora: Iterable[int]) -> None:
        """Remove what an end without notice may have left behind."""
        kept = {self.path(corpus) for corpus in corpora}
        for path in self._folder.glob("*"):
            if path not in kept:
                path.unlink()

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def close(self, corpora: Iterable[LoadedCorpus], *, save: bool) -> None:
        """Write the snapshots that are out of date, unless what is in memory may not be what is stored."""
        with self._threads:
            self._wait()
            try:
                for corpus in corpora if save and self._seconds < inf else ():
                    self._save(corpus)
            except StoreDamaged as error:
                log.warning("no snapshot of the tables was written: %s", error)

    def _save(self, corpus: LoadedCorpus) -> None:
        index, number = corpus.tables, corpus.row.corpus
        if index is not None and len(index) >= MIN_SNAPSHOT_DOCUMENTS:
            header = self._header(number, index.newest_row)
            if self._differs(number, header):
                self._write(number, header, index.dump())
