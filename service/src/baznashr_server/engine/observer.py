"""What the engine reports while it works."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

from baznashr.types import Judgement, Verdict

STAGES = ("fingerprint", "prepare", "lookup", "load", "verify", "store", "commit", "publish")
"""In the order of the work: canonical form to signature; single copy without site lines; tables; stored texts; rows."""
LIMITS = ("candidates", "matches")
"""Limits that leave something out of an answer without failing the call."""


class Written(NamedTuple):
    """What one change of the store took, in seconds; all but *waited* are those of the group it was part of."""

    waited: float
    store: float
    commit: float
    publish: float


class Observer(Protocol):
    """Called from the engine's threads, in the context (`contextvars`) of the caller that is worked for, if any.

    Must be quick and must not raise.
    """

    def stage(self, name: str, seconds: float) -> None:
        """One of STAGES took *seconds*."""

    def judged(self, judgement: Judgement) -> None:
        """A text was judged."""

    def searched(self, candidates: int, verified: int) -> None:
        """A text was judged by *candidates* from the tables, of which *verified* were compared text by text."""

    def committed(self, documents: int, seconds: float) -> None:
        """A group of *documents* became durable; *seconds* is the time of the commit."""

    def written(self, times: Written) -> None:
        """A change that a caller asked for became durable."""

    def limit_bit(self, limit: str) -> None:
        """One of LIMITS left something out."""

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        """The policy's verdict was *first*, the shadow policy's *second*; equal where only `repeated` differs."""

    def expired(self, documents: int) -> None:
        """*documents* that had left their window were deleted, which is durable."""

    def snapshot(self, seconds: float, *, written: bool) -> None:
        """A snapshot of a corpus's tables took *seconds*, and was *written* or failed."""

    def backup(self, seconds: float, *, taken: bool) -> None:
        """A backup took *seconds*, and was *taken* or failed."""


class Silence:
    """The observer that reports nothing."""

    def stage(self, name: str, seconds: float) -> None:
        pass

    def judged(self, judgement: Judgement) -> None:
        pass

    def searched(self, candidates: int, verified: int) -> None:
        pass

    def committed(self, documents: int, seconds: float) -> None:
        pass

    def written(self, times: Written) -> None:
        pass

    def limit_bit(self, limit: str) -> None:
        pass

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        pass

    def expired(self, documents: int) -> None:
        pass

    def snapshot(self, seconds: float, *, written: bool) -> None:
        pass

    def backup(self, seconds: float, *, taken: bool) -> None:
        pass


class timed:  # noqa: N801 - used as a function would be; one made of a generator costs five times as much
    """Report the time of a block as stage *name*."""

    __slots__ = ("_name", "_observer", "_start")

    def __init__(self, observer: Observer, name: str) -> None:
        self._observer = observer
        self._name = name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._observer.stage(self._name, time.perf_counter() - self._start)
