"""Runs the blocking engine on a few threads, for the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from time import perf_counter
from weakref import WeakSet

from baznashr.errors import Unavailable
from baznashr_server.engine import Engine
from baznashr_server.obs import calls
from baznashr_server.obs.metrics import CallMetrics
from baznashr_server.rpc.admission import shutting_down
from baznashr_server.rpc.gathering import MOST_ITEMS, Gathering, Work


class Runner:
    """The engine's threads; without an engine until it is attached, and again from ``detach`` on."""

    def __init__(self, workers: int, metrics: CallMetrics) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="engine")
        # Of their own, so that no single call stands behind batches of hundreds of milliseconds each; half as many, so
        # that they leave the loop and the writer a core even while they run compiled code.
        bulk_workers = max(1, workers // 2)
        self._bulk_threads = ThreadPoolExecutor(bulk_workers, thread_name_prefix="bulk")
        queues = (self._threads._work_queue, self._bulk_threads._work_queue)  # noqa: SLF001 - nothing public says it
        self._workers = workers
        self._gatherings: WeakSet[Gathering] = WeakSet()
        self._engine: Engine | None = None
        self._absence = Unavailable("The server is starting.", reason="STARTING", metadata={"retry_after_ms": "500"})
        self._busy = metrics.workers_busy
        self._waits = metrics.worker_wait_seconds
        metrics.workers_waiting.set_function(
            lambda: sum(queue.qsize() for queue in queues) + sum(map(len, tuple(self._gatherings)))
        )
        metrics.workers.set(workers + bulk_workers)

    def attach(self, engine: Engine) -> None:
        self._engine = engine

    def detach(self) -> None:
        """Refuse calls from now on, as SHUTTING_DOWN, and wait for those that run."""
        self._absence = shutting_down()
        self._engine = None
        self._threads.shutdown(wait=True)
        self._bulk_threads.shutdown(wait=True)

    @property
    def engine(self) -> Engine:
        """The engine; Unavailable while there is none."""
        if self._engine is None:
            raise self._absence
        return self._engine

    async def run[Request, Answer](
        self, function: Callable[[Engine, Request], Answer], request: Request, *, bulk: bool = False
    ) -> Answer:
        """Return what *function* makes of *request*. A call cancelled while it waits for a thread never starts."""
        threads = self._bulk_threads if bulk else self._threads
        work = threads.submit(copy_context().run, self._run, function, self.engine, request, perf_counter())
        return await asyncio.wrap_future(work)

    def gathering(self, work: Work, *, bulk: bool = False, in_order: bool = False, most: int = MOST_ITEMS) -> Gathering:
        """Return a queue of single items that *work* is to be done for, together where they wait together."""
        # Half of the threads: with all of them, each would find little to take and so take long for it.
        at_once = 1 if in_order else max(1, self._workers // 2)
        made = Gathering(work, self, bulk=bulk, at_once=at_once, in_order=in_order, most=most)
        self._gatherings.add(made)
        return made

    def start(self, work: Callable[[], None], *, bulk: bool) -> None:
        try:
            (self._bulk_threads if bulk else self._threads).submit(self._counted, work)
        except RuntimeError:  # the threads were told to end
            raise shutting_down() from None

    def waited(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def _counted(self, work: Callable[[], None]) -> None:
        with self._busy.track_inprogress():
            work()

    async def aside[Given, Made](self, function: Callable[[Given], Made], given: Given) -> Made:
        """Return what *function* makes of *given*, by a thread: what takes milliseconds would hold up all calls."""
        return await asyncio.wrap_future(self._bulk_threads.submit(function, given))

    def _run[Request, Answer](
        self, function: Callable[[Engine, Request], Answer], engine: Engine, request: Request, submitted: float
    ) -> Answer:
        waited = perf_counter() - submitted
        self._waits.observe(waited)
        calls.add("thread", waited)
        with self._busy.track_inprogress():
            return function(engine, request)


def standing_aside[Item](engine: Engine, items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items of a batch; before each, single calls go first."""
    for item in items:
        engine.precedence.give_way()
        yield item


async def finished[Answer](work: Future[Answer]) -> Answer:
    """Wait for *work*, which goes on if the call that waits is cancelled: a write is never cut in half."""
    return await outlasting(asyncio.wrap_future(work))


async def outlasting[Answer](work: asyncio.Future[Answer]) -> Answer:
    """Wait for *work*, which goes on if the call that waits is cancelled."""
    work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to ask
    return await asyncio.shield(work)
