"""Admission: what runs at once, what waits, and what is told to come back."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from baznashr.errors import Unavailable
from baznashr_server.obs.metrics import CallMetrics
from baznashr_server.rpc.admission import RETRY_MS, Admission


class Gate:
    """An admission whose calls last until they are let go, and its metrics."""

    def __init__(self, running: int, waiting: int, streams: int = 1) -> None:
        self.registry = CollectorRegistry()
        self.admission = Admission(running, waiting, streams, CallMetrics(self.registry))
        self.let_go = asyncio.Event()
        self.running = 0
        self.most = 0

    async def call(self, *, patient: bool = False, bulk: bool = False) -> None:
        async with self.admission.turn(patient=patient, bulk=bulk):
            self.running += 1
            self.most = max(self.most, self.running)
            await self.let_go.wait()
            self.running -= 1

    def metric(self, name: str) -> float:
        """Return a metric's value, summed over the lanes."""
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name == f"baznashr_{name}")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def test_only_so_many_run_and_wait() -> None:
    """Two run, three wait, the sixth is refused with a time to come back; all admitted ones finish."""

    async def test() -> None:
        gate = Gate(running=2, waiting=3)
        calls = [asyncio.create_task(gate.call()) for _ in range(5)]
        await settle()
        assert (gate.metric("calls_running"), gate.metric("calls_waiting")) == (2, 3)
        with pytest.raises(Unavailable) as refused:
            await gate.call()
        assert refused.value.reason == "OVERLOADED"
        assert RETRY_MS[0] <= int(refused.value.metadata["retry_after_ms"]) <= RETRY_MS[1]
        gate.let_go.set()
        await asyncio.gather(*calls)
        assert gate.most == 2
        assert (gate.metric("calls_running"), gate.metric("calls_waiting")) == (0, 0)
        assert gate.metric("calls_refused_total") == 1
        assert gate.metric("calls_wait_seconds_count") == 5

    run(test())


def test_no_queue_means_refused_at_once() -> None:
    """With no place to wait, a call runs at once or not at all."""

    async def test() -> None:
        gate = Gate(running=1, waiting=0)
        call = asyncio.create_task(gate.call())
        await settle()
        with pytest.raises(Unavailable):
            await gate.call()
        gate.let_go.set()
        await call
        await gate.call()

    run(test())


def test_stream_items_wait_however_long() -> None:
    """The items of a stream are bounded by its window; they are never refused."""

    async def test() -> None:
        gate = Gate(running=1, waiting=0)
        calls = [asyncio.create_task(gate.call(patient=True)) for _ in range(20)]
        await settle()
        gate.let_go.set()
        await asyncio.gather(*calls)
        assert gate.most == 1

    run(test())


def test_bulk_leaves_room_for_single_calls() -> None:
    """However many stream items and batches wait, single calls find half of the turns, and a queue of their own."""

    async def test() -> None:
        gate = Gate(running=4, waiting=2)
        bulk = [asyncio.create_task(gate.call(patient=True, bulk=True)) for _ in range(20)]
        await settle()
        assert gate.running == 2
        with pytest.raises(Unavailable):
            await gate.call(bulk=True)
        single = [asyncio.create_task(gate.call()) for _ in range(4)]
        await settle()
        assert gate.running == 4
        with pytest.raises(Unavailable):
            await gate.call()
        gate.let_go.set()
        await asyncio.gather(*bulk, *single)
        assert (gate.metric("calls_running"), gate.metric("calls_waiting")) == (0, 0)

    run(test())


def test_a_cancelled_call_gives_its_place_back() -> None:
    """Calls cancelled while they wait or run leave no place taken."""

    async def test() -> None:
        gate = Gate(running=1, waiting=1)
        calls = [asyncio.create_task(gate.call()) for _ in range(2)]
        await settle()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (gate.metric("calls_running"), gate.metric("calls_waiting")) == (0, 0)
        gate.let_go.set()
        await gate.call()

    run(test())


def test_streams_are_bounded() -> None:
    """One stream more than allowed is refused until one ends."""

    async def test() -> None:
        admission = Gate(running=1, waiting=1, streams=1).admission
        async with admission.stream():
            with pytest.raises(Unavailable, match="OVERLOADED"):
                async with admission.stream():
                    pass
        async with admission.stream():
            pass

    run(test())
