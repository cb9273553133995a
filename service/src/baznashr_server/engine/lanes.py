"""The writer's queue: single calls go before bulk, and bulk still moves."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition


class LanesFull(Exception):
    """No more may wait."""


class Lanes[T]:
    """Two queues in one, each first come, first served. Thread-safe; one thread takes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._single: deque[T] = deque()
        self._bulk: deque[T] = deque()
        self._is_closed = False
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._single) + len(self._bulk)

    def put(self, order: T, *, bulk: bool) -> None:
        """Add an order to its lane; LanesFull where as many as may wait already do."""
        with self._changed:
            if len(self) >= self._most:
                raise LanesFull
            (self._bulk if bulk else self._single).append(order)
            self._changed.notify()

    def close(self) -> None:
        """Let `wait` return at once from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def wait(self, seconds: float, least: int = 1) -> bool:
        """Wait until *least* orders are there, or the time is up; return False once closed and empty."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(self) < least and not self._is_closed and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            return bool(len(self)) or not self._is_closed

    def single(self) -> T | None:
        """Take the next single order; None where there is none."""
        with self._changed:
            return self._single.popleft() if self._single else None

    def bulk(self) -> T | None:
        """Take the next order of bulk; None where there is none."""
        with self._changed:
            return self._bulk.popleft() if self._bulk else None
