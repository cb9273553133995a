"""The newest entries of an endless list."""

from __future__ import annotations

from collections import deque
from threading import Lock


class Recent[T]:
    """The newest entries, at most *limit*. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[T] = deque(maxlen=limit)
        self._lock = Lock()

    def add(self, entry: T) -> None:
        with self._lock:
            self._entries.append(entry)

    def newest(self) -> tuple[T, ...]:
        """Return the entries, the newest first."""
        with self._lock:
            return tuple(reversed(self._entries))
