"""The one thread that changes the store: group commit, all or nothing, durable before visible before answered."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import apsw

from baznashr.errors import BaznashrError, InternalError, ReadOnly, StoreDamaged, Unavailable
from baznashr_server import failpoints
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.lanes import Lanes, LanesFull
from baznashr_server.engine.observer import Observer, Written
from baznashr_server.engine.precedence import Precedence
from baznashr_server.index.columns import Entry
from baznashr_server.limits import MAX_BULK_DOCUMENTS, MAX_QUEUED_WRITES
from baznashr_server.store.store import Store

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
"""Between two looks for what is due in the background while nothing comes."""
BREATH_SECONDS = 0.01
"""Between two pieces of it, for callers to come in between."""


class _Step(NamedTuple):
    """An entry put into the tables, or taken out of them."""

    corpus: LoadedCorpus
    entry: Entry
    added: bool
    visible: bool
    """Whether checks saw an entry that was taken out."""


@dataclass
class Changes:
    """What a transaction did to the tables in memory: shown when it is durable, taken back when it fails."""

    steps: list[_Step] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    on_undo: list[Callable[[], None]] = field(default_factory=list)

    def add(self, corpus: LoadedCorpus, entry: Entry, *, visible: bool = False) -> None:
        """Enter a document; *visible* to checks at once, which is for one that was durable before the transaction."""
        corpus.index.add(entry, visible=visible)
        self.steps.append(_Step(corpus, entry, added=True, visible=False))

    def remove(self, corpus: LoadedCorpus, entry: Entry) -> None:
        visible = corpus.index.remove(entry)
        self.steps.append(_Step(corpus, entry, added=False, visible=visible))

    def mark(self) -> tuple[int, int, int]:
        return len(self.steps), len(self.after_commit), len(self.on_undo)

    def undo(self, mark: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Take back what was done since *mark*, the last first."""
        steps, hooks, undoings = mark
        for step in reversed(self.steps[steps:]):
            if step.added:
                step.corpus.index.remove(step.entry)
            else:
                step.corpus.index.add(step.entry, visible=step.visible)
        for undoing in reversed(self.on_undo[undoings:]):
            undoing()
        del self.steps[steps:], self.after_commit[hooks:], self.on_undo[undoings:]

    def publish(self) -> None:
        for corpus in {id(step.corpus): step.corpus for step in self.steps if step.added}.values():
            corpus.index.publish()
        for hook in self.after_commit:
            hook()
        # Or hooks and the changes that made them would hold each other, with the texts, until a collection of garbage.
        del self.steps[:], self.after_commit[:], self.on_undo[:]


class Work(Protocol):
    """One caller's change."""

    @property
    def documents(self) -> int:
        """How many documents it stores."""

    @property
    def ends_group(self) -> bool:
        """Whether the next change must find in memory what this one did, as after a change of a corpus."""

    def __call__(self, changes: Changes) -> object:
        """Make the change inside the open transaction and return its answer."""


@dataclass
class _Order:
    work: Work
    future: Future[object]
    context: Context = field(default_factory=copy_context)
    """Of the caller, in which the work is done, so that what is observed of it is known to be the caller's."""
    ordered: float = field(default_factory=time.perf_counter)
    bulk: bool = False


def _taken(take: Callable[[], _Order | None], most: int) -> list[_Order]:
    """Return the next orders of a lane, up to *most* documents or one that ends its group."""
    group: list[_Order] = []
    documents = 0
    while documents < most and (order := take()) is not None:
        if order.future.set_running_or_notify_cancel():
            group.append(order)
            documents += order.work.documents
            if order.work.ends_group:
                break
    return group


class Writer:
    """Takes changes from any thread and makes them durable in groups."""

    def __init__(
        self,
        store: Store,
        observer: Observer,
        *,
        max_documents: int,
        wait_seconds: float,
        idle: Callable[[], Work | None],
        precedence: Precedence,
    ) -> None:
        self._store = store
        self._observer = observer
        self._max_documents = max_documents
        self._max_bulk = min(max_documents, MAX_BULK_DOCUMENTS)
        self._bulk_is_next = False
        self._wait_seconds = wait_seconds
        self._idle = idle
        self._precedence = precedence
        self._orders: Lanes[_Order] = Lanes(MAX_QUEUED_WRITES)
        self._closed = False
        self._closing = threading.Lock()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def read_only_reason(self) -> str | None:
        """What failed, after which no write is tried; None while writes are taken."""
        return self._failure or self._store.damage

    def submit(self, work: Work, *, bulk: bool = False) -> Future[object]:
        """Queue a change; its future has the answer once the change is durable.

        Args:
            bulk: Let single changes go before; of their own kind all keep their order.

        Raises:
            ReadOnly: A write failed before.
            Unavailable: The queue is full, or the engine is closing.
        """
        if self.read_only_reason is not None:
            raise self._read_only()
        order = _Order(work, Future(), bulk=bulk)
        with self._closing:
            if self._closed:
                raise Unavailable("The engine is closed.", reason="SHUTTING_DOWN")
            try:
                self._orders.put(order, work.documents, bulk=bulk)
            except LanesFull:
                raise Unavailable(
                    "Too many changes wait for the store.", reason="OVERLOADED", metadata={"retry_after_ms": "200"}
                ) from None
        return order.future

    @property
    def waiting(self) -> int:
        """Changes in the queue, roughly."""
        return len(self._orders)

    def close(self) -> None:
        """Finish what is queued, then stop."""
        failpoints.reach("before_close")
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._orders.close()
        self._thread.join()

    def _run(self) -> None:
        is_busy = False
        while self._orders.wait(BREATH_SECONDS if is_busy else REST_SECONDS):
            if group := self._gather():
                self._commit(group)
            is_busy = self._rest()

    def _rest(self) -> bool:
        """Do a bounded piece of what is due in the background; return whether more may be due."""
        if self.read_only_reason is not None:
            return False
        try:
            work = self._idle()
        except (apsw.Error, BaznashrError):
            return False  # what is due stays due; damage has turned the store read-only
        except Exception:
            log.exception("upkeep failed, and is tried again")  # callers wait for this thread: it must not end
            return False
        if work is None:
            return False
        order = _Order(work, Future(), bulk=True)
        self._commit([order])
        if error := order.future.exception():
            log.error("upkeep failed, and is tried again", exc_info=error)
        return error is None

    def _gather(self) -> list[_Order]:
        """Return the orders that share the next commit: single ones or bulk, in turns where both wait."""
        if not len(self._orders):
            return []
        if self._wait_seconds:
            self._orders.wait_for_company(self._wait_seconds, single=self._max_documents, bulk=self._max_bulk)
        lanes = (self._orders.single, self._max_documents), (self._orders.bulk, self._max_bulk)
        for take, most in reversed(lanes) if self._bulk_is_next else lanes:
            if group := _taken(take, most):
                self._bulk_is_next = take == self._orders.single
                return group
        return []

    def _commit(self, group: list[_Order]) -> None:
        changes = Changes()
        start = time.perf_counter()
        try:
            if self.read_only_reason is not None:
                raise self._read_only()
            failpoints.reach("before_begin")
            self._store.begin()
            with self._precedence.call(bulk=group[0].bulk), self._precedence.turn():  # a group is of one lane
                answers = [order.context.run(self._apply, order.work, changes) for order in group]
            decided = time.perf_counter()
            failpoints.reach("before_commit")
            self._store.commit()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody may be told that it was stored
            self._fail(error, group, changes)
            return
        committed = time.perf_counter()
        try:
            failpoints.reach("after_commit")
            changes.publish()
        except Exception as error:  # noqa: BLE001 - the tables lag behind the store, which only a restart mends
            self._turn_read_only(f"{type(error).__name__} after a commit")
            for order in group:
                order.future.set_exception(_internal(error))
            return
        self._observe(group, start, decided, committed)
        failpoints.reach("after_publish")
        for order, answer in zip(group, answers, strict=True):
            if isinstance(answer, BaznashrError):
                order.future.set_exception(answer)
            else:
                order.future.set_result(answer)
        failpoints.reach("after_answer")

    def _observe(self, group: list[_Order], start: float, decided: float, committed: float) -> None:
        self._observer.stage("store", decided - start)
        self._observer.stage("commit", committed - decided)
        self._observer.stage("publish", time.perf_counter() - committed)
        self._observer.committed(sum(order.work.documents for order in group), committed - decided)
        published = time.perf_counter()
        for order in group:
            times = Written(start - order.ordered, decided - start, committed - decided, published - committed)
            order.context.run(self._observer.written, times)

    def _apply(self, work: Work, changes: Changes) -> object:
        """Return the answer of one change, or the error for which it alone was taken back."""
        mark = changes.mark()
        self._store.savepoint("change")
        try:
            answer = work(changes)
        except (apsw.Error, StoreDamaged):
            raise
        except Exception as error:  # noqa: BLE001 - the others of the group are not to suffer for it
            self._store.rollback_to_savepoint("change")
            changes.undo(mark)
            return error if isinstance(error, BaznashrError) else _internal(error)
        self._store.release_savepoint("change")
        return answer

    def _fail(self, error: Exception, group: list[_Order], changes: Changes) -> None:
        """Take everything back. A failed write or fsync leaves the log in doubt: no further write is tried."""
        changes.undo()
        if isinstance(error, apsw.Error | StoreDamaged):
            self._turn_read_only(f"{type(error).__name__}: {error}")
            self._store.keep_log()
        try:
            self._store.rollback()
        except apsw.Error as failure:
            self._turn_read_only(f"{type(failure).__name__}: {failure}")
        for order in group:
            # An error of its own for each: what is raised in several threads gathers all their tracebacks.
            order.future.set_exception(_internal(error) if self.read_only_reason is None else self._read_only())

    def _turn_read_only(self, why: str) -> None:
        if self._failure is None:
            self._failure = why
            log.error("the store takes no writes from now on, since one failed: %s", why)

    def _read_only(self) -> ReadOnly:
        return ReadOnly(
            "The store takes no writes since one failed; checks go on.",
            metadata={"cause": (self.read_only_reason or "")[:200]},
        )


def _internal(error: Exception) -> InternalError:
    answer = InternalError(f"{type(error).__name__} while storing")
    answer.__cause__ = error
    return answer
