"""How much memory and disk a run will take, before it takes them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from ctypes import CDLL
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from baznashr.errors import InvalidArgument, StoreError
from baznashr_server.bulk.inputs import Form, Input
from baznashr_server.bulk.reading import raw_records
from baznashr_server.bulk.spill import run_bytes
from baznashr_server.bulk.unpacking import Unreadable, chunks, packing

SAMPLED_FILES = 8
SAMPLED_ROWS = 200
BYTES_A_LETTER = 2.0
"""Of Persian text as UTF-8, nearly."""
FIXED = 600 << 20
"""Two interpreters with their libraries, kernels, SQLite's page caches, bodies at hand, batches under way; at the end
the report's charts come in their place. Runs over 30,000, 100,000 and 300,000 articles took 640, 760 and 1,050 MB."""
A_DOCUMENT = 620
"""Bands, digest and columns of a document in the tables, for all of which room is made at once: 450 bytes; its keys in
the order, and what is known of it in the end."""
A_LETTER = 0.34
"""Passages in the tables: 2 for every 49 characters but blanks, 8 bytes each at a load of 0.8."""
ON_DISK = 2.2
"""Bytes on disk for one byte of input, decompressed: sorted runs, the store, the kept set."""
IN_STORE = 1.5
"""Of them in the store."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the inputs hold, by a sample."""

    rows: int
    text_bytes: int
    """Of all rows, decompressed."""

    @property
    def memory(self) -> int:
        """Bytes of memory needed."""
        return needed(self.rows, self.text_bytes)


def needed(rows: int, text_bytes: int) -> int:
    """Return the bytes of memory that a run over *rows* documents needs at its peak."""
    letters = text_bytes / BYTES_A_LETTER
    return int(FIXED + run_bytes(text_bytes) + rows * A_DOCUMENT + letters * A_LETTER)


def survey(inputs: Sequence[Input], encoding: str) -> Survey:
    """Estimate what the inputs hold from the beginnings of some of them, spread over all."""
    rows = size = 0.0
    step = max(1, len(inputs) // SAMPLED_FILES)
    for form in Form:
        files = [one for one in inputs if one.form is form]
        seen = [(*_measured(one, encoding), one.size) for one in files[::step]]
        sampled = sum(of for _, _, of in seen) or 1
        scale = sum(one.size for one in files) / sampled
        rows += sum(found for found, _, _ in seen) * scale
        size += sum(found for _, found, _ in seen) * scale
    return Survey(int(rows), int(size))


def _measured(source: Input, encoding: str) -> tuple[float, float]:
    """Return the rows of a file and its decompressed bytes, nearly."""
    if source.form is Form.PARQUET:
        try:
            about = pq.read_metadata(source.path)
        except (pa.ArrowException, OSError):
            return 0, source.size
        return about.num_rows, sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    size = source.size * _growth(source.path)
    try:
        held = [len(record.raw) for record in islice(raw_records(source, encoding), SAMPLED_ROWS)]
    except Unreadable:
        held = []
    if not held:
        return 0, size
    return (1, size) if source.form is Form.TEXT else (size / (sum(held) / len(held) + 1), size)


def _growth(path: Path) -> float:
    """Return how many bytes become of one when the file is decompressed."""
    if not packing(path):
        return 1.0
    told = _Counted()
    out = 0
    try:
        for chunk in chunks(path, told):
            out += len(chunk)
            if out > 8 << 20:
                break
    except (Unreadable, OSError):
        pass
    return out / max(1, told.total)


class _Counted:
    total = 0

    def update(self, data: bytes) -> None:
        self.total += len(data)


def available() -> int:
    """Return the bytes of memory that a process of this machine, or of this container, can still take."""
    free = []
    if (told := Path("/proc/meminfo")).exists():
        lines = told.read_text("ascii").splitlines()
        free += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, taken = (Path("/sys/fs/cgroup", name).read_text("ascii").strip() for name in (most, used))
            free.append(int(limit) - int(taken))
        except (OSError, ValueError):
            continue
    return min(free, default=1 << 62)


def check(need: int, rows: int, limit: int | None) -> None:
    """Refuse a run that does not fit.

    Args:
        limit: Bytes it may take; what is available without one.

    Raises:
        InvalidArgument: It needs more.
    """
    most = available() if limit is None else limit
    if need > most:
        raise InvalidArgument(
            f"About {rows:,} articles need {need / 1e9:.1f} GB of memory, and {most / 1e9:.1f} GB "
            f"{'are free' if limit is None else 'are allowed'}.",
            reason="NOT_ENOUGH_MEMORY",
        )


def _written(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def check_disk(folder: Path, need: float) -> None:
    """Refuse a run of whose files so many bytes will not fit into a folder, which need not be there yet.

    Raises:
        StoreError: They will not.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if need > free:
        raise StoreError(
            f"{folder}: the run needs about {_written(need)} of disk, and {_written(free)} are free.",
            reason="NOT_ENOUGH_DISK",
        )


def give_back() -> None:
    """Return to the system what the allocators keep for later, where one phase of a run is followed by another."""
    pa.default_memory_pool().release_unused()
    trim = getattr(CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
