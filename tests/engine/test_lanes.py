"""The writer's queue: single changes go first, bulk keeps its order and moves, and what may wait is bounded."""

import threading
import time
from pathlib import Path
from random import Random
from statistics import median

import pytest

from baznashr.types import Document
from baznashr_server.engine import Engine
from baznashr_server.engine.changes import Change
from baznashr_server.engine.lanes import Lanes, LanesFull
from tests.support.texts import article


def test_each_lane_keeps_its_order() -> None:
    """What comes first leaves first, lane by lane, whatever came between."""
    lanes: Lanes[int] = Lanes(10)
    for number in range(8):
        lanes.put(number, 1, bulk=number % 2 == 0)
    assert [lanes.bulk() for _ in range(5)] == [0, 2, 4, 6, None]
    assert [lanes.single() for _ in range(5)] == [1, 3, 5, 7, None]


def test_what_waits_is_bounded_and_outlasts_closing() -> None:
    """Both lanes together hold so many; what is in them when they close is still taken, and then it is over."""
    lanes: Lanes[int] = Lanes(2)
    lanes.put(1, 1, bulk=True)
    lanes.put(2, 1, bulk=False)
    with pytest.raises(LanesFull):
        lanes.put(3, 1, bulk=False)
    lanes.close()
    assert lanes.wait(10)
    assert (lanes.single(), lanes.bulk()) == (2, 1)
    assert not lanes.wait(10)


def test_waiting_ends_with_an_order_or_the_time() -> None:
    """An order wakes who waits; for company it is waited no longer than said."""
    lanes: Lanes[int] = Lanes(10)
    threading.Timer(0.05, lanes.put, (1, 1), {"bulk": False}).start()
    start = time.monotonic()
    assert lanes.wait(10)
    lanes.wait_for_company(0.05, single=2, bulk=1)
    assert time.monotonic() - start < 5


def test_company_is_counted_in_documents(tmp_path: Path) -> None:
    """What fills a group is committed at once, though it came as one batch; less waits for more."""
    rng = Random(5)
    with Engine.open(tmp_path / "data", group_commit_max_documents=8, group_commit_wait_ms=500) as engine:
        start = time.monotonic()
        engine.ingest_batch([Document(f"a{n}", article(rng)) for n in range(8)])
        full = time.monotonic() - start
        engine.ingest_batch([Document(f"b{n}", article(rng)) for n in range(7)])
        short = time.monotonic() - start - full
    assert full < 0.5 <= short


def test_single_changes_go_before_bulk_and_bulk_still_moves(tmp_path: Path) -> None:
    """Behind a held writer: the single calls share the next commit, and the bulk follows in its order."""
    with Engine.open(tmp_path / "data") as engine:
        held, let_go = threading.Event(), threading.Event()
        done: list[str] = []

        def hold(_: object) -> None:
            held.set()
            let_go.wait(20)

        engine._writer.submit(Change(hold), bulk=True)
        assert held.wait(20)
        futures = [
            engine._writer.submit(Change(lambda _, n=n: done.append(f"bulk {n}"), 256), bulk=True) for n in range(4)
        ]
        futures += [engine._writer.submit(Change(lambda _, n=n: done.append(f"single {n}"), 1)) for n in range(3)]
        let_go.set()
        for future in futures:
            future.result(20)
    assert done == ["single 0", "single 1", "single 2", "bulk 0", "bulk 1", "bulk 2", "bulk 3"]


def test_a_single_call_is_not_kept_waiting_by_a_bulk_load(tmp_path: Path) -> None:
    """With sixteen batches queued, a call waits for one or two commits, far less than for all of them."""
    rng = Random(2)
    batches = [[Document(f"{b}-{n}", article(rng)) for n in range(128)] for b in range(16)]
    with Engine.open(tmp_path / "data") as engine:
        start = time.perf_counter()
        queued = [engine.submit(batch) for batch in batches]
        waits = []
        while not queued[-1].done():
            asked = time.perf_counter()
            engine.ingest(Document(f"single {len(waits)}", article(rng)))
            waits.append(time.perf_counter() - asked)
        whole = time.perf_counter() - start
        assert engine.corpus_stats().documents == 16 * 128 + len(waits)
    print(
        f"{whole:.3f} s of bulk; single calls: median {median(waits):.3f} s, longest {max(waits):.3f} s of {len(waits)}"
    )
    assert max(waits) < whole / 2
