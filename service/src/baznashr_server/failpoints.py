"""Named points of the write path at which a test kills, stops or fails the process.

`BAZNASHR_FAILPOINT=point:action` arms one point: `exit` ends the process as `kill -9` does, `stop` stops it as SIGSTOP
does, `error` raises what a failing disk raises. `point:action@3` acts the third time the point is reached; without a
number it acts the first time. Unarmed, a point costs one comparison.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

POINTS = (
    "after_schema",  # the tables of a new store are there, its default corpus is not
    "before_begin",
    "after_insert",  # a document's row and its cluster are written
    "after_delete",  # a document's row is gone, its cluster is not settled
    "before_commit",
    "after_commit",  # durable, not yet visible
    "after_publish",  # visible, not yet answered
    "after_answer",
    "before_close",
)


def _fail() -> None:
    raise OSError(errno.EIO, "failpoint")


ACTIONS: dict[str, Callable[[], object]] = {
    "exit": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "error": _fail,
}


@dataclass
class Armed:
    point: str
    action: Callable[[], object]
    left: int

    @classmethod
    def parse(cls, text: str) -> Armed | None:
        """Read `point:action` or `point:action@n`; None for an empty text."""
        if not text:
            return None
        point, _, action = text.partition(":")
        action, _, number = action.partition("@")
        if point not in POINTS or action not in ACTIONS:
            raise ValueError(f"BAZNASHR_FAILPOINT={text!r} names no point and action of {POINTS}, {tuple(ACTIONS)}")
        return cls(point, ACTIONS[action], int(number or 1))


armed = Armed.parse(os.environ.get("BAZNASHR_FAILPOINT", ""))


def reach(point: str) -> None:
    """Say that the process is at *point*."""
    if armed is not None and armed.point == point:
        armed.left -= 1
        if armed.left == 0:
            armed.action()
