"""How much memory processes have and had."""

from __future__ import annotations

import os
import resource
from pathlib import Path


def peak() -> int:
    """Return the most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def own() -> int:
    """Return the bytes of memory that this process has and shares with no other."""
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def resident() -> int:
    """Return the bytes of memory that this process and those it has started have."""
    return _resident(Path("/proc/self")) + resident_of_others()


def resident_of_others() -> int:
    """Return the bytes of memory that the processes have that this one has started."""
    try:
        started = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    except OSError:
        return 0
    return sum(_resident(Path("/proc", number)) for number in started)


def _resident(process: Path) -> int:
    try:
        return int((process / "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
