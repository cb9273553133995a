"""What metrics, logs, tokens and traces cost: the same batches, sent in turn to servers with and without them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import batched
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import grpc.aio
import numpy as np
import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from baznashr import Document
from baznashr.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from baznashr.wire import document_to_message
from baznashr_server import garbage
from baznashr_server.access.protection import Protection
from baznashr_server.app import SWITCH_SECONDS, warm_up
from baznashr_server.engine import Engine
from baznashr_server.obs.metrics import Metrics
from baznashr_server.rpc.admission import AdmissionInterceptor
from baznashr_server.rpc.decoding import Decoding
from baznashr_server.rpc.errors import Errors
from baznashr_server.rpc.interception import Layers
from baznashr_server.rpc.server import Server
from baznashr_server.settings import load
from benchmarks.corpus import ArticleModel
from benchmarks.engine import Feed
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.rpc import Server as Running
from benchmarks.rpc import serving, started

BATCH = 64
IN_FLIGHT = 2
BATCHES = 8
"""Of one round for each server; the same documents go to all."""
WARM_ROUNDS = 2
ALLOWED = 0.10
"""Share of the throughput that metrics, logs and tokens may cost."""
TRACES_MORE = 0.05
"""Share of CPU that traces of every hundredth call may cost beside that."""
TOKENS = 8
BARE = "bare"
METADATA = (("authorization", f"Bearer token-{0:040}"),)


class BareServer(Server):
    """The same server with nothing around a call but what answers it."""

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        return [Layers(Errors(), Decoding(), AdmissionInterceptor(self._admission))]


async def serve_bare(folder: Path) -> None:
    """Serve without metrics, logs and tokens, and tell the address as the command does."""
    settings = load({"data": folder, "listen": "127.0.0.1:0"})
    server = BareServer(settings, Protection(None, None), Metrics())
    addresses = await server.start()
    with Engine.open(settings.data) as engine:
        warm_up()
        garbage.spare()
        server.serve(engine)
        print(f"ready listen={addresses['listen']}", flush=True)
        await asyncio.Event().wait()


Flags = Callable[[Path], list[str]]


def with_tokens(folder: Path) -> list[str]:
    """Return the flags of a server that asks for one of `TOKENS` tokens and exports its metrics."""
    entries = (
        f'[[token]]\nname = "caller-{n}"\nscopes = ["read", "write"]\ndocuments_per_second = 1e9\n'
        f'sha256 = "{hashlib.sha256(f"token-{n:040}".encode()).hexdigest()}"\n'
        for n in range(TOKENS)
    )
    file = folder / "tokens.toml"
    file.write_text("".join(entries), encoding="utf-8")
    file.chmod(0o600)
    return ["--tokens", str(file), "--metrics", "127.0.0.1:0"]


def with_traces(folder: Path) -> list[str]:
    """Return those of a server that also sends the spans of every hundredth call to a collector."""
    return [*with_tokens(folder), "--traces", f"http://{collector()}", "--trace-ratio", "0.01"]


@cache
def collector() -> str:
    """Start to take spans in this process, and return the address; they are read and thrown away."""
    server = grpc.server(ThreadPoolExecutor(1))
    take = grpc.unary_unary_rpc_method_handler(
        lambda _, __: ExportTraceServiceResponse(),
        ExportTraceServiceRequest.FromString,
        ExportTraceServiceResponse.SerializeToString,
    )
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": take}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return f"127.0.0.1:{port}"


PROTECTED, TRACED = "metrics + logs + tokens", "the same + traces of 1 %"
ARMS: dict[str, Flags | None] = {BARE: None, PROTECTED: with_tokens, TRACED: with_traces}
"""What is compared, by the flags of the server; None is the bare one."""


def running(flags: Flags | None, folder: Path) -> AbstractContextManager[Running]:
    folder.mkdir()
    if flags is None:
        return started(folder, "benchmarks.overhead", str(folder / "data"))
    return serving(folder, *flags(folder))


@dataclass
class Arm:
    """One server and what each round on it took."""

    server: Running
    call: Callable[[Any], Any]
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    async def round(self, requests: Sequence[Any]) -> None:
        """Send the batches, `IN_FLIGHT` at a time, and note how long it took."""
        waiting = iter(requests)

        async def work() -> None:
            for request in waiting:
                await self.call(request)

        cpu, start = self.server.cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        self.walls.append(time.perf_counter() - start)
        self.cpus.append(self.server.cpu_seconds() - cpu)


def requests(documents: Sequence[Document]) -> list[Any]:
    message = ingest_service_pb2.BatchIngestDocumentsRequest
    return [message(documents=map(document_to_message, part)) for part in batched(documents, BATCH)]


async def measure(servers: dict[str, Running], feed: Feed, options: Options) -> dict[str, Arm]:
    """Give every server the same rounds, in an order that chance decides, for the seconds of each."""
    chance = random.Random(options.seed)
    async with AsyncExitStack() as stack:
        arms = {}
        for name, server in servers.items():
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
            stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
            arms[name] = Arm(server, partial(stub.BatchIngestDocuments, metadata=METADATA, timeout=120))
        end = None
        while end is None or time.perf_counter() < end:
            round_ = requests(feed.take(BATCH * BATCHES))
            for name in chance.sample(list(arms), len(arms)):
                await arms[name].round(round_)
            if end is None and len(arms[BARE].walls) == WARM_ROUNDS:
                for arm in arms.values():
                    arm.walls.clear()
                    arm.cpus.clear()
                end = time.perf_counter() + options.seconds * len(arms)
    return arms


def cost(these: Sequence[float], bare: Sequence[float], seed: int) -> tuple[float, float, float]:
    """Return the share by which *these* are more than *bare*, by the median of the pairs, and its 95 % interval."""
    ratios = np.array(these) / np.array(bare) - 1
    drawn = np.random.default_rng(seed).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(np.median(ratios)), float(low), float(high)


def total_cost(these: Sequence[float], bare: Sequence[float]) -> float:
    return sum(these) / sum(bare) - 1


def run(options: Options) -> Report:
    feed = Feed(ArticleModel(options.seed, sigma=0))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers = {
            arm: stack.enter_context(running(flags, Path(name) / str(place)))
            for place, (arm, flags) in enumerate(ARMS.items())
        }
        arms = asyncio.run(measure(servers, feed, options))
    documents, bare = BATCH * BATCHES, arms[BARE]
    rows: list[list[Cell]] = []
    bars = []
    for name, arm in arms.items():
        wall, low, high = cost(arm.walls, bare.walls, options.seed)
        cpu = total_cost(arm.cpus, bare.cpus)
        each = sum(arm.cpus) * 1e6 / (documents * len(arm.cpus))
        shown = [f"{100 * share:+.1f} %" for share in (wall, low, high, cpu)] if arm is not bare else ["-"] * 4
        rows.append([name, round(documents / median(arm.walls)), each, *shown])
        if name == TRACED:
            more = total_cost(arm.cpus, arms[PROTECTED].cpus)
            bars.append(Bar(f"{name}: share of processor time added to that", more, TRACES_MORE, at_least=False))
        elif arm is not bare:
            bars += [
                Bar(f"{name}: share of batch throughput lost", wall / (1 + wall), ALLOWED, at_least=False),
                Bar(f"{name}: share of the server's processor time added", cpu, ALLOWED, at_least=False),
            ]
    columns = ["", "documents/s", "server CPU µs", "time of a round", "95 % from", "to", "CPU beside bare"]
    table = Table("Batches of 64, two in flight", columns, rows).noted(NOTES)
    line = f"generated (seed {options.seed}), about 2,000 characters each; {len(bare.walls)} rounds of {documents}"
    return Report("overhead", "What metrics, logs, tokens and traces cost", line, [table], bars)


NOTES = """\
All servers run at once and get the same documents in rounds that take turns, in an order drawn anew each time, so \
that what else the machine does falls on all alike. The share is the median over the rounds of each round's time \
beside the bare server's in the same round; its interval is a bootstrap over rounds.
The bare server is the same code without the interceptors for metrics, logs and tokens, without the engine's observer, \
and without a metrics port. The others are `baznashr-server serve` as it is, with eight tokens and a quota; the last \
sends the spans of every hundredth call to a collector in the benchmark's own process.
CPU is the kernel's count of the server process, in ticks of 10 ms, summed over all rounds. It feels other work on \
the machine far less than times do."""


if __name__ == "__main__":
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(serve_bare(Path(sys.argv[1])))
