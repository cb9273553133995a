"""Calls over gRPC: a real server process and one client process on the same machine, everything on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import uvloop

from baznashr import AsyncClient, Client, Document
from baznashr.v1 import (
    check_service_pb2,
    check_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
)
from baznashr.wire import check_item_to_message, document_to_message, judgement_from_message
from benchmarks import ending
from benchmarks.engine import Feed
from benchmarks.peer import peer
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.stock import Stock

CONCURRENCY = (1, 8, 32, 128)
BATCHES = (16, 64, 256)
STREAMS = (1, 4)
IN_FLIGHT = 2
"""Batches sent and not yet answered."""
CHUNK = 128
"""Documents of the shortest timed stretch; they are made before it."""
WAVES = 4
"""Calls of each worker in a stretch, at whose end workers idle; streams, which are long, have one."""
MANY = 512
"""Documents of one stream, and of one call of `ingest_many`, which sends them in batches of its own."""
NOOP_SHARE = 4
"""The server that does nothing is called for this part of the time."""
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
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(f"the server did not start: {(folder / 'log').read_text(encoding='utf-8')[-500:]}")
        addresses = dict(part.split("=", 1) for part in line.split()[1:])
        yield Server(addresses["listen"], process.pid)
    finally:
        try:
            ending.stop(process, 120)  # a large store's tables are written before it ends
        finally:
            process.stdout.close()


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


def batch_check(channel: grpc.aio.Channel) -> Call:
    """Return the raw call that checks the texts of `Document`s and stores none."""
    stub = check_service_pb2_grpc.CheckServiceStub(channel)

    async def call(documents: Sequence[Document]) -> object:
        request = check_service_pb2.BatchCheckTextsRequest(items=[check_item_to_message(one.text) for one in documents])
        answer = await stub.BatchCheckTexts(request, timeout=60)
        return [judgement_from_message(judgement) for judgement in answer.judgements]

    return call


def stream_call(channel: grpc.aio.Channel) -> Call:
    """Return the raw call that sends `Document`s over one stream, as many ahead as the server allows."""
    stub = ingest_service_pb2_grpc.IngestServiceStub(channel)

    async def call(documents: Sequence[Document]) -> object:
        room = asyncio.Semaphore(0)

        async def requests() -> AsyncIterator[ingest_service_pb2.StreamIngestDocumentsRequest]:
            for number, document in enumerate(documents):
                await room.acquire()
                message = document_to_message(document)
                yield ingest_service_pb2.StreamIngestDocumentsRequest(sequence=number, document=message)

        answers = []
        async for response in stub.StreamIngestDocuments(requests()):
            for _ in range(response.window.max_in_flight):
                room.release()
            if response.HasField("item"):
                answers.append(judgement_from_message(response.item.judgement))
                room.release()
        if len(answers) != len(documents):
            raise RuntimeError(f"{len(documents) - len(answers)} items of a stream were not answered")
        return answers

    return call


class Load:
    """Runs one way of calling after the other against one server."""

    def __init__(self, server: Server, feed: Feed | Stock, seconds: float) -> None:
        self._server = server
        self._feed = feed
        self._seconds = seconds

    async def measure(self, call: Call, workers: int, batch: int = 0) -> Result:
        """Call for the seconds; *batch* documents a call, or single ones."""
        documents, wall, client_cpu, server_cpu = 0, 0.0, 0.0, 0.0
        least = max(CHUNK, max(1, batch) * workers * (WAVES if batch < MANY else 1))
        latencies: list[float] = []
        while wall < self._seconds:
            chunk = self._feed.take(least)
            items: Iterable[Any] = batched(chunk, batch) if batch else chunk
            cpu, theirs, start = time.process_time(), self._server.cpu_seconds(), time.perf_counter()
            latencies += await in_parallel(call, items, workers)
            wall += time.perf_counter() - start
            client_cpu += time.process_time() - cpu
            server_cpu += self._server.cpu_seconds() - theirs
            documents += len(chunk)
        return Result(documents, wall, client_cpu, server_cpu, latencies)


@dataclass(frozen=True, slots=True)
class Way:
    """A way of calling."""

    name: str
    call: Call
    workers: int
    batch: int = 0


@asynccontextmanager
async def ways(address: str) -> AsyncIterator[list[Way]]:
    """Connect to a server, and yield all ways of calling it."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncClient(address))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, MESSAGE_OPTIONS))
        blocking = stack.enter_context(Client(address))

        async def ingest_many(documents: Sequence[Document]) -> None:
            async for _ in client.ingest_many(documents):
                pass

        async def check(document: Document) -> object:
            return await client.check(document.text)

        async def check_blocking(document: Document) -> object:
            return blocking.check(document.text)

        raw, stream, checks = batch_call(channel), stream_call(channel), batch_check(channel)
        yield [
            *(Way(f"ingest, batches of {n}, {IN_FLIGHT} in flight", raw, IN_FLIGHT, n) for n in BATCHES),
            Way(f"AsyncClient.ingest_many, {MANY} documents", ingest_many, 1, MANY),
            *(Way(f"ingest, streams of {MANY}, {n} at once", stream, n, MANY) for n in STREAMS),
            *(Way(f"ingest, unary, {n} at once", client.ingest, n) for n in CONCURRENCY),
            Way("check, batches of 256, 2 in flight", checks, IN_FLIGHT, 256),
            *(Way(f"check, unary, {n} at once", check, n) for n in CONCURRENCY),
            Way("check, unary, 1 at once, blocking Client", check_blocking, 1),
        ]


async def collect(server: Server, stock: Stock, seconds: float) -> dict[str, Result]:
    """Measure each way, after both sides were warmed by half a second of each kind."""
    async with ways(server.address) as found:
        for way in found[:1] + found[-1:]:
            await Load(server, stock, 0.5).measure(way.call, way.workers, way.batch)
        load = Load(server, stock, seconds)
        return {way.name: await load.measure(way.call, way.workers, way.batch) for way in found}


def run(options: Options) -> Report:
    stock = Stock(options.seed).make(options.documents)
    with ExitStack() as stack:
        other = stack.enter_context(peer(options.seed))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        noop = stack.enter_context(started(folders[1], "benchmarks.noop"))
        other.run(options.seconds)
        ceiling = uvloop.run(collect(noop, Stock(options.seed), options.seconds / NOOP_SHARE))
        server = stack.enter_context(serving(folders[0]))
        found = uvloop.run(collect(server, stock, options.seconds))
        other.run(options.seconds)
        pace = other.pace()
    columns = ["", "documents/s", "server CPU µs", "client CPU µs", "p50 ms a call", "p99 ms a call"]
    columns += ["ceiling/s", "× from text", "× values ready"]
    rows: list[list[Cell]] = []
    for name, result in found.items():
        times = [result.per_second / theirs for theirs in pace]
        rows.append([name, *result.cells, round(ceiling[name].per_second), *times])
    table = Table("Calls", columns, rows).noted(f"{NOTES}\ndatasketch in this run: {pace.both}, documents a second.")
    stored = sum(result.documents for name, result in found.items() if "ingest" in name)
    batches = max(found[f"ingest, batches of {size}, {IN_FLIGHT} in flight"].per_second for size in BATCHES)
    serial = min(found[name].latency_ms(50) for name in found if name.startswith("check, unary, 1 at once"))
    bars = [
        Bar("ingest over gRPC in batches, articles a second", batches, 7000),
        Bar("unary ingest, 32 at once, calls a second", found["ingest, unary, 32 at once"].per_second, 2500),
        Bar("serial check, p50 ms", serial, 1.2, at_least=False),
    ]
    line = (
        f"generated (seed {options.seed}), about 2,000 characters each; {stored:,} stored at the end, none at the start"
    )
    return Report("rpc", "Calls over gRPC", line, [table], bars)


NOTES = """\
Client and server share the machine's cores. One client process, on uvloop as the server is; its CPU time a document \
is the load generator's own cost, of encoding, decoding and asyncio. Every ingest is durable when it is answered. CPU \
microseconds are a document's, of all threads of a process.
ceiling/s: the same calls to a server that answers each with the same judgement at once, and has neither interceptors \
nor an engine (`benchmarks/noop.py`): what gRPC for Python and this load generator reach on this machine.
×: beside datasketch's check and insert in a dict, in process, on one thread, from an empty index: nothing verified on \
the text, nothing durable, nothing sent."""
