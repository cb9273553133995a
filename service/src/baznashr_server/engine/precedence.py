"""Who uses the interpreter: single calls before bulk, and bulk one thread at a time.

One thread runs Python at a time, and each hands it on at every piece of compiled code and every read of the store. A
single call beside bulk would wait for it each time, as long as Python lets one thread run on; so bulk stands aside,
between two documents, while a single call is being worked for. Two threads of bulk would wait for each other as often,
and spend a third more processor time on it than one after the other does; so they take turns at what is Python for the
most part. Compiled code for many texts, and the disk, need no turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Lock, local

PATIENCE_SECONDS = 0.002
"""How long bulk waits before each document at most: it goes on however many single calls there are."""


class Precedence:
    """Thread-safe."""

    def __init__(self) -> None:
        self._singles = 0
        self._lock = Lock()
        self._none = Event()
        self._turns = Lock()
        self._local = local()

    @contextmanager
    def single(self) -> Iterator[None]:
        """Work for a single call."""
        before, self._local.is_single = self._is_single, True
        self._count(1)
        try:
            yield
        finally:
            self._local.is_single = before
            self._count(-1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other thread of bulk has its turn; a thread that works for a single call does not wait."""
        with nullcontext() if self._is_single else self._turns:
            yield

    def call(self, *, bulk: bool) -> AbstractContextManager[None]:
        """Work for a call: a single one, or one of *bulk*, which stands aside for those."""
        return nullcontext() if bulk else self.single()

    @property
    def _is_single(self) -> bool:
        return getattr(self._local, "is_single", False)

    def _count(self, change: int) -> None:
        with self._lock:
            self._singles += change
            if self._singles:
                self._none.clear()
            else:
                self._none.set()

    def give_way(self) -> None:
        """Wait for single calls, but a thread that works for one."""
        if self._singles and not self._is_single:
            self._none.wait(PATIENCE_SECONDS)
