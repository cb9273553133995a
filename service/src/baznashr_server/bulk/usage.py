"""How much memory processes have and had."""

from __future__ import annotations

import os
import resource
from pathlib import Path


def peak() -> int:
    """Return the most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def resident() -> int:
    """Return the bytes of memory that this process and those it has started have."""
    own = Path("/proc/self")
    try:
        started = (own / "task" / str(os.getpid()) / "children").read_text("ascii").split()
    except OSError:
        started = []
    return sum(_resident(path) for path in (own, *(own.with_name(number) for number in started)))


def _resident(process: Path) -> int:
    try:
        return int((process / "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
