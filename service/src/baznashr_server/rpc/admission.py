"""How much is taken on at once, and what is said to the rest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from prometheus_client import Histogram

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
    """Places, and how many calls have one or wait for one."""

    places: asyncio.Semaphore
    wait_seconds: Histogram
    running: int = 0
    waiting: int = 0


def _lane(name: str, places: int, waiting: int, metrics: CallMetrics) -> _Lane:
    metrics.running_limit.labels(name).set(places)
    metrics.waiting_limit.labels(name).set(waiting)
    lane = _Lane(asyncio.Semaphore(places), metrics.wait_seconds.labels(name))
    # Read when they are asked for: to keep them up to date costs each call more than counting does.
    metrics.running.labels(name).set_function(lambda: lane.running)
    metrics.waiting.labels(name).set_function(lambda: lane.waiting)
    return lane


@dataclass(slots=True)
class _Turn:
    """A turn, waited for and held."""

    lane: _Lane
    turns: asyncio.Semaphore

    async def __aenter__(self) -> None:
        lane, turns = self.lane, self.turns
        arrived = perf_counter()
        lane.waiting += 1
        try:
            await lane.places.acquire()
            try:
                await turns.acquire()
            except BaseException:
                lane.places.release()
                raise
        finally:
            lane.waiting -= 1
        lane.running += 1
        waited = perf_counter() - arrived
        lane.wait_seconds.observe(waited)
        calls.add("turn", waited)

    async def __aexit__(self, *_: object) -> None:
        self.lane.running -= 1
        self.turns.release()
        self.lane.places.release()


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

    def turn(self, *, patient: bool = False, bulk: bool = False) -> AbstractAsyncContextManager[None]:
        """Return a turn to wait for and hold.

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
        return _Turn(lane, self._turns)

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

    async def call[Request, Answer](
        self,
        method: Method,
        behaviour: Callable[[Request, Context], Awaitable[Answer]],
        request: Request,
        context: Context,
    ) -> Answer:
        """Return what *behaviour* answers, holding what a call needs; the items of a stream take their own turns.

        Raises:
            Unavailable: OVERLOADED, or SHUTTING_DOWN after ``close``.
        """
        if self.closing.is_set():
            raise shutting_down()
        self._calls += 1
        self._idle.clear()
        try:
            async with self.turn(bulk=method.is_batch) if method.type == "unary" else self.stream():
                return await behaviour(request, context)
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
        return partial(self._admission.call, method, behaviour)
