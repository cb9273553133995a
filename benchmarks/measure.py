"""Interleaved timing: A B C, C B A, A B C, ... so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

ROUNDS = 5


def median_ratio(ones: Iterable[float], others: Iterable[float]) -> float:
    """Return the median over the rounds of one figure divided by the other of the same round."""
    return median(one / other for one, other in zip(ones, others, strict=True))


@dataclass(slots=True)
class Timing:
    """Microseconds an item, one figure a round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of all threads of this process: work handed to other threads is not free."""

    @property
    def per_second(self) -> float:
        """Items a second of CPU time, by the median round."""
        return 1e6 / median(self.cpu)

    def times_as_fast_as(self, other: Timing) -> float:
        """The median over the rounds of the other's CPU time divided by this one's."""
        return median_ratio(other.cpu, self.cpu)


def run_once(work: Callable[[], object], items: int, seconds: float, timing: Timing) -> None:
    """Repeat *work*, which handles *items* items, until *seconds* have passed, and add a round to *timing*."""
    gc.collect()
    passes = 0
    cpu, wall = time.process_time(), time.perf_counter()
    end = wall + seconds
    now = wall
    while passes == 0 or now < end:
        work()
        passes += 1
        now = time.perf_counter()
    timing.cpu.append((time.process_time() - cpu) * 1e6 / (passes * items))
    timing.wall.append((now - wall) * 1e6 / (passes * items))


def in_turn[T](contenders: Iterable[T], number: int) -> list[T]:
    """Return the contenders in the order of round *number*."""
    return list(contenders)[:: -1 if number % 2 else 1]


def interleave(
    contenders: Mapping[str, Callable[[], object]], items: int, seconds: float, rounds: int = ROUNDS
) -> dict[str, Timing]:
    """Time each contender for about *seconds* in all, in *rounds* rounds; each handles *items* items a call."""
    timings = {name: Timing() for name in contenders}
    for work in contenders.values():
        work()
    gc.collect()
    gc.freeze()  # What libraries and articles take must not be searched for garbage inside the rounds.
    for number in range(rounds):
        for name in in_turn(contenders, number):
            run_once(contenders[name], items, seconds / rounds, timings[name])
    gc.unfreeze()
    return timings
