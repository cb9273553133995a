"""What the doctor found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    NOTE = 1
    """Worth knowing; nothing needs to be done."""
    WARNING = 2
    """It works, and will not for ever, or not for everybody."""
    BROKEN = 3
    """It does not work, or would not after the next start."""


@dataclass(frozen=True)
class Finding:
    check: str
    """Which of the checks; stable, for programs."""
    level: Level
    what: str
    do: str = ""
    """What to do about it; empty where nothing needs to be done."""


Findings = Iterator[Finding]


def ok(check: str, what: str) -> Finding:
    return Finding(check, Level.OK, what)


def note(check: str, what: str, do: str = "") -> Finding:
    return Finding(check, Level.NOTE, what, do)


def warning(check: str, what: str, do: str) -> Finding:
    return Finding(check, Level.WARNING, what, do)


def broken(check: str, what: str, do: str) -> Finding:
    return Finding(check, Level.BROKEN, what, do)


def size(count: float) -> str:
    """Return *count* bytes as people say it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Return a duration as people say it."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
