"""What a guard decides by: the outcome of a document, and when the service counts as unavailable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from baznashr._batching import Outcome
from baznashr.errors import BaznashrError, DeadlineExceeded, QuotaExceeded, ReadOnly, Unavailable
from baznashr.pipeline._spool import Spool
from baznashr.status import RETRY_AFTER_MS
from baznashr.types import Document, Judgement

OnUnavailable: TypeAlias = Literal["raise", "accept", "spool"]
OnRefused: TypeAlias = Literal["raise", "skip"]

UNAVAILABLE = (Unavailable, DeadlineExceeded, ReadOnly, QuotaExceeded)
"""Errors that say nothing about the document: it could be judged at another time."""

DEFAULT_SPOOL_BYTES = 1 << 30
DEFAULT_MAX_PAUSE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.25


class State(str, Enum):
    """What became of a document."""

    JUDGED = "JUDGED"
    """The service answered."""
    ACCEPTED = "ACCEPTED"
    """The service was unavailable, and the document is let through without a judgement."""
    SPOOLED = "SPOOLED"
    """The service was unavailable, or older documents wait for it: kept on disk, to be judged later."""
    REFUSED = "REFUSED"
    """The service will never take it as it is; ``error`` says why."""

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Admission:
    """What a pipeline should do with a document, and why."""

    document: Document
    state: State
    judgement: Judgement | None = None
    """Of a document that was judged."""
    error: BaznashrError | None = None
    """Why it was not judged; None where it only waits behind older documents."""
    late: bool = False
    """Whether it waited on disk: it is the second admission of a document that was spooled."""

    @property
    def store(self) -> bool:
        """Whether to store the document now: it was judged and repeats nothing, or was accepted."""
        if self.judgement is None:
            return self.state is State.ACCEPTED
        return not self.judgement.repeated


def admission(document: Document, outcome: Outcome, *, late: bool = False) -> Admission:
    """Return what the service's answer means."""
    if isinstance(outcome, BaznashrError):
        return Admission(document, State.REFUSED, error=outcome, late=late)
    return Admission(document, State.JUDGED, outcome, late=late)


def check_on_refused(on_refused: str) -> None:
    """Refuse a mode that there is not, which would leave documents out that the caller wants to know of."""
    if on_refused not in get_args(OnRefused):
        raise ValueError(f"on_refused is one of {', '.join(get_args(OnRefused))}, not {on_refused!r}.")


class Gate:
    """Keeps what a guard knows between documents, and does no call itself."""

    def __init__(
        self, on_unavailable: OnUnavailable, spool: str | Path | None, spool_bytes: int, max_pause: float
    ) -> None:
        if on_unavailable not in get_args(OnUnavailable):
            raise ValueError(f"on_unavailable is one of {', '.join(get_args(OnUnavailable))}, not {on_unavailable!r}.")
        # An empty path, as of a variable that is not set, would be the folder that the process runs in.
        if (on_unavailable == "spool") != (spool is not None) or spool == "":
            raise ValueError('A spool folder is given with on_unavailable="spool", and only with it.')
        self.raises = on_unavailable == "raise"
        self.spool = None if spool is None else Spool(spool, spool_bytes)
        self.accepted = 0
        self._max_pause = max_pause
        self._pause = 0.0
        self._rest_until = 0.0
        self._error: BaznashrError | None = None
        self._counting = threading.Lock()
        self._replaying = threading.Lock()

    @contextmanager
    def replaying(self) -> Iterator[Spool | None]:
        """Give the spool to one replay at a time; None where there is no spool or another replay has it."""
        if self.spool is None or not self._replaying.acquire(blocking=False):
            yield None
            return
        try:
            yield self.spool
        finally:
            self._replaying.release()

    def resting(self) -> bool:
        """Return whether the service failed so recently that it is not asked yet."""
        return time.monotonic() < self._rest_until

    def closed(self) -> bool:
        """Return whether documents are to be accepted or spooled without asking the service.

        Raises:
            RuntimeError: The spool belongs to the process of which this one is a fork; not only once it is needed.
        """
        if self.spool is not None:
            self.spool.check_process()
        return self.resting() or bool(self.spool)

    def failed(self, error: BaznashrError) -> None:
        """Note an unavailable service: it is left alone for longer after each failure, and as long as it asks."""
        self._error = error
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS, _asked_pause(error)), self._max_pause)
        self._rest_until = time.monotonic() + self._pause

    def worked(self) -> None:
        """Note an answer."""
        self._error, self._pause, self._rest_until = None, 0.0, 0.0

    def divert(self, documents: list[Document]) -> list[Admission]:
        """Accept or spool what cannot be judged now; spooled documents are on disk when it returns.

        Raises:
            SpoolFull: None of the documents is kept.
            OSError: The same.
        """
        if self.spool is None:
            with self._counting:
                self.accepted += len(documents)
            state = State.ACCEPTED
        else:
            self.spool.append(documents)
            state = State.SPOOLED
        return [Admission(document, state, error=self._error) for document in documents]

    def close(self) -> None:
        if self.spool is not None:
            self.spool.close()


def _asked_pause(error: BaznashrError) -> float:
    """Return the seconds for which the service asked to be left alone, 0 where it did not."""
    asked = error.metadata.get(RETRY_AFTER_MS, "")
    return int(asked) / 1000 if asked.isdecimal() else 0.0
