"""The process's memory, and when it is too much to take more documents on."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import structlog

from baznashr.errors import Unavailable

log = structlog.get_logger()

LOOK_SECONDS = 0.1
"""Between two looks at what the process holds: each takes some 10 microseconds."""
LINE_SECONDS = 60.0
RETRY_MS = 5000
"""What is deleted or expires frees memory within seconds."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


def held_bytes() -> int:
    """Return the memory that this process holds (RSS)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


class Ceiling:
    """Refuses documents while the process holds more memory than it may; 0 for no ceiling."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._next = self._next_line = 0.0

    def check(self) -> None:
        """Raise Unavailable, OVERLOADED, while it is reached."""
        if not self._most:
            return
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK_SECONDS
            with suppress(OSError):  # where no descriptor is left, what was seen last counts
                self._held = held_bytes()
            if self._held > self._most and now >= self._next_line:
                self._next_line = now + LINE_SECONDS
                log.warning("no documents are taken: memory", held_bytes=self._held, max_bytes=self._most)
        if self._held > self._most:
            raise Unavailable(
                "The server holds as much memory as it may (max_memory_mib); checks and deletions go on.",
                reason="OVERLOADED",
                metadata={"retry_after_ms": str(RETRY_MS), "cause": "memory"},
            )
