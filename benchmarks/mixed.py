"""Single calls beside a bulk load: what a newsroom's check waits while an archive is being stored."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import numpy as np
import uvloop

from baznashr import AsyncClient, Document
from benchmarks.machine import ROOT
from benchmarks.peer import peer
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.rpc import IN_FLIGHT, MANY, MESSAGE_OPTIONS, Server, batch_call, serving, stream_call
from benchmarks.stock import Stock

CALLS_PER_SECOND = 20
"""Single checks, and as many single ingests, at even intervals whatever became of those before."""
BULK_PER_SECOND = 4000
"""Documents made ahead for a loader; a faster one would send those of the next, which would then be retries."""
LOADS = ("", "batch 64", "batch 256", "stream")
TIMES_SECONDS = 4
"""Each load runs so many times as long as a contender of other benchmarks: the tail needs many calls."""
ALLOWED_MS = 25


@dataclass
class Single:
    """Calls of one kind."""

    call: Callable[[Document], Awaitable[object]]
    latencies: list[float] = field(default_factory=list)
    """Seconds, from when the call was due."""

    async def at(self, due: float, document: Document) -> None:
        await self.call(document)
        self.latencies.append(time.perf_counter() - due)

    async def run(self, documents: Sequence[Document], offset: float) -> None:
        start = time.perf_counter() + offset
        tasks = []
        for number, document in enumerate(documents):
            due = start + number / CALLS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(self.at(due, document)))
        await asyncio.gather(*tasks)

    @property
    def cells(self) -> list[Cell]:
        return [float(np.percentile(self.latencies, percent)) * 1000 for percent in (50, 99, 99.9)]


async def load(address: str, kind: str, seed: int, start: int) -> None:
    """Store documents until the end of the process, and print how many at each answer."""
    stock = Stock(seed, start)
    async with grpc.aio.insecure_channel(address, MESSAGE_OPTIONS) as channel:
        name, _, size = kind.partition(" ")
        call = stream_call(channel) if name == "stream" else batch_call(channel)

        async def work() -> None:
            while True:
                documents = stock.take(int(size or MANY))
                await call(documents)
                print(len(documents), flush=True)

        await asyncio.gather(*(work() for _ in range(1 if name == "stream" else IN_FLIGHT)))


@contextmanager
def loading(server: Server, kind: str, seed: int, start: int) -> Iterator[list[float]]:
    """Run a loader in a process of its own; the list gets its documents a second at the end."""
    pace: list[float] = []
    if not kind:
        yield pace
        return
    command = [sys.executable, "-m", "benchmarks.mixed", server.address, kind, str(seed), str(start)]
    with tempfile.TemporaryFile("w+", encoding="ascii") as answers:
        process = subprocess.Popen(command, stdout=answers, cwd=ROOT)
        try:
            while not os.fstat(answers.fileno()).st_size:
                _expect_running(process)
                time.sleep(0.05)
            begun, before = time.perf_counter(), _answered(answers.fileno())
            yield pace
            _expect_running(process)
            pace.append((_answered(answers.fileno()) - before) / (time.perf_counter() - begun))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _expect_running(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"the loader ended by itself, with status {process.returncode}")


def _answered(file: int) -> int:
    return sum(map(int, os.pread(file, 1 << 24, 0).split()))


async def singles(server: Server, stock: Stock, seconds: float) -> tuple[Single, Single]:
    """Make single checks and single ingests, each at its own pace, and return their times."""
    async with AsyncClient(server.address, timeout=60) as client:
        check, ingest = Single(lambda document: client.check(document.text)), Single(client.ingest)
        await asyncio.gather(*(client.check(document.text) for document in stock.take(4)))
        count = max(2, round(seconds * CALLS_PER_SECOND))
        half = 0.5 / CALLS_PER_SECOND
        await asyncio.gather(check.run(stock.take(count), 0), ingest.run(stock.take(count), half))
    return check, ingest


def run(options: Options) -> Report:
    seconds = TIMES_SECONDS * options.seconds
    step = round(BULK_PER_SECOND * (seconds + 1))
    stock = Stock(options.seed).make(len(LOADS) * step)
    rows: list[list[Cell]] = []
    bars = []
    with ExitStack() as stack:
        other = stack.enter_context(peer(options.seed))
        server = stack.enter_context(serving(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        other.run(options.seconds)
        pace = other.pace()
        for number, kind in enumerate(LOADS):
            with loading(server, kind, options.seed, number * step) as bulk:
                cpu, wall = server.cpu_seconds(), time.perf_counter()
                check, ingest = uvloop.run(singles(server, stock, seconds))
                busy = (server.cpu_seconds() - cpu) / (time.perf_counter() - wall)
            if bulk and bulk[0] > BULK_PER_SECOND:
                raise RuntimeError(f"{kind}: {bulk[0]:,.0f} documents a second; BULK_PER_SECOND must be more")
            name = f"beside {kind}" if kind else "alone"
            times = [bulk[0] / theirs for theirs in pace] if bulk else [None, None]
            stored = round(bulk[0]) if bulk else None
            rows.append([name, len(check.latencies), *check.cells, *ingest.cells, stored, busy, *times])
            if kind:
                p99 = float(np.percentile(check.latencies, 99)) * 1000
                bars.append(Bar(f"single check {name}, p99 ms", p99, ALLOWED_MS, at_least=False))
    columns = [
        "",
        "calls of each",
        *(f"{what} {p} ms" for what in ("check", "ingest") for p in ("p50", "p99", "p99.9")),
    ]
    columns += ["bulk documents/s", "server CPUs", "× from text", "× values ready"]
    table = Table("Single calls beside a bulk load", columns, rows).noted(
        f"{NOTES}\ndatasketch in this run: {pace.both}, documents a second."
    )
    line = (
        f"generated (seed {options.seed}), about 2,000 characters each; one server from empty, one load after another"
    )
    return Report("mixed", "A mixed load over gRPC", line, [table], bars)


NOTES = f"""\
{CALLS_PER_SECOND} single checks and {CALLS_PER_SECOND} single ingests a second, evenly spaced; times count from when \
a call was due, so that a slow call does not hide those behind it. Their client is one process, the loader another; \
both share the machine's cores with the server. Of fewer than 1,000 calls p99.9 is nearly the longest.
batch N: batches of N, {IN_FLIGHT} in flight. stream: one stream, as far ahead as the server allows."""

if __name__ == "__main__":
    uvloop.run(load(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
