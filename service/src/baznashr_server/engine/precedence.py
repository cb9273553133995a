"""Single calls before bulk, where both want the interpreter: one thread runs Python at a time.

A single call needs the interpreter again after every piece of compiled code and every read of the store. Beside bulk
it would wait for it each time, as long as Python lets one thread run on; so bulk stands aside, between two documents,
while a single call is being worked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, local

PATIENCE_SECONDS = 0.002
"""How long bulk waits before each document at most: it goes on however many single calls there are."""


class Precedence:
    """Thread-safe."""

    def __init__(self) -> None:
        self._singles = 0
        self._lock = Lock()
        self._none = Event()
        self._local = local()

    @contextmanager
    def single(self) -> Iterator[None]:
        """Work for a single call."""
        self._count(1)
        self._local.is_single = True
        try:
            yield
        finally:
            self._local.is_single = False
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._singles += change
            if self._singles:
                self._none.clear()
            else:
                self._none.set()

    def give_way(self) -> None:
        """Wait for single calls, but a thread that works for one."""
        if self._singles and not getattr(self._local, "is_single", False):
            self._none.wait(PATIENCE_SECONDS)
