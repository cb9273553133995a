"""A policy on trial: what it would have said of the comparisons that a judgement was made from."""

from __future__ import annotations

from collections import deque
from threading import Lock

from baznashr.types import Policy, ShadowDifference, Verdict
from baznashr_server.engine.judging import Outcome, rule, strongest
from baznashr_server.engine.prepared import Prepared
from baznashr_server.judge.rules import is_repeated
from baznashr_server.limits import MAX_SHADOW_DIFFERENCES
from baznashr_server.store.codec import from_micros


class Differences:
    """The newest differences of a corpus. Thread-safe."""

    def __init__(self) -> None:
        self._newest: deque[ShadowDifference] = deque(maxlen=MAX_SHADOW_DIFFERENCES)
        self._lock = Lock()
