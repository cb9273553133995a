"""What the client costs: `ingest_many` beside loops over the raw stubs, against one real server."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from statistics import mean, median
from typing import Any

import grpc

from baznashr import AsyncClient, Client, Document
from baznashr._batching import MAX_ITEMS
from baznashr.v1 import document_pb2, ingest_service_pb2, ingest_service_pb2_grpc
from benchmarks.corpus import ArticleModel
from benchmarks.engine import Feed
from benchmarks.measure import median_ratio
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.rpc import MESSAGE_OPTIONS, Server, serving

CHUNK = 256
"""Documents of one stretch; they are made before it, and none comes twice."""
MIN_ROUNDS = 12
LARGE = 256
"""Documents of the raw batches that show what larger ones would gain."""

RAW, RAW_LARGE, RAW_ASYNC = f"raw stub, batches of {MAX_ITEMS}", f"raw stub, batches of {LARGE}", "raw asyncio stub"
SYNC, ASYNC = "Client.ingest_many", "AsyncClient.ingest_many"


@dataclass(slots=True)
class Costs:
    """Microseconds a document, one figure a round."""

    wall: list[float] = field(default_factory=list)
    client_cpu: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)

    def pace_beside(self, other: Costs) -> float:
        """Return the median over the rounds of this one's documents a second divided by the other's."""
        return median_ratio(other.wall, self.wall)

    def cells(self, raw: Costs) -> list[Cell]:
        pace = round(1e6 / median(self.wall))
        # The kernel's ticks are a tenth of what a round takes: one round's count says little.
        return [pace, self.pace_beside(raw), median(self.client_cpu), mean(self.server_cpu)]


Arm = Callable[[Sequence[Document]], Awaitable[int]]
"""Stores documents and returns how many were answered."""


def request_of(documents: Sequence[Document]) -> ingest_service_pb2.BatchIngestDocumentsRequest:
    """Make a request as a caller of the stubs would, who has no types of his own."""
    return ingest_service_pb2.BatchIngestDocumentsRequest(
        documents=[
            document_pb2.Document(id=each.id, text=each.text, title=each.title, source=each.source)
            for each in documents
        ]
    )


def raw(stub: Any, size: int) -> Arm:
    """Return the plain loop: a request, its answer, the next request."""

    async def arm(documents: Sequence[Document]) -> int:
        answered = 0
        for batch in batched(documents, size):
            answered += len(stub.BatchIngestDocuments(request_of(batch), timeout=60).judgements)
        return answered

    return arm


def raw_async(stub: Any, size: int) -> Arm:
    """Return the same with asyncio."""

    async def arm(documents: Sequence[Document]) -> int:
        answered = 0
        for batch in batched(documents, size):
            answered += len((await stub.BatchIngestDocuments(request_of(batch), timeout=60)).judgements)
        return answered

    return arm


def many(client: Client) -> Arm:
    async def arm(documents: Sequence[Document]) -> int:
        return sum(not judgement.repeated or 1 for judgement in client.ingest_many(documents))

    return arm


def many_async(client: AsyncClient) -> Arm:
    async def arm(documents: Sequence[Document]) -> int:
        return sum([not judgement.repeated or 1 async for judgement in client.ingest_many(documents)])

    return arm


async def take_turns(server: Server, arms: dict[str, Arm], feed: Feed, seconds: float) -> dict[str, Costs]:
    """Run the arms in turn, each time in another order, for about *seconds* each."""
    costs = {name: Costs() for name in arms}
    for arm in arms.values():
        await arm(feed.take(CHUNK))
    names = list(arms)
    spent = 0.0
    while len(costs[RAW].wall) < MIN_ROUNDS or spent < seconds * len(arms):
        for name in names:
            documents = feed.take(CHUNK)
            cpu, theirs, start = time.process_time(), server.cpu_seconds(), time.perf_counter()
            answered = await arms[name](documents)
            wall = time.perf_counter() - start
            each = 1e6 / CHUNK
            costs[name].wall.append(wall * each)
            costs[name].client_cpu.append((time.process_time() - cpu) * each)
            costs[name].server_cpu.append((server.cpu_seconds() - theirs) * each)
            spent += wall
            assert answered == CHUNK
        names = names[::-1] if len(costs[RAW].wall) % 2 else names[1:] + names[:1]
    return costs


async def measure(server: Server, feed: Feed, seconds: float) -> dict[str, Costs]:
    with ExitStack() as stack:
        async with AsyncExitStack() as later:
            channel = stack.enter_context(grpc.insecure_channel(server.address, MESSAGE_OPTIONS))
            its_async = await later.enter_async_context(grpc.aio.insecure_channel(server.address, MESSAGE_OPTIONS))
            client = stack.enter_context(Client(server.address, timeout=60))
            async_client = await later.enter_async_context(AsyncClient(server.address, timeout=60))
            stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
            arms = {
                RAW: raw(stub, MAX_ITEMS),
                RAW_LARGE: raw(stub, LARGE),
                SYNC: many(client),
                RAW_ASYNC: raw_async(ingest_service_pb2_grpc.IngestServiceStub(its_async), MAX_ITEMS),
                ASYNC: many_async(async_client),
            }
            return await take_turns(server, arms, feed, seconds)


def run(options: Options) -> Report:
    feed = Feed(ArticleModel(options.seed, sigma=0))
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        found = asyncio.run(measure(server, feed, options.seconds))
    columns = ["", "documents/s", "of the raw stub's", "client CPU µs", "server CPU µs"]
    rows: list[list[Cell]] = [[name, *costs.cells(found[RAW])] for name, costs in found.items()]
    table = Table("One caller, one batch at a time, durable", columns, rows).noted(NOTES)
    bars = [
        Bar("Client.ingest_many beside the raw stub", found[SYNC].pace_beside(found[RAW]), 0.9),
        Bar("AsyncClient.ingest_many beside the raw asyncio stub", found[ASYNC].pace_beside(found[RAW_ASYNC]), 0.9),
        Bar("AsyncClient.ingest_many beside Client.ingest_many", found[ASYNC].pace_beside(found[SYNC]), 0.97),
    ]
    rounds = len(found[RAW].wall)
    line = f"generated (seed {options.seed}), about 2,000 characters each; {rounds} rounds of {CHUNK}, all different"
    return Report("client", "What the client costs", line, [table], bars)


NOTES = """\
The arms take turns, in changing order, against one server process on the same machine; a ratio is the median of the \
rounds' own ratios.
A raw loop makes requests of documents, sends one after the other, and reads nothing but how many judgements came \
back; `ingest_many` reads every judgement with its evidence, keeps the order, and settles errors item by item.
CPU microseconds are a document's, of all threads of a process; the server's, which the kernel counts in ticks of \
10 ms, are the mean of all rounds. The raw loops with blocking stubs run in a coroutine that nobody shares."""
