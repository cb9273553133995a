"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

TERMINAL_SECONDS, LOG_SECONDS = 0.2, 10.0
"""Between two reports: a line rewritten for people, a new one for a log."""


class Progress:
    """Says how far a task has come, and nothing where it is done before the first report is due."""

    def __init__(self, task: str, total: int) -> None:
        self._task = task
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._due = time.monotonic() + self._pause

    @property
    def _pause(self) -> float:
        return TERMINAL_SECONDS if self._terminal else LOG_SECONDS

    def step(self) -> None:
        self._done += 1
        if time.monotonic() < self._due and not (self._terminal and self._done == self._total):
            return
        self._due = time.monotonic() + self._pause
        end = "\n" if not self._terminal or self._done == self._total else ""
        start = "\r" if self._terminal else ""
        sys.stderr.write(f"{start}{self._task}: {self._done} of {self._total}{end}")
        sys.stderr.flush()

    def of[T](self, items: Iterable[T]) -> Iterator[T]:
        """Yield *items*, a step for each."""
        for item in items:
            yield item
            self.step()
