"""What the benchmarks of servers and sizes are made of, at the smallest size."""

import asyncio
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from baznashr.types import Document
from baznashr_server.access.protection import Protection
from baznashr_server.engine import Engine
from baznashr_server.obs.metrics import Metrics
from baznashr_server.rpc.interception import Layers
from baznashr_server.settings import load
from baznashr_server.store import database, schema
from benchmarks import fairness, stock, unsynced
from benchmarks.__main__ import parse
from benchmarks.bulk.processes import tree
from benchmarks.client import Costs
from benchmarks.corpus import ArticleModel
from benchmarks.mixed import CALLS_PER_SECOND, Single, loading
from benchmarks.peer import Pace, peer
from benchmarks.rpc import MANY, WAVES, Load, Server, started, ways
from benchmarks.sizes import ROUNDS, STRETCHES, Fill, grown_table
from benchmarks.sizes import ways as engine_ways
from benchmarks.stock import Stock

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the articles of these tests among their own files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(stock, "FILE_DOCUMENTS", 32)


class FixedPeer:
    """A peer with one pace, that remembers how much it was to hold."""

    held = 0

    def fill(self, documents: int) -> None:
        self.held = documents

    def run(self, _: float) -> Pace:
        return self.pace()

    def pace(self) -> Pace:
        return Pace(100.0, 1000.0)


def test_the_stock_is_the_models_articles() -> None:
    """Documents from files, from any start and across files, are those of the model; no file is written twice."""
    model = ArticleModel(5, sigma=0)
    taken = Stock(5, start=30).take(5)
    assert taken == [stock.document(model.article(number)) for number in range(30, 35)]
    files = {path: path.stat().st_mtime_ns for path in stock.home(5).iterdir()}
    assert len(files) == 2
    articles = Stock(5).articles()
    assert [(one.number, one.kind, one.text) for one, _ in zip(articles, range(3), strict=False)] == [
        (number, model.kind(number), model.article(number).text) for number in range(3)
    ]
    assert files == {path: path.stat().st_mtime_ns for path in stock.home(5).iterdir()}


def test_a_stock_that_finds_no_room_leaves_none_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be finished is not left beside the others."""

    def full(_: Path, __: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        Stock(5).take(1)
    assert not list(stock.home(5).iterdir())


def test_sizes_are_filled_and_measured(tmp_path: Path) -> None:
    """Each size gives its stretches of the curve and a row for each way, and the peer holds as much."""
    other = FixedPeer()
    with Engine.open(tmp_path / "data") as engine:
        fill = Fill(engine, Stock(3), other, seconds=0.001 * ROUNDS)  # type: ignore[arg-type] # one that costs nothing
        fill.to(20)
        fill.measure(20)
        assert fill.stored == engine.corpus_stats().documents > 20
        fill.to(20)  # passed already
        assert len(fill.curve) == STRETCHES
        assert len(fill.matrix) == len(engine_ways(engine)) + 2
        assert all(row[1] for row in fill.matrix)
        assert other.held == 20
        assert grown_table(engine, 0, fill.stored).rows[0][1] > 0


def test_the_peer_works_in_a_process_of_its_own() -> None:
    """It fills, tells a pace from text below that from ready values, and ends."""
    with peer(3) as other:
        other.fill(10)
        assert other.run(0.1).from_text < other.run(0.1).from_values
        assert other.pace().from_text > 0


def test_a_peer_that_dies_is_told() -> None:
    """Where its process is gone, say for want of memory, who waits for an answer gets an error."""
    with peer(3) as other:
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises((EOFError, OSError)):
            other.fill(10)


def test_a_loader_that_ends_is_told() -> None:
    """Where nobody answers a loader, the benchmark ends with an error, and does not wait for its first answer."""
    with pytest.raises(RuntimeError, match="ended by itself"), loading(Server("127.0.0.1:1", 0), "batch 64", 3, 0):
        pass


def arguments(process: int) -> list[bytes]:
    """Return those of a process; none where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def test_a_benchmark_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM ends the servers that were started, and their folders are removed."""
    command = [sys.executable, "-m", "benchmarks", "--short", "--only", "client", "--seconds", "60"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (servers := [child for child in tree(process.pid) if b"serve" in arguments(child)]):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert not [server for server in servers if Path(f"/proc/{server}").exists()]
    assert not list((tmp_path / "temporary").iterdir())


def test_every_way_of_calling_is_answered(tmp_path: Path) -> None:
    """The server that does nothing answers batches, streams and single calls, of both kinds, and CPU time is told."""

    async def test(address: str, load: Load) -> None:
        async with ways(address) as found:
            for way in found:
                result = await load.measure(way.call, way.workers, way.batch)
                assert result.documents >= 128, way.name
                assert result.latency_ms(50) > 0

    with started(tmp_path, "benchmarks.noop") as server:
        document = Document("d1", "متن")

        class Same:
            def take(self, count: int) -> list[Document]:
                return [document] * count

        asyncio.run(test(server.address, Load(server, Same(), 0.001)))  # type: ignore[arg-type] # documents for nothing


def test_the_bare_server_pays_for_one_interceptor(tmp_path: Path) -> None:
    """What stands around its calls is one layer, as the real server's: more would hide what metrics and logs cost."""
    from benchmarks.overhead import BareServer

    async def around() -> list[object]:
        settings = load({"data": tmp_path, "listen": "127.0.0.1:0"})
        return [*BareServer(settings, Protection(None, None), Metrics()).interceptors()]

    assert [type(one) for one in asyncio.run(around())] == [Layers]


@pytest.mark.parametrize(("workers", "batch"), [(128, 0), (2, 256), (4, MANY)])
def test_as_many_calls_are_in_flight_as_is_said(workers: int, batch: int) -> None:
    """A stretch of short calls is several waves long, so that workers seldom wait for the last of a wave."""
    taken = []

    class Counted:
        def take(self, count: int) -> list[Document]:
            taken.append(count)
            return [Document("d", "متن")] * count

    async def call(_: object) -> None:
        await asyncio.sleep(0)

    load = Load(Server("", os.getpid()), Counted(), 0.001)  # type: ignore[arg-type] # documents for nothing
    asyncio.run(load.measure(call, workers, batch))
    calls = taken[0] // max(1, batch)
    assert calls == workers * (1 if batch == MANY else WAVES)


def test_only_its_own_command_turns_fsync_off(tmp_path: Path) -> None:
    """The benchmark's connection waits for no disk; importing it changes nothing for the store."""
    with unsynced.connect(tmp_path / "off.db", writable=True) as connection:
        assert connection.execute("PRAGMA synchronous").get == 0
    assert database.connect is schema.connect  # type: ignore[attr-defined] # as the store knows it
    with database.connect(tmp_path / "on.db", writable=True) as connection:  # type: ignore[attr-defined] # the same
        assert connection.execute("PRAGMA synchronous").get == 2


def test_a_bulk_load_counts_while_it_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What loaders are answered before and after the single calls is not in their pace."""
    monkeypatch.setattr(fairness, "WARMING_SECONDS", 0.2)

    class Late(fairness.Load):
        def start(self, batches: int, streams: int) -> None:
            super().start(batches, streams)
            self.count(10**9)

        def stop(self) -> None:
            super().stop()
            self.count(10**9)

    with started(tmp_path, "benchmarks.noop") as server:
        load = Late(server.address, ["متن"])
        pace, taken = fairness.measure(load, 1, 1, 0.3)
    assert 0 < pace < 10**6
    assert taken
    assert not any(thread.is_alive() for thread in load.threads)


def test_ticks_of_a_server_are_added_up() -> None:
    """Its processor time, counted in ticks as long as many rounds, is the mean of the rounds and no tick's multiple."""
    costs = Costs(wall=[100.0] * 4, client_cpu=[10.0] * 4, server_cpu=[0.0, 40.0, 0.0, 0.0])
    assert costs.cells(costs) == [10_000, 1.0, 10.0, 10.0]


def test_a_slow_call_counts_from_when_it_was_due() -> None:
    """Where the first call blocks all, the times of those behind it tell so."""
    calls = iter([0.2, 0.0, 0.0])

    async def call(_: Document) -> None:
        time.sleep(next(calls))  # noqa: ASYNC251 - it is to hold everybody up

    single = Single(call)
    asyncio.run(single.run([Document("d", "متن")] * 3, 0))
    due = 1 / CALLS_PER_SECOND
    assert [latency > 0.2 - number * due - 0.01 for number, latency in enumerate(single.latencies)] == [True] * 3


def test_short_runs_leave_the_results_alone(tmp_path: Path) -> None:
    """`--short` writes no files unless told where, and what is given beside it counts more."""
    assert parse(["--short"]).out is None
    assert parse([]).out is not None
    assert parse(["--short", "--out", str(tmp_path)]).out == tmp_path
    assert parse(["--short", "--seconds", "3"]).seconds == 3
    assert parse(["--sizes", "10,20"]).sizes == (10, 20)
