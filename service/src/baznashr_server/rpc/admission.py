"""How much is taken on at once, and what is said to the rest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from prometheus_client import Gauge, Histogram

from baznashr.errors import Unavailable
from baznashr_server.obs import calls
from baznashr_server.obs.metrics import LANES, CallMetrics
from baznashr_server.rpc.interception import Behaviour, Context, Interceptor
from baznashr_server.rpc.methods import Method

RETRY_MS = (100, 500)
"""Refused callers come back after a random time between these, so that they do not come back together."""


def shutting_down() -> Unavailable:
    return Unavailable("The server is shutting down.", reason="SHUTTING_DOWN")


@dataclass
class _Lane:
    """Places, and how many calls wait for one."""

    places: asyncio.Semaphore
    running: Gauge
    queue: Gauge
    wait_seconds: Histogram
    waiting: int = 0


def _lane(name: str, places: int, waiting: int, metrics: CallMetrics) -> _Lane:
    metrics.running_limit.labels(name).set(places)
    metrics.waiting_limit.labels(name).set(waiting)
    return _Lane(
        asyncio.Semaphore(places),
        metrics.running.labels(name),
        metrics.waiting.labels(name),
        metrics.wait_seconds.labels(name),
    )


class Admission:
    """Turns for calls and stream items, first come first served, and a bounded queue for them.

    Batches and stream items take at most half of the turns, and wait among themselves: single calls find room.
    """

    def __init__(self, running: int, waiting: int, streams: int, metrics: CallMetrics) -> None:
        self._turns = asyncio.Semaphore(running)
        self._lanes = {
            is_bulk: _lane(name, max(1, running // 2) if is_bulk else running, waiting, metrics)
            for is_bulk, name in enumerate(LANES)
        }
        """By whether it is bulk."""
        self._waiting_limit = waiting
        self._streams = 0
        self._streams_limit = streams
        self._metrics = metrics
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.closing = asyncio.Event()
        """Set by ``close``; streams are to end then, which otherwise last for ever."""
        metrics.streams_limit.set(streams)

    @asynccontextmanager
    async def turn(self, *, patient: bool = False, bulk: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Args:
            bulk: A batch, or an item of a stream.
            patient: Wait however long the queue is, as stream items do, whose window bounds them already.

        Raises:
            Unavailable: OVERLOADED, the queue is full.
        """
        lane = self._lanes[bulk]
        must_wait = self._turns.locked() or lane.places.locked()
        if not patient and must_wait and lane.waiting >= self._waiting_limit:
            raise self._overloaded("Too many calls are waiting.")
        async with AsyncExitStack() as held:
            await self._wait(lane, held)
            with lane.running.track_inprogress():
                yield

    async def _wait(self, lane: _Lane, held: AsyncExitStack) -> None:
        arrived = perf_counter()
        lane.waiting += 1
        lane.queue.inc()
        try:
            await held.enter_async_context(lane.places)
            await held.enter_async_context(self._turns)
        finally:
            lane.waiting -= 1
            lane.queue.dec()
        waited = perf_counter() - arrived
        lane.wait_seconds.observe(waited)
        calls.add("turn", waited)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Hold a place for a stream; Unavailable if there is none."""
        if self._streams >= self._streams_limit:
            raise self._overloaded("Too many streams are open.")
        self._streams += 1
        self._metrics.streams.inc()
        try:
            yield
        finally:
            self._streams -= 1
            self._metrics.streams.dec()

    @asynccontextmanager
    async def call(self, method: Method) -> AsyncIterator[None]:
        """Hold what a call of *method* needs; the items of a stream take their own turns.

        Raises:
            Unavailable: OVERLOADED, or SHUTTING_DOWN after ``close``.
        """
        if self.closing.is_set():
            raise shutting_down()
        self._calls += 1
        self._idle.clear()
        try:
            async with self.turn(bulk=method.is_batch) if method.type == "unary" else self.stream():
                yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    def close(self) -> None:
        """Refuse new calls, and let those that were taken go on."""
        self.closing.set()

    async def idle(self) -> None:
        """Wait until no call is left."""
        await self._idle.wait()

    def _overloaded(self, message: str) -> Unavailable:
        self._metrics.refused.inc()
        delay = random.randint(*RETRY_MS)  # noqa: S311 - spreads load, keeps no secret
        return Unavailable(message, reason="OVERLOADED", metadata={"retry_after_ms": str(delay)})


class AdmissionInterceptor(Interceptor):
    """Gives each call its place."""

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self._admission = admission

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        async def admitted(request: Any, context: Context) -> Any:
            async with self._admission.call(method):
                return await behaviour(request, context)

        return admitted
