"""Rows on disk in sorted runs, from which they are read in the order of all (external merge sort, Knuth, TAOCP 3, 5.4).

In memory are, of each row, its publish time and id while the order is made, and its number in that order afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baznashr.types import Document
from baznashr_server.bulk.reading import Piece
from baznashr_server.store.codec import to_micros

BATCH_BYTES = 256 << 10
"""Of a batch of a run; while runs are merged one batch of each is in memory."""
LEAST_RUN_BYTES = 24 << 20
KEYS = pa.schema(
    [
        pa.field("time", pa.int64()),
        pa.field("id", pa.string()),
        pa.field("file", pa.int32()),
        pa.field("row", pa.int64()),
        pa.field("place", pa.int64()),
        pa.field("size", pa.int32()),
    ]
)
"""Of each row: publish time in microseconds since 1970 or null, id, where it was read, and its characters of text."""
MOST_CHARACTERS = 1 << 20
"""Of the texts that are read, and so judged, together, unless one of them alone has more. What is known of a batch's
texts and of all that they are compared with is in memory at once."""
OPEN_RUNS = 512
"""Runs that are open at once, half of the files that a process may have open."""
LAST = np.iinfo(np.int64).max
"""Stands for an unknown publish time where rows are sorted."""


def run_bytes(total: int) -> int:
    """Return how large runs should be for *total* bytes: a run and a batch of every run then take the least memory."""
    return int(max(LEAST_RUN_BYTES, (total * BATCH_BYTES) ** 0.5))


def _sorted(keys: pa.Table) -> pa.Array:
    """Return the order of rows by publish time, unknown last, then id, then as they come."""
    columns = {
        "time": pc.fill_null(keys.column("time"), LAST),
        "id": keys.column("id"),
        "at": pa.array(np.arange(keys.num_rows)),
    }
    return pc.sort_indices(pa.table(columns), sort_keys=[(name, "ascending") for name in columns])


def keys_of(documents: Sequence[Document], file: int, rows: Sequence[int], places: Sequence[int]) -> pa.Table:
    times = [None if d.published_at is None else to_micros(d.published_at) for d in documents]
    sizes = [len(d.text) for d in documents]
    columns = [times, [d.id for d in documents], [file] * len(documents), rows, places, sizes]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, KEYS, strict=True)], schema=KEYS)


class _Waiting:
    """Rows of one schema for the next run of it."""

    def __init__(self) -> None:
        self.payload: list[pa.RecordBatch] = []
        self.keys: list[pa.Table] = []
        self.bytes = 0


class Runs:
    """Writes runs into a folder, one in the background while the next gathers; each holds rows of one schema."""

    def __init__(self, folder: Path, bytes_a_run: int) -> None:
        self._folder = folder
        self._bytes_a_run = bytes_a_run
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="spill")
        self._writing: Future[pa.Table] | None = None
        self._keys: list[pa.Table] = []
        self._waiting: list[_Waiting] = []
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()

    def add(self, piece: Piece, file: int) -> None:
        if not piece.documents:
            return
        waiting = next((one for one in self._waiting if one.payload[0].schema == piece.payload.schema), None)
        if waiting is None:
            waiting = _Waiting()
            self._waiting.append(waiting)
        waiting.payload.append(piece.payload)
        waiting.keys.append(keys_of(piece.documents, file, piece.rows, piece.places))
        waiting.bytes += piece.payload.get_total_buffer_size()
        self.rows += len(piece.documents)
        if sum(one.bytes for one in self._waiting) >= self._bytes_a_run:
            self._end_run(max(self._waiting, key=lambda one: one.bytes))

    def _end_run(self, waiting: _Waiting) -> None:
        self._collect()
        self._waiting.remove(waiting)
        payload, keys = pa.Table.from_batches(waiting.payload), pa.concat_tables(waiting.keys)
        path = self._folder / f"{len(self._keys):06d}.arrow"
        self._writing = self._threads.submit(_write_run, path, payload, keys, waiting.bytes)

    def _collect(self) -> None:
        if self._writing is not None:
            self._keys.append(self._writing.result())
            self._writing = None

    def finish(self) -> list[pa.Table]:
        """Write what is left and return the keys of each run, in its order."""
        while self._waiting:
            self._end_run(self._waiting[0])
        self._collect()
        return self._keys


def _write_run(path: Path, payload: pa.Table, keys: pa.Table, size: int) -> pa.Table:
    order = _sorted(keys)
    rows = max(1, BATCH_BYTES * payload.num_rows // max(1, size))
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    # Rows are taken from one chunk: from many, each taking would put them together anew.
    together = payload.combine_chunks()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, payload.schema, options=options) as writer:
        if np.array_equal(order, np.arange(len(order))):
            writer.write_table(together, max_chunksize=rows)
            return keys.combine_chunks()
        for start in range(0, payload.num_rows, rows):
            writer.write_table(together.take(order.slice(start, rows)))
    return keys.take(order).combine_chunks()


@dataclass(frozen=True)
class Order:
    """All rows in the order in which they are judged."""

    keys: pa.Table
    """KEYS of the rows in order."""
    run: NDArray[np.int32]
    position: NDArray[np.int64]
    """In its run; ascending within each."""

    def __len__(self) -> int:
        return int(self.keys.num_rows)

    def without(self, dropped: NDArray[np.bool_]) -> Order:
        kept = ~dropped
        return Order(self.keys.filter(pa.array(kept)).combine_chunks(), self.run[kept], self.position[kept])

    def first(self, count: int) -> Order:
        return Order(self.keys.slice(0, count), self.run[:count], self.position[:count])

    def write(self, path: Path) -> None:
        table = self.keys.append_column("run", pa.array(self.run)).append_column("position", pa.array(self.position))
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def read(cls, path: Path) -> Order:
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all().combine_chunks()
        run, position = (table.column(name).to_numpy() for name in ("run", "position"))
        return cls(table.select(KEYS.names), run, position)


def merged(keys: list[pa.Table]) -> Order:
    """Return the order of all rows, from those of the runs."""
    if not keys:
        return Order(KEYS.empty_table(), np.empty(0, np.int32), np.empty(0, np.int64))
    together = pa.concat_tables(keys)
    sizes = [table.num_rows for table in keys]
    order = _sorted(together)
    at = order.to_numpy().astype(np.int64)
    run = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[at]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    return Order(together.take(order).combine_chunks(), run, at - starts[run])


class _Run:
    """Reads a run forwards."""

    def __init__(self, path: Path) -> None:
        self._file = pa.OSFile(str(path))
        self._reader = pa.ipc.open_file(self._file)
        self._batch = self._reader.get_batch(0)
        self._rows = self._batch.num_rows
        """Of every batch but the last."""
        self._number = 0

    def close(self) -> None:
        self._file.close()

    def take(self, positions: NDArray[np.int64]) -> list[pa.RecordBatch]:
        """Return the rows at *positions*, which ascend, from batches whose numbers never go back."""
        found = []
        numbers = positions // self._rows
        for number in np.unique(numbers):
            if number != self._number:
                self._batch, self._number = self._reader.get_batch(int(number)), int(number)
            wanted = positions[numbers == number] - number * self._rows
            if wanted.size == self._batch.num_rows:
                found.append(self._batch)
            elif wanted.size == wanted[-1] - wanted[0] + 1:
                found.append(self._batch.slice(int(wanted[0]), wanted.size))
            else:
                found.append(self._batch.take(pa.array(wanted)))
        return found


class Part(NamedTuple):
    at: NDArray[np.int64]
    """Where its rows stand among those asked for."""
    payload: pa.Table


class Group(NamedTuple):
    rows: NDArray[np.int64]
    """Numbers in the order."""
    parts: list[Part]


def _grouped(order: Order, rows: NDArray[Any], count: int) -> Iterator[NDArray[Any]]:
    """Yield *count* rows at a time, and in several goes where their texts are long."""
    sizes = order.keys.column("size").to_numpy()
    for first in range(0, rows.size, count):
        group = rows[first : first + count]
        ends = np.cumsum(sizes[group], dtype=np.int64)
        start = before = 0
        while start < group.size:
            end = max(start + 1, int(np.searchsorted(ends, before + MOST_CHARACTERS, "right")))
            yield group[start:end]
            start, before = end, int(ends[end - 1])


def in_order(folder: Path, order: Order, rows: NDArray[Any], count: int) -> Iterator[Group]:
    """Yield the payloads of rows, at most *count* and MOST_CHARACTERS at a time, in parts of one schema each.

    Args:
        rows: Ascending numbers. After each *count* of them a group ends, however long their texts are.
    """
    runs: dict[int, _Run] = {}
    for group in _grouped(order, rows, count):
        run, position = order.run[group], order.position[group]
        parts: list[tuple[list[NDArray[np.int64]], list[pa.RecordBatch]]] = []
        for number in np.unique(run).tolist():
            reader = runs.pop(number) if number in runs else _Run(folder / f"{number:06d}.arrow")
            runs[number] = reader
            if len(runs) > OPEN_RUNS:
                runs.pop(next(iter(runs))).close()  # the one asked longest ago
            at = np.flatnonzero(run == number)
            batches = reader.take(position[at])
            # Compared without their metadata, which say nothing of rows, and which a hash would tell apart.
            part = next((part for part in parts if part[1][0].schema == batches[0].schema), None)
            if part is None:
                part = [], []
                parts.append(part)
            part[0].append(at)
            part[1].extend(batches)
        yield Group(group, [Part(np.concatenate(places), pa.Table.from_batches(held)) for places, held in parts])
