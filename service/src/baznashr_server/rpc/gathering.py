"""Single calls that wait for a thread, taken together: compiled code handles many texts in hardly more time than one.

A call that finds a thread free does not wait for company. Those that come while the threads are busy are one batch for
the engine, and each is answered for itself: where a batch fails, it is tried again without the one at fault.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Protocol

from baznashr.errors import BaznashrError, InternalError
from baznashr.types import Document, Judgement
from baznashr_server.engine import Engine
from baznashr_server.obs import calls

MOST_ITEMS = 64
"""Taken together; more would make the first wait long for the last."""
MOST_CHARS = 1 << 16
"""Of a text that is taken together with others."""
TRIES = 2
"""Together; what fails so often is tried alone."""

_PLACE = re.compile(r"^\w+\[(\d+)\]\.?")

type Item = str | Document
type Key = tuple[str, bool]
"""The corpus, and whether stored documents are to be replaced."""
type Work = Callable[[Engine, Sequence[Item], Key], Future[list[Judgement]]]
"""Has items of one key judged, in order. An error that is one item's names it in its field, as `name[i].field`."""


class Threads(Protocol):
    """Where the work is done."""

    @property
    def engine(self) -> Engine:
        """The engine; Unavailable while there is none."""

    def start(self, work: Callable[[], None], *, bulk: bool) -> None:
        """Have *work* done by a thread; Unavailable at the end of the server."""

    def waited(self, seconds: float) -> None:
        """Count the wait of a call for a thread."""


@dataclass(slots=True, eq=False)
class _Waiting:
    item: Item
    key: Key
    answer: asyncio.Future[Judgement]
    is_alone: bool
    context: Context = field(default_factory=copy_context)
    call: calls.Stages | None = field(default_factory=calls.current.get)
    since: float = field(default_factory=perf_counter)
    tries: int = 0

    @property
    def id(self) -> str:
        return self.item.id if isinstance(self.item, Document) else ""

    def settle(self, answer: Judgement | BaseException) -> None:
        if self.answer.done():
            return  # nobody waits for it any more
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Gathering:
    """A queue before the engine's threads. `ask` belongs to the event loop, the rest to whichever thread it is in.

    Args:
        at_once: Threads that it may keep busy with items that are taken together; long ones take more.
        in_order: Begin with nothing before what came earlier is answered.
        most: Items that may be taken together.
    """

    def __init__(
        self,
        work: Work,
        threads: Threads,
        *,
        bulk: bool,
        at_once: int,
        in_order: bool = False,
        most: int = MOST_ITEMS,
    ) -> None:
        self._work = work
        self._threads = threads
        self._bulk = bulk
        self.at_once = at_once
        self._in_order = in_order
        self._most = most
        self._waiting: list[_Waiting] = []
        self._busy = 0
        self._lock = Lock()

    def __len__(self) -> int:
        """How many calls wait for a thread."""
        return len(self._waiting)

    async def ask(self, item: Item, key: Key) -> Judgement:
        """Return the judgement of *item*. A call cancelled while it waits for a thread never starts.

        Raises:
            BaznashrError: Its field is the item's own, such as `text`.
        """
        _ = self._threads.engine  # without one, refuse at once
        text = item if isinstance(item, str) else item.text
        waiting = _Waiting(item, key, asyncio.get_running_loop().create_future(), len(text) > MOST_CHARS)
        self._queue([waiting])
        return await waiting.answer

    def _queue(self, waiting: list[_Waiting], *, first: bool = False) -> None:
        with self._lock:
            self._waiting = waiting + self._waiting if first else self._waiting + waiting
            is_long = any(one.is_alone for one in waiting) and not self._in_order
            must_start = self._busy < self.at_once or is_long
            self._busy += must_start
        if must_start:
            self._start()

    def _start(self) -> None:
        """Have a thread take what waits."""
        try:
            self._threads.start(self._run, bulk=self._bulk)
        except BaznashrError as error:
            with self._lock:
                self._busy -= 1
                left, self._waiting = self._waiting, []
            self._tell(left, [_own(error) for _ in left])

    def _run(self) -> None:
        """Take what waits and hand it to the engine."""
        taken = self._take()
        if taken:
            now = perf_counter()
            for one in taken:
                self._threads.waited(now - one.since)
                if one.call is not None:
                    one.call.add("thread", now - one.since, now)
            work = _context_of(taken).run(_begun, self._work, self._threads, taken)
            work.add_done_callback(lambda done: self._done(taken, done))
        if not (taken and self._in_order):
            self._go_on()

    def _go_on(self) -> None:
        """Take what came meanwhile, behind whatever else waits for a thread."""
        with self._lock:
            if not self._waiting or self._busy > self.at_once:
                self._busy -= 1
                return
        self._start()

    def _take(self) -> list[_Waiting]:
        """Return the first call, with those that can be judged together with it."""
        taken: list[_Waiting] = []
        left: list[_Waiting] = []
        with self._lock:
            for one in self._waiting:
                if one.answer.cancelled():
                    continue
                may_pass = len(taken) < self._most and not (self._in_order and left)
                (taken if may_pass and _fits(one, taken) else left).append(one)
            self._waiting = left
        return taken

    def _done(self, taken: list[_Waiting], work: Future[list[Judgement]]) -> None:
        """Answer those who wait, or try again without the one at fault."""
        error = work.exception()
        if error is None:
            self._tell(taken, work.result())
        elif len(taken) > 1 and (place := _place(error)) is not None:
            self._tell([taken.pop(place)], [_own(error)])
            self._again(taken, TRIES)
        elif len(taken) > 1 and _is_of_unknown_cause(error):
            self._again(taken, 0)
        else:
            self._tell(taken, [_own(error) for _ in taken])
        if self._in_order:
            self._go_on()

    def _again(self, waiting: list[_Waiting], tries: int) -> None:
        for one in waiting:
            one.tries += 1
            one.is_alone = one.tries >= tries
        self._queue(waiting, first=True)

    def _tell(self, waiting: list[_Waiting], answers: Sequence[Judgement | BaseException]) -> None:
        loop = waiting[0].answer.get_loop() if waiting else None
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_settle, waiting, answers)


def _fits(one: _Waiting, taken: list[_Waiting]) -> bool:
    """Whether a call can be judged together with those *taken*: all of one key, no id twice."""
    if not taken:
        return True
    if one.is_alone or taken[0].is_alone or one.key != taken[0].key:
        return False
    return not one.id or all(other.id != one.id for other in taken)


def _context_of(taken: list[_Waiting]) -> Context:
    """Return where to work: what is observed there is known to be of these calls."""
    if len(taken) == 1:
        return taken[0].context
    context = Context()
    context.run(calls.current.set, calls.Together([one.call for one in taken if one.call is not None]))
    return context


def _begun(work: Work, threads: Threads, taken: list[_Waiting]) -> Future[list[Judgement]]:
    try:
        return work(threads.engine, [one.item for one in taken], taken[0].key)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait
        failed: Future[list[Judgement]] = Future()
        failed.set_exception(error)
        return failed


def _settle(waiting: Sequence[_Waiting], answers: Sequence[Judgement | BaseException]) -> None:
    for one, answer in zip(waiting, answers, strict=True):
        one.settle(answer)


def _place(error: BaseException) -> int | None:
    """Return which item of a batch an error is about, if it says so."""
    found = _PLACE.match(error.field) if isinstance(error, BaznashrError) else None
    return int(found[1]) if found else None


def _is_of_unknown_cause(error: BaseException) -> bool:
    """Whether an error may come of one item and yet not say so."""
    return isinstance(error, InternalError) or not isinstance(error, BaznashrError)


def _own(error: BaseException) -> BaseException:
    """Return the error for one caller: its own, since what is raised in several gathers all their tracebacks."""
    if not isinstance(error, BaznashrError):
        return error
    own = type(error)(
        error.message, reason=error.reason, field=_PLACE.sub("", error.field, count=1), metadata=error.metadata
    )
    own.__cause__ = error.__cause__
    return own
