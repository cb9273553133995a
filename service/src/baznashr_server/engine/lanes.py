"""The writer's queue: single calls go before bulk, and bulk still moves."""

from __future__ import annotations

from collections import deque
from threading import Condition


class LanesFull(Exception):
    """No more may wait."""


class _Lane[T]:
    def __init__(self) -> None:
        self._orders: deque[tuple[T, int]] = deque()
        self.documents = 0

    def __len__(self) -> int:
        return len(self._orders)

    def put(self, order: T, documents: int) -> None:
        self._orders.append((order, documents))
        self.documents += documents

    def take(self) -> T | None:
        if not self._orders:
            return None
        order, documents = self._orders.popleft()
        self.documents -= documents
        return order


class Lanes[T]:
    """Two queues in one, each first come, first served. Thread-safe; one thread takes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._single: _Lane[T] = _Lane()
        self._bulk: _Lane[T] = _Lane()
        self._is_closed = False
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._single) + len(self._bulk)

    def put(self, order: T, documents: int, *, bulk: bool) -> None:
        """Add an order of so many documents to its lane; LanesFull where as many as may wait already do."""
        with self._changed:
            if len(self) >= self._most:
                raise LanesFull
            (self._bulk if bulk else self._single).put(order, documents)
            self._changed.notify()

    def close(self) -> None:
        """Let `wait` return at once from now on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Wait until an order is there, or the time is up; return False once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: len(self) or self._is_closed, seconds)
            return bool(len(self)) or not self._is_closed

    def wait_for_company(self, seconds: float, *, single: int, bulk: int) -> None:
        """Wait until one lane holds as many documents as said of it, or the time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._single.documents >= single or self._bulk.documents >= bulk or self._is_closed, seconds
            )

    def single(self) -> T | None:
        """Take the next single order; None where there is none."""
        with self._changed:
            return self._single.take()

    def bulk(self) -> T | None:
        """Take the next order of bulk; None where there is none."""
        with self._changed:
            return self._bulk.take()
