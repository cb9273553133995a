"""What it costs that answers are durable: commits of their own, shared commits, and commits that wait for no disk."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.measure import in_turn, median_ratio
from benchmarks.peer import peer
from benchmarks.report import Cell, Options, Report, Table
from benchmarks.rpc import Load, Result, Server, Way, serving, started, ways
from benchmarks.stages import fsync_micros
from benchmarks.stock import Stock

ROUNDS = 3
EACH, GROUP, OFF = "a commit and fsync each", "shared commits, fsync each (default)", "shared commits, no fsync"
WAYS = ("ingest, unary, 1 at once", "ingest, unary, 32 at once", "ingest, streams of 512, 4 at once")
BATCHED = ("ingest, batches of 16, 2 in flight", "ingest, batches of 256, 2 in flight")


def servers(folder: Path, stack: ExitStack) -> dict[str, Server]:
    """Start a server of each mode; commits of their own hold one call's documents, be it one or a batch."""
    for mode in ("each", "group", "off"):
        (folder / mode).mkdir()
    metrics = ("--metrics", "127.0.0.1:0")
    unsynced = ["serve", "--data", str(folder / "off" / "data"), "--listen", "127.0.0.1:0", *metrics]
    return {
        EACH: stack.enter_context(serving(folder / "each", *metrics, "--group-commit-max-documents", "1")),
        GROUP: stack.enter_context(serving(folder / "group")),
        OFF: stack.enter_context(started(folder / "off", "benchmarks.unsynced", *unsynced)),
    }


async def take_turns(running: dict[str, Server], options: Options) -> dict[tuple[str, str], list[Result]]:
    """Measure each way on each server in turn, all with the same documents."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        calls: dict[str, list[Way]] = {}
        loads = {}
        for mode, server in running.items():
            every = await stack.enter_async_context(ways(server.address))
            calls[mode] = [way for way in every if way.name in {*WAYS, *BATCHED}]
            loads[mode] = Load(server, Stock(options.seed), options.seconds / ROUNDS)
        for number in range(ROUNDS):
            for place in range(len(WAYS) + len(BATCHED)):
                for mode, load in in_turn(loads.items(), number):
                    way = calls[mode][place]
                    found[way.name, mode].append(await load.measure(way.call, way.workers, way.batch))
    return found


def run(options: Options) -> Report:
    Stock(options.seed).make(options.documents)
    with ExitStack() as stack:
        other = stack.enter_context(peer(options.seed))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sync = fsync_micros(folder)
        running = servers(folder, stack)
        other.run(options.seconds)
        found = uvloop.run(take_turns(running, options))
        other.run(options.seconds)
        pace = other.pace()
    rows: list[list[Cell]] = []
    for (name, mode), results in found.items():
        middle = sorted(results, key=lambda result: result.per_second)[ROUNDS // 2]
        off = median_ratio((a.per_second for a in results), (b.per_second for b in found[name, OFF]))
        times = [median(result.per_second for result in results) / theirs for theirs in pace]
        rows.append([f"{name}: {mode}", *middle.cells, off, *times])
    rows.sort(key=lambda row: str(row[0]))
    columns = ["", "documents/s", "server CPU µs", "client CPU µs", "p50 ms a call", "p99 ms a call"]
    table = Table("Durability", [*columns, "× no fsync", "× from text", "× values ready"], rows)
    notes = f"{NOTES}\ndatasketch in this run: {pace.both}, documents a second; nothing durable."
    line = f"generated (seed {options.seed}), about 2,000 characters each; three servers from empty, in turn"
    written = f"4 KiB appended and made durable (fdatasync) in the same folder: {sync:,.0f} µs, median."
    return Report("fsync", "What durability costs over gRPC", line, [table.noted(f"{written}\n{notes}")])


NOTES = """\
Median of three rounds in turn; × no fsync is the median of the rounds' own ratios.
A commit each: `group_commit_max_documents` is 1, so that no two calls share a commit; a batch is one call.
No fsync is a server that only this benchmark starts (`benchmarks/unsynced.py`): no setting turns it off."""
