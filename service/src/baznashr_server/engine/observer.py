"""What the engine reports while it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from baznashr.types import Judgement, Verdict

STAGES = ("fingerprint", "prepare", "lookup", "load", "verify", "store", "commit", "publish")
"""In the order of the work: canonical form to signature; single copy without site lines; tables; stored texts; rows."""
LIMITS = ("candidates", "matches")
"""Limits that leave something out of an answer without failing the call."""


class Observer(Protocol):
    """Called from the engine's threads; must be quick and must not raise."""

    def stage(self, name: str, seconds: float) -> None:
        """One of STAGES took *seconds*."""

    def judged(self, judgement: Judgement) -> None:
        """A text was judged."""

    def searched(self, candidates: int, verified: int) -> None:
        """A text was judged by *candidates* from the tables, of which *verified* were compared text by text."""

    def committed(self, documents: int, seconds: float) -> None:
        """A group of *documents* became durable; *seconds* is the time of the commit."""

    def limit_bit(self, limit: str) -> None:
        """One of LIMITS left something out."""

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        """The policy's verdict was *first*, the shadow policy's *second*; equal where only `repeated` differs."""


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

    def limit_bit(self, limit: str) -> None:
        pass

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        pass


@contextmanager
def timed(observer: Observer, name: str) -> Iterator[None]:
    """Report the time of the block as stage *name*."""
    start = time.perf_counter()
    try:
        yield
    finally:
        observer.stage(name, time.perf_counter() - start)
