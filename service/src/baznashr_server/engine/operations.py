"""What operators ask of an open store: sizes on disk, queues, a census of its content, backups."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from baznashr.errors import StoreError
from baznashr_server.engine.corpora import Corpora
from baznashr_server.engine.observer import Observer
from baznashr_server.engine.writer import Writer
from baznashr_server.limits import MAX_QUEUED_WRITES
from baznashr_server.profile import Profile
from baznashr_server.sketch.passages import WINDOW
from baznashr_server.store.backup import Progress, backup_folder, last_backup
from baznashr_server.store.folder import DATABASE, SNAPSHOTS
from baznashr_server.store.store import Store

PASSAGES_A_LETTER = 2 / (WINDOW + 1)
"""That winnowing keeps of random hashes (Schleimer, Wilkerson and Aiken 2003)."""
SAMPLED_ROWS = 64
"""Documents of a corpus by which the size of all its rows is estimated."""


@dataclass(frozen=True)
class Storage:
    """A data folder on its disk. Sizes are in bytes."""

    files: Mapping[str, int]
    """Of the database, its log and the snapshots of the tables."""
    disk_size: int
    disk_free: int
    """That the service may use."""
    last_backup: float | None
    """In seconds since 1970; None where none is known."""


@dataclass(frozen=True)
class Census:
    """One corpus, counted as a whole."""

    clusters: Mapping[int, int]
    """How many clusters have how many documents."""
    buckets: Mapping[str, Mapping[int, int]]
    """By table (bands, passages): how many keys have how many entries, estimated; empty while not in memory."""
    row_bytes: int
    """Of the rows of all documents, estimated."""


class Operations:
    def __init__(self, folder: Path, store: Store, corpora: Corpora, writer: Writer, observer: Observer) -> None:
        self._folder = folder
        self._store = store
        self._corpora = corpora
        self._writer = writer
        self._observer = observer

    @property
    def profile(self) -> Profile:
        """What the store's documents were fingerprinted under."""
        return self._store.profile

    @property
    def writes(self) -> tuple[int, int]:
        """How many changes wait for the writer, and how many may."""
        return self._writer.waiting, MAX_QUEUED_WRITES

    def storage(self) -> Storage:
        return storage(self._folder)

    def reserve(self, corpus: str, documents: int, letters: int) -> None:
        """Make room in a corpus's tables for documents that are to come, with so many letters in all."""
        self._corpora[corpus].index.reserve(documents, int(letters * PASSAGES_A_LETTER))

    def spare_syncs(self) -> None:
        """Have what is stored from now on outlast the end of the process at once, and that of the machine when closed.

        For a store that is made anew where the machine fails: a commit does not wait for the disk.
        """
        self._store.spare_syncs()

    def census(self) -> Mapping[str, Census]:
        """Count every corpus, by one pass over an index of the database: seconds for millions of documents."""
        clusters = self._store.cluster_sizes()
        return {
            corpus.name: Census(
                clusters=clusters.get(corpus.row.corpus, {}),
                buckets={} if corpus.tables is None else corpus.tables.bucket_sizes(),
                row_bytes=self._store.estimated_row_bytes(corpus.row.corpus, corpus.documents, SAMPLED_ROWS),
            )
            for corpus in self._corpora
        }

    def backup(self, target: Path, progress: Progress | None) -> int:
        start = time.perf_counter()
        try:
            size = backup_folder(self._folder, target, progress)
        except Exception as error:
            if not (isinstance(error, StoreError) and error.reason == "FILE_EXISTS"):  # then nothing was tried
                self._observer.backup(time.perf_counter() - start, taken=False)
            raise
        self._observer.backup(time.perf_counter() - start, taken=True)
        return size


def storage(folder: Path) -> Storage:
    """Look at a data folder, in use or not.

    Raises:
        OSError: It cannot be looked at.
    """
    disk = shutil.disk_usage(folder)
    files = {
        "database": _size(folder / DATABASE),
        "log": _size(folder / f"{DATABASE}-wal"),
        "snapshots": sum(map(_size, (folder / SNAPSHOTS).glob("*"))),
    }
    return Storage(files, disk.total, disk.free, last_backup(folder))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # replaced or removed a moment ago
        return 0
