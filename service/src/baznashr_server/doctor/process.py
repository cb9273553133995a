"""The process that serves, as the kernel shows it, and what it needs of the machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from baznashr_server.doctor.findings import Findings, broken, note, ok, size, warning

LEAST_FILES = 1024
"""Descriptors: one a connection, and some for each thread that reads."""
NEARLY = 0.9


def examine(pid: int) -> Findings:
    """Yield what is to be said of a running server of this machine."""
    yield from _files(pid)
    yield from _memory(pid)


def examine_limits() -> Findings:
    """Yield what a server started from here would run into."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < LEAST_FILES:
        yield warning(
            "descriptors",
            f"a process started here may open {soft:,} files and connections",
            f"ulimit -n {LEAST_FILES * 16}, or LimitNOFILE= in its unit",
        )
    else:
        yield ok("descriptors", f"a process started here may open {soft:,} files and connections")


def _files(pid: int) -> Findings:
    process = Path(f"/proc/{pid}")
    try:
        open_now = len(list((process / "fd").iterdir()))
        limits = (process / "limits").read_text(encoding="ascii")
    except OSError as error:
        yield note("descriptors", f"process {pid} cannot be looked at: {error.strerror}", "run this as its user")
        return
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    soft = line.split()[3]
    most = float("inf") if soft == "unlimited" else int(soft)
    said = f"{open_now:,} of {soft} files and connections are open"
    do = "raise LimitNOFILE= of its unit (or ulimit -n), or lower max_streams"
    if open_now > NEARLY * most:
        yield broken("descriptors", f"{said}: new connections will fail", do)
    elif most < LEAST_FILES:
        yield warning("descriptors", said, do)
    else:
        yield ok("descriptors", said)


def _memory(pid: int) -> Findings:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it has just ended
        return
    used = next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    most = memory_limit(pid)
    said = f"{size(used)} of {size(most)} are in use"
    if used > NEARLY * most:
        do = "give it more memory, shorten window_days, or keep fewer corpora in use at a time"
        yield warning("memory", f"{said}: the kernel ends a process that reaches its limit", do)
    else:
        yield ok("memory", said)


def memory_limit(pid: int) -> int:
    """Return the bytes that a process may have: its control group's limit, else the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
        group = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
        limits = [
            (Path("/sys/fs/cgroup") / folder / "memory.max").read_text(encoding="ascii").strip()
            for folder in (group, *map(str, Path(group).parents))
            if (Path("/sys/fs/cgroup") / folder / "memory.max").exists()
        ]
    except (OSError, StopIteration):
        return machine
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])
