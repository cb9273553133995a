"""What a call spends its time on: gathered in the call's own context, told in the slow-call log and in spans.

The engine reports its stages in the context of the call it works for, whichever thread it works in, so nothing needs
to be handed through.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from baznashr_server.engine.observer import STAGES, Written

WAITS = ("turn", "thread", "queue")
"""In the order of a call's way: for its turn, for a thread, for the writer."""
OTHER = "other"
"""The time of a call that belongs to no stage: messages, the event loop, streams' turns."""
CALL_STAGES = (*WAITS, *STAGES, OTHER)
OK = "OK"

current: ContextVar[Stages | None] = ContextVar("call", default=None)
"""What is worked for."""


class Stages(Protocol):
    """Takes note of what time was spent on."""

    def add(self, name: str, seconds: float, end: float) -> None:
        """Add a run of a stage that took *seconds* until *end*, by `time.perf_counter`."""


@dataclass(slots=True)
class Stage:
    """All runs of one stage for one call."""

    first: float
    """When the first began, by `time.perf_counter`."""
    last: float = 0.0
    """When the last ended."""
    seconds: float = 0.0
    """Of all runs together."""
    runs: int = 0


@dataclass(slots=True, eq=False)
class Call:
    """A call, or one item of a stream."""

    service: str
    method: str
    trace_id: str = ""
    """32 hexadecimal digits; its stream's where it has none of its own."""
    started: float = field(default_factory=time.perf_counter)
    started_ns: int = field(default_factory=time.time_ns)
    """Since 1970."""
    stages: dict[str, Stage] = field(default_factory=dict)
    code: str = OK
    """By gRPC's name."""
    reason: str = ""
    """Of the error that it ended with."""

    def add(self, name: str, seconds: float, end: float) -> None:
        """Add a run of a stage that took *seconds* until *end*, by `time.perf_counter`."""
        stage = self.stages.get(name)
        if stage is None:
            stage = self.stages[name] = Stage(end - seconds)
        stage.last = end
        stage.seconds += seconds
        stage.runs += 1

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return round(time.perf_counter() - self.started, 6)

    def at_ns(self, moment: float) -> int:
        """Return a moment of `time.perf_counter` as nanoseconds since 1970."""
        return self.started_ns + round((moment - self.started) * 1e9)

    def shares(self, seconds: float) -> dict[str, float]:
        """Return what each stage took of the *seconds* of the call, the longest first."""
        taken = {name: stage.seconds for name, stage in self.stages.items()}
        taken[OTHER] = max(0.0, seconds - sum(taken.values()))
        return dict(sorted(taken.items(), key=lambda item: -item[1]))


@dataclass(frozen=True, slots=True)
class Together:
    """Several calls that are worked for at once: each waits for all of it."""

    calls: Sequence[Stages]

    def add(self, name: str, seconds: float, end: float) -> None:
        for call in self.calls:
            call.add(name, seconds, end)


def add(name: str, seconds: float) -> None:
    """Add a stage to the call of this context, if there is one."""
    call = current.get()
    if call is not None:
        call.add(name, seconds, time.perf_counter())


def add_written(times: Written) -> None:
    """Add the stages of a change of the store, which end now, one after the other."""
    call = current.get()
    if call is None:
        return
    end = time.perf_counter()
    took = (("publish", times.publish), ("commit", times.commit), ("store", times.store), ("queue", times.waited))
    for name, seconds in took:
        call.add(name, seconds, end)
        end -= seconds
