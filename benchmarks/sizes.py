"""Durable ingest and checks in process against the number of documents stored; how a server starts with so many.

The store is filled once, from empty to the largest size, and everything is measured at each size on the way.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import batched, pairwise
from pathlib import Path
from typing import NamedTuple

from baznashr.types import Document
from baznashr_server.engine import Engine
from baznashr_server.engine.bodies import MAX_BYTES as TEXT_CACHE_BYTES
from baznashr_server.limits import MAX_BATCH_DOCUMENTS
from baznashr_server.store.schema import CACHE_KIB
from benchmarks.engine import BATCHES, IN_FLIGHT, Rate, in_batches, pipelined
from benchmarks.measure import in_turn, median_ratio
from benchmarks.memory import peak_bytes, resident_bytes
from benchmarks.peer import Pace, Peer, peer
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.rpc import serving
from benchmarks.stock import Stock

ROUNDS = 3
STRETCHES = 5
"""Of the curve, between two sizes."""
RESERVE = 200_000
"""Documents made ahead beyond the largest size, for what is measured there."""
WARM = 2_000
"""Documents stored before the memory of an engine is first looked at."""
CEILING = 1.5
"""How much more an article may cost at the largest size than at the smallest."""
MILLION = 1_000_000

Work = Callable[[Sequence[Document]], object]
BEST = "ingest_batch of 256"
EMPTY, SNAPSHOT, STORE = "empty", "from a snapshot", "from the store"


def ways(engine: Engine) -> dict[str, tuple[Work, int]]:
    """Return what is measured at each size, with how many documents it takes at a time."""

    def check_batch(documents: Sequence[Document]) -> None:
        for batch in batched(documents, MAX_BATCH_DOCUMENTS):
            engine.check_batch([one.text for one in batch])

    def check(documents: Sequence[Document]) -> None:
        for one in documents:
            engine.check(one.text)

    return {
        **{f"ingest_batch of {size}": (in_batches(engine, size), max(64, size)) for size in BATCHES},
        f"{IN_FLIGHT} batches of 256 in flight": (pipelined(engine, 256), 4 * 256),
        "check, one": (check, 64),
        "check_batch of 256": (check_batch, 256),
    }


@dataclass
class Fill:
    """A store on its way to the largest size."""

    engine: Engine
    stock: Stock
    other: Peer
    seconds: float
    stored: int = 0
    curve: list[list[Cell]] = field(default_factory=list)
    matrix: list[list[Cell]] = field(default_factory=list)
    costs: dict[int, dict[str, Rate]] = field(default_factory=dict)
    """By size and way."""

    def to(self, size: int) -> None:
        """Store more in batches, timed in stretches."""
        if size <= self.stored:  # by what was measured at the size before
            return
        edges = [self.stored + (size - self.stored) * n // STRETCHES for n in range(STRETCHES + 1)]
        for start, end in pairwise(edges):
            rate = Rate()
            while rate.documents < end - start:
                chunk = self.stock.take(min(MAX_BATCH_DOCUMENTS, end - start - rate.documents))
                rate.time(in_batches(self.engine, MAX_BATCH_DOCUMENTS), chunk)
            if rate.documents:
                tables = sum(sizes["memory_bytes"] for sizes in self.engine.sizes().values())
                self.curve.append([f"{start:,} to {end:,}", *rate.cells, tables / 2**20])
        self.stored = size

    def measure(self, size: int) -> None:
        """Give each way its share of the seconds in turn, with the peer in between, at what is stored now."""
        self.other.fill(size)
        found: dict[str, list[Rate]] = defaultdict(list)
        paces: list[Pace] = []
        for number in range(ROUNDS):
            for turn in in_turn([*ways(self.engine).items(), None], number):
                if turn is None:
                    paces.append(self.other.run(self.seconds / ROUNDS))
                    continue
                name, (work, least) = turn
                rate = Rate()
                while rate.wall < self.seconds / ROUNDS:
                    chunk = self.stock.take(least)
                    rate.time(work, chunk)
                    self.stored += 0 if name.startswith("check") else len(chunk)
                found[name].append(rate)
        pace = self.other.pace()
        self.costs[size] = {}
        for name, rates in found.items():
            middle = self.costs[size][name] = sorted(rates, key=lambda rate: rate.per_second)[ROUNDS // 2]
            times = [median_ratio((rate.per_second for rate in rates), theirs) for theirs in zip(*paces, strict=True)]
            self.matrix.append([f"{size:,}: {name}", *middle.cells, *times])
        self.matrix.append([f"{size:,}: datasketch, from text", round(pace.from_text), *[None] * 4])
        self.matrix.append([f"{size:,}: datasketch, values ready", round(pace.from_values), *[None] * 4])


def server_resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Started(NamedTuple):
    """A server that is ready."""

    seconds: float
    """Since its process was started."""
    cpu: float
    resident: int
    peak: int
    """Bytes, both."""

    def above(self, empty: Started, documents: int) -> tuple[float, float]:
        """Return what it holds more than an empty one, and held at most, in GB for a million documents."""
        each = MILLION / documents / 1e9
        return (self.resident - empty.resident) * each, (self.peak - empty.resident) * each


def start(folder: Path) -> Started:
    """Start a server on *folder* and stop it."""
    begun = time.perf_counter()
    with serving(folder) as server:
        seconds = time.perf_counter() - begun
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        return Started(seconds, server.cpu_seconds(), server_resident(server.pid), peak)


def starts(folder: Path, empty: Path) -> dict[str, Started]:
    """Start servers with nothing, from a snapshot and from the store; each twice, the second counts."""
    found = {}
    for name, where in ((EMPTY, empty), (SNAPSHOT, folder), (STORE, folder)):
        for _ in range(2):
            if name == STORE:
                shutil.rmtree(folder / "data" / "tables", ignore_errors=True)
            found[name] = start(where)
    return found


def starts_table(found: dict[str, Started], documents: int, own: float) -> Table:
    rows: list[list[Cell]] = []
    for name, one in found.items():
        above: tuple[Cell, ...] = (None, None) if name == EMPTY else one.above(found[EMPTY], documents)
        rows.append([name, one.seconds, one.cpu, one.resident / 2**20, *above])
    rows.append(["tables, by their own account", None, None, own / 2**20, own / documents * MILLION / 1e9, None])
    columns = ["", "seconds to ready", "CPU s", "resident MiB", "GB per million above empty", "peak of the start"]
    return Table(f"Starts with {documents:,} documents", columns, rows).noted(START_NOTES)


def grown_table(engine: Engine, base: int, stored: int) -> Table:
    """Tell what this process holds after it filled the store."""
    gc.collect()
    own = sum(sizes["memory_bytes"] for sizes in engine.sizes().values())
    each = MILLION / stored / 1e9
    rows: list[list[Cell]] = [
        ["this process, above what it held at first", (resident_bytes() - base) * each],
        ["its peak", (peak_bytes() - base) * each],
        ["of it tables, by their own account", own * each],
        ["of it texts kept for comparisons, at most", TEXT_CACHE_BYTES * each],
        ["of it pages of SQLite, at most, a thread", CACHE_KIB * 1024 * each],
    ]
    return Table(f"Memory after {stored:,} were stored", ["", "GB per million"], rows).noted(GROWN_NOTES)


def run(options: Options) -> Report:
    sizes = tuple(sorted(options.sizes))
    stock = Stock(options.seed).make(sizes[-1] + RESERVE * (sizes[-1] >= RESERVE))
    with ExitStack() as stack:
        folder, empty = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
        other = stack.enter_context(peer(options.seed))
        with Engine.open(folder / "data", snapshot_seconds=86_400) as engine:
            fill = Fill(engine, stock, other, options.seconds)
            fill.to(min(WARM, sizes[0]))
            gc.collect()
            base = resident_bytes()
            for size in sizes:
                fill.to(size)
                fill.measure(size)
            grown = grown_table(engine, base, fill.stored)
            own = sum(sizes["memory_bytes"] for sizes in engine.sizes().values())
        found = starts(folder, empty)
    columns = ["", "documents/s", "wall µs a document", "CPU µs a document"]
    curve = Table(f"From empty, in batches of {MAX_BATCH_DOCUMENTS}", [*columns, "tables, MiB"], fill.curve)
    matrix = Table("By number of documents stored", [*columns, "× from text", "× values ready"], fill.matrix)
    line = f"generated (seed {options.seed}), about 2,000 characters each; {fill.stored:,} stored in the end"
    tables = [curve, matrix.noted(MATRIX_NOTES), starts_table(found, fill.stored, own), grown]
    return Report("sizes", "Durable ingest in process by number of documents", line, tables, bars(fill, sizes, found))


def bars(fill: Fill, sizes: Sequence[int], found: dict[str, Started]) -> list[Bar]:
    first, last = fill.costs[sizes[0]][BEST], fill.costs[sizes[-1]][BEST]
    made = []
    for what, ratio in (
        ("time", last.wall / last.documents / (first.wall / first.documents)),
        ("CPU time", last.cpu / last.documents / (first.cpu / first.documents)),
    ):
        name = f"{what} of an article with {sizes[-1]:,} stored, times that with {sizes[0]:,}"
        made.append(Bar(name, ratio, CEILING, at_least=False))
    best = max(rate.per_second for name, rate in fill.costs[sizes[-1]].items() if not name.startswith("check"))
    made.append(Bar(f"durable ingest with {sizes[-1]:,} stored, articles a second", best, 10_000))
    for name, seconds in ((SNAPSHOT, 5.0), (STORE, 15.0)):
        made.append(Bar(f"start {name}, seconds", found[name].seconds, seconds, at_least=False))
    if fill.stored >= MILLION:
        each = max(found[name].above(found[EMPTY], fill.stored)[0] for name in (SNAPSHOT, STORE))
        made.append(Bar("GB per million documents, server above an empty one", each, 1.5, at_least=False))
    return made


MATRIX_NOTES = """\
Median of three rounds in turn, ratios within each, datasketch's among them: its check and insert in a dict with as \
many documents, in a process of its own, nothing verified on the text and nothing durable. Checks store nothing.
Each size holds what the measurements at the sizes before stored beside."""
START_NOTES = """\
`baznashr-server serve`, from the start of the process until it answers, kernels compiled before; the second of two \
starts. From the store: the snapshot was removed. Files are in the page cache.
Peak of the start: the most that was resident meanwhile, likewise above an empty server and for a million."""
GROWN_NOTES = f"""\
Resident memory of the benchmark's own process, which stored them through the engine, above what it held with \
{WARM:,}; the articles at hand, some 20 MiB, are in it. The bounds of caches do not grow with the documents."""
