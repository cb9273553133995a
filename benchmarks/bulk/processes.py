"""What a command costs, its children counted: wall time, CPU time, peak memory.

The tree of processes is looked at several times a second. Memory is the proportional resident size (PSS): pages that
processes share are counted once. What a child does in the last moments before it ends is missed.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EVERY, SELDOM = 0.2, 1.0
"""Seconds between looks, at first and in runs of minutes: to look costs what is looked at some time, too."""
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A command ended with an error."""


@dataclass(frozen=True, slots=True)
class Cost:
    wall: float
    """Seconds from the start of the process to its end."""
    cpu: float
    """Seconds of all processes."""
    peak_mib: float


def plain_environment() -> dict[str, str]:
    """Return the environment without what would make Python compile all sources anew at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _children(process: int) -> list[int]:
    found: list[int] = []
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, thread.read_text(encoding="ascii").split())
    return found


def tree(root: int) -> list[int]:
    """Return the process *root* and all below it."""
    found = [root]
    for process in found:
        found += _children(process)
    return found


def pss_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def cpu_seconds(process: int) -> float:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def run(command: Sequence[str | Path], *, log: Path, cwd: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, its output into *log*.

    Raises:
        Failed: It ended with another status than 0.
    """
    seconds: dict[int, float] = {}
    peak = 0
    with log.open("wb") as out:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env={**plain_environment(), **(environment or {})}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            while True:
                found = tree(process.pid)
                peak = max(peak, sum(map(pss_kib, found)))
                for one in found:
                    seconds[one] = max(seconds.get(one, 0.0), cpu_seconds(one))
                try:
                    status = process.wait(min(SELDOM, max(EVERY, (time.perf_counter() - start) / 50)))
                    break
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            for one in tree(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            process.wait()
            raise
        wall = time.perf_counter() - start
    if status:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise Failed(f"status {status}: {' '.join(last)} (all of it is in {log})")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The kernel counts what was waited for, to the end; the looks count what nobody waits for, too.
    waited = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, max(waited, sum(seconds.values())), peak / 1024)
