"""Calls over gRPC: a real server process and one client process on the same machine, everything on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from baznashr import AsyncClient, Document
from baznashr.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from baznashr.wire import document_to_message, judgement_from_message
from benchmarks.corpus import ArticleModel
from benchmarks.engine import Feed
from benchmarks.report import Bar, Cell, Options, Report, Table

CONCURRENCY = (1, 8, 32, 128)
BATCHES = (16, 64, 256)
IN_FLIGHT = 2
"""Batches sent and not yet answered."""
CHUNK = 128
"""Documents of the shortest timed stretch; they are made before it."""
MANY = 512
"""Documents of one call of `ingest_many`, which sends them in batches of its own."""
TICKS = os.sysconf("SC_CLK_TCK")
MESSAGE_OPTIONS = [("grpc.max_receive_message_length", 64 << 20)]


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    pid: int

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def serving(folder: Path, *flags: str) -> AbstractContextManager[Server]:
    """Run a server with an empty store in *folder*, and stop it as an operator would."""
    arguments = ["serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0"]
    return started(folder, "baznashr_server", *arguments, *(flags or ("--metrics", "127.0.0.1:0")))


@contextmanager
def started(folder: Path, module: str, *arguments: str) -> Iterator[Server]:
    """Run a module that says "ready" and where it listens, with its log in *folder*; stop it by SIGTERM."""
    command = [sys.executable, "-m", module, *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"the server did not start: {(folder / 'log').read_text(encoding='utf-8')[-500:]}")
        addresses = dict(part.split("=", 1) for part in line.split()[1:])
        yield Server(addresses["listen"], process.pid)
    finally:
        process.terminate()
        process.wait(30)


@dataclass(frozen=True, slots=True)
class Result:
    documents: int
    wall: float
    client_cpu: float
    server_cpu: float
    latencies: list[float]
    """Seconds, one a call."""

    @property
    def per_second(self) -> float:
        return self.documents / self.wall

    def latency_ms(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent)) * 1000

    @property
    def cells(self) -> list[Cell]:
        each = 1e6 / self.documents
        pace = [round(self.per_second), self.server_cpu * each, self.client_cpu * each]
        return [*pace, self.latency_ms(50), self.latency_ms(99)]


Call = Callable[[Any], Awaitable[object]]


async def in_parallel(call: Call, items: Iterable[Any], workers: int) -> list[float]:
    """Make a call for each item, *workers* at a time, and return how long each took."""
    waiting = iter(items)
    latencies: list[float] = []

    async def work() -> None:
        for item in waiting:
            start = time.perf_counter()
            await call(item)
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(work() for _ in range(workers)))
    return latencies


def batch_call(channel: grpc.aio.Channel) -> Call:
    """Return the raw batch call, from `Document`s to `Judgement`s."""
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)

    async def call(documents: Sequence[Document]) -> object:
        request = ingest_service_pb2.BatchIngestDocumentsRequest(documents=map(document_to_message, documents))
        answer = await stub.BatchIngestDocuments(request, timeout=60)
        return [judgement_from_message(judgement) for judgement in answer.judgements]

    return call


class Load:
    """Runs one way of calling after the other against one server."""

    def __init__(self, server: Server, feed: Feed, seconds: float) -> None:
        self._server = server
        self._feed = feed
        self._seconds = seconds

    async def measure(self, call: Call, workers: int, batch: int = 0) -> Result:
        """Call for the seconds; *batch* documents a call, or single ones."""
        documents, wall, client_cpu, server_cpu = 0, 0.0, 0.0, 0.0
        latencies: list[float] = []
        while wall < self._seconds:
            chunk = self._feed.take(max(CHUNK, batch * workers))
            items: Iterable[Any] = batched(chunk, batch, strict=False) if batch else chunk
            cpu, theirs, start = time.process_time(), self._server.cpu_seconds(), time.perf_counter()
            latencies += await in_parallel(call, items, workers)
            wall += time.perf_counter() - start
            client_cpu += time.process_time() - cpu
            server_cpu += self._server.cpu_seconds() - theirs
            documents += len(chunk)
        return Result(documents, wall, client_cpu, server_cpu, latencies)

    async def measure_many(self, client: AsyncClient) -> Result:
        """Store documents by `ingest_many`; its latency is that of MANY documents."""

        async def call(documents: Sequence[Document]) -> None:
            async for _ in client.ingest_many(documents):
                pass

        return await self.measure(call, 1, MANY)


async def ways(load: Load, address: str) -> AsyncIterator[tuple[str, Result]]:
    async with AsyncClient(address) as client, grpc.aio.insecure_channel(address, MESSAGE_OPTIONS) as channel:
        raw = batch_call(channel)
        await load.measure_many(client)  # warms both sides
        for size in BATCHES:
            yield f"ingest, batches of {size}, {IN_FLIGHT} in flight", await load.measure(raw, IN_FLIGHT, size)
        yield f"AsyncClient.ingest_many, {MANY} documents", await load.measure_many(client)
        for workers in CONCURRENCY:
            yield f"ingest, unary, {workers} at once", await load.measure(client.ingest, workers)
        for workers in (1, 32):
            result = await load.measure(lambda document: client.check(document.text), workers)
            yield f"check, unary, {workers} at once", result


async def collect(server: Server, feed: Feed, seconds: float) -> dict[str, Result]:
    return {name: result async for name, result in ways(Load(server, feed, seconds), server.address)}


def run(options: Options) -> Report:
    feed = Feed(ArticleModel(options.seed, sigma=0))
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        found = asyncio.run(collect(server, feed, options.seconds))
    columns = ["", "documents/s", "server CPU µs", "client CPU µs", "p50 ms a call", "p99 ms a call"]
    table = Table("Calls", columns, [[name, *result.cells] for name, result in found.items()]).noted(NOTES)
    stored = sum(result.documents for name, result in found.items() if "ingest" in name)
    batches = max(found[f"ingest, batches of {size}, {IN_FLIGHT} in flight"].per_second for size in BATCHES)
    bars = [
        Bar("ingest over gRPC in batches, articles a second, after the work on speed", batches, 7000),
        Bar(
            "unary ingest, 32 at once, calls a second, after the same",
            found["ingest, unary, 32 at once"].per_second,
            2500,
        ),
        Bar(
            "serial check, p50 ms, after the same", found["check, unary, 1 at once"].latency_ms(50), 1.2, at_least=False
        ),
    ]
    line = (
        f"generated (seed {options.seed}), about 2,000 characters each; {stored:,} stored at the end, none at the start"
    )
    return Report("rpc", "Calls over gRPC", line, [table], bars)


NOTES = """\
Client and server share the machine's cores. One client process; its CPU time a document is the load generator's own \
cost, of encoding, decoding and asyncio, and bounds what it can show to one second divided by it.
Every ingest is durable when it is answered. CPU microseconds are a document's, of all threads of a process."""
