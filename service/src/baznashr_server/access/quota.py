"""Quotas: a token bucket for each caller that has one."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Fills at *rate* a second up to *burst*. Belongs to one thread."""

    def __init__(self, rate: float, burst: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = max(1.0, rate) if burst is None else burst
        self._clock = clock
        self._level = self.burst
        self._at = clock()

    def take(self, amount: float) -> float:
        """Take *amount* and return 0, or take nothing and return the seconds until it may be taken.

        What is larger than the whole bucket may be taken from a full one, which is in debt thereafter: no call is too
        large for ever, and the mean rate holds.
        """
        now = self._clock()
        self._level = min(self.burst, self._level + (now - self._at) * self.rate)
        self._at = now
        needed = min(amount, self.burst)
        if self._level < needed:
            return (needed - self._level) / self.rate
        self._level -= amount
        return 0.0
