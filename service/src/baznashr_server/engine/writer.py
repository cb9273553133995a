"""The one thread that changes the store: group commit, all or nothing, durable before visible before answered."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

import apsw

from baznashr.errors import BaznashrError, InternalError, ReadOnly, Unavailable
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.observer import Observer
from baznashr_server.index.corpus_index import Entry
from baznashr_server.limits import MAX_QUEUED_WRITES
from baznashr_server.store.store import Store


@dataclass
class Changes:
    """What a transaction did to the tables in memory: shown when it is durable, taken back when it fails."""

    added: list[tuple[LoadedCorpus, Entry]] = field(default_factory=list)
    removed: list[tuple[LoadedCorpus, Entry]] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    def add(self, corpus: LoadedCorpus, entry: Entry) -> None:
        corpus.index.add(entry)
        self.added.append((corpus, entry))

    def remove(self, corpus: LoadedCorpus, entry: Entry) -> None:
        corpus.index.remove(entry)
        self.removed.append((corpus, entry))

    def mark(self) -> tuple[int, int, int]:
        return len(self.added), len(self.removed), len(self.after_commit)

    def undo(self, mark: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Take back what was done since *mark*."""
        added, removed, hooks = mark
        for corpus, entry in reversed(self.added[added:]):
            if entry.row in corpus.index:
                corpus.index.remove(entry)
        for corpus, entry in self.removed[removed:]:
            if entry.row not in corpus.index:
                corpus.index.add(entry, visible=True)
        del self.added[added:], self.removed[removed:], self.after_commit[hooks:]

    def publish(self) -> None:
        for corpus, entry in self.added:
            corpus.index.publish([entry.row])
        for hook in self.after_commit:
            hook()


class Work(Protocol):
    """One caller's change."""

    @property
    def documents(self) -> int:
        """How many documents it stores."""

    def __call__(self, changes: Changes) -> object:
        """Make the change inside the open transaction and return its answer."""


@dataclass
class _Order:
    work: Work
    future: Future[object]


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
    ) -> None:
        self._store = store
        self._observer = observer
        self._max_documents = max_documents
        self._wait_seconds = wait_seconds
        self._idle = idle
        self._orders: queue.Queue[_Order | None] = queue.Queue(MAX_QUEUED_WRITES)
        self._closed = False
        self._closing = threading.Lock()
        self.read_only_reason: str | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Future[object]:
        """Queue a change; its future has the answer once the change is durable.

        Raises:
            ReadOnly: A write failed before.
            Unavailable: The queue is full, or the engine is closing.
        """
        if self.read_only_reason is not None:
            raise self._read_only()
        order = _Order(work, Future())
        with self._closing:
            if self._closed:
                raise Unavailable("The engine is closed.", reason="SHUTTING_DOWN")
            try:
                self._orders.put_nowait(order)
            except queue.Full:
                raise Unavailable(
                    "Too many changes wait for the store.", reason="OVERLOADED", metadata={"retry_after_ms": "200"}
                ) from None
        return order.future

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            try:
                first = self._orders.get(timeout=1.0)
            except queue.Empty:
                self._rest()
                continue
            group, last = self._gather(first)
            if group:
                self._commit(group)
                self._rest()

    def _rest(self) -> None:
        """Do a bounded piece of what is due in the background."""
        work = self._idle() if self.read_only_reason is None else None
        if work is not None:
            self._commit([_Order(work, Future())])

    def _gather(self, first: _Order | None) -> tuple[list[_Order], bool]:
        """Return the orders that share the next commit, and whether the writer is to stop after them."""
        group: list[_Order] = []
        documents = 0
        order = first
        deadline = time.monotonic() + self._wait_seconds
        while order is not None:
            if order.future.set_running_or_notify_cancel():
                group.append(order)
                documents += order.work.documents
            if documents >= self._max_documents:
                return group, False
            try:
                left = deadline - time.monotonic()
                order = self._orders.get(timeout=left) if left > 0 else self._orders.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Order]) -> None:
        changes = Changes()
        answers: list[tuple[_Order, object]] = []
        start = time.perf_counter()
        try:
            if self.read_only_reason is not None:
                raise self._read_only()
            self._store.begin()
            for order in group:
                answer = self._apply(order.work, changes)
                answers.append((order, answer))
            decided = time.perf_counter()
            self._store.commit()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody may be told that it was stored
            self._fail(error, group, changes)
            return
        committed = time.perf_counter()
        changes.publish()
        documents = sum(order.work.documents for order in group)
        self._observer.stage("store", decided - start)
        self._observer.stage("commit", committed - decided)
        self._observer.stage("publish", time.perf_counter() - committed)
        self._observer.committed(documents, committed - decided)
        for order, answer in answers:
            if isinstance(answer, BaznashrError):
                order.future.set_exception(answer)
            else:
                order.future.set_result(answer)

    def _apply(self, work: Work, changes: Changes) -> object:
        """Return the answer of one change, or the error for which it was taken back."""
        mark = changes.mark()
        self._store.savepoint()
        try:
            answer = work(changes)
        except BaznashrError as error:
            self._store.rollback_to_savepoint()
            changes.undo(mark)
            return error
        self._store.release_savepoint()
        return answer

    def _fail(self, error: Exception, group: list[_Order], changes: Changes) -> None:
        """Take everything back. A failed write or fsync leaves the log in doubt: no further write is tried."""
        changes.undo()
        answer: BaznashrError
        if isinstance(error, ReadOnly):
            answer = error
        elif isinstance(error, apsw.Error):
            self.read_only_reason = f"{type(error).__name__}: {error}"
            answer = self._read_only()
        else:
            answer = InternalError(f"{type(error).__name__} while storing")
            answer.__cause__ = error
        try:
            self._store.rollback()
        except apsw.Error as failure:
            self.read_only_reason = self.read_only_reason or f"{type(failure).__name__}: {failure}"
        for order in group:
            order.future.set_exception(answer)

    def _read_only(self) -> ReadOnly:
        return ReadOnly(
            "The store takes no writes since one failed; checks go on.",
            metadata={"cause": (self.read_only_reason or "")[:200]},
        )
