"""Calls and the items of streams as an operator follows them: log, slow-call log, traces."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Protocol

import structlog
from structlog.contextvars import bind_contextvars

from baznashr_server.obs import calls
from baznashr_server.obs.calls import OK, Call
from baznashr_server.obs.metrics import CallMetrics
from baznashr_server.settings import SettingsError

log = structlog.get_logger()

INTERNAL = "INTERNAL"
"""Code and reason that callers read of every failure of the server's own; which it was, the log says alone."""


class Trace(Protocol):
    """The span of one call that was chosen to be traced."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""

    def end(self, call: Call, subject: Mapping[str, str]) -> None:
        """Send the span of *call*, and one for each of its stages."""


class Tracing(Protocol):
    """Chooses calls to be traced."""

    def begin(self, name: str, headers: Mapping[str, str]) -> Trace | None:
        """Return the span of a call with its caller's trace context, if it has one; None where it is not traced."""

    def close(self) -> None:
        """Send what is waiting."""


def require_otel() -> None:
    """Import what sends traces, which is an extra.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        import_module("baznashr_server.obs.tracing")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"traces: needs {error.name}, which is not installed: pip install 'baznashr-server[otel]'"
        ) from None


class NoTracing:
    def begin(self, name: str, headers: Mapping[str, str]) -> None:
        pass

    def close(self) -> None:
        pass


class Watch:
    """Stands around calls and around the items of streams.

    What is bound for the log stays bound: a call, and an item of a stream, has a task and so a context of its own.
    """

    def __init__(self, slow_seconds: float, metrics: CallMetrics, tracing: Tracing) -> None:
        self._slow_seconds = slow_seconds
        self._metrics = metrics
        self._tracing = tracing

    @contextmanager
    def call(self, call: Call, headers: Mapping[str, str], subject: Mapping[str, str]) -> Iterator[None]:
        """Watch a call from a caller with a trace context, or none, in *headers*; *subject* names what it is about."""
        with self._traced(call, headers, subject):
            try:
                yield
            finally:
                self._tell_if_slow(call)

    @contextmanager
    def stream(self, call: Call, headers: Mapping[str, str]) -> Iterator[None]:
        """Watch a stream, which is not slow, however long its caller keeps it open; its items may be."""
        _stream.set((self, call, headers))
        with self._traced(call, headers, {}):
            yield

    @contextmanager
    def _traced(self, call: Call, headers: Mapping[str, str], subject: Mapping[str, str]) -> Iterator[None]:
        trace = self._tracing.begin(f"{call.service}/{call.method}", headers)
        trace_id = trace.trace_id if trace else headers.get("traceparent", "")[3:35] or call.trace_id
        call.trace_id = trace_id or f"{random.getrandbits(128):032x}"
        bind_contextvars(trace_id=call.trace_id, method=call.method, **subject)
        calls.current.set(call)
        try:
            yield
        finally:
            if call.code != OK:
                self._metrics.refuse(INTERNAL if call.code == INTERNAL else call.reason)
            if trace:
                trace.end(call, subject)

    def _tell_if_slow(self, call: Call) -> None:
        if not self._slow_seconds or (seconds := call.seconds) < self._slow_seconds:
            return
        shares = call.shares(seconds)
        stage = next(iter(shares))
        self._metrics.slow.labels(stage).inc()
        stages = {name: round(taken, 6) for name, taken in shares.items()}
        log.warning("slow call", code=call.code, seconds=seconds, stage=stage, stages=stages)


_stream: ContextVar[tuple[Watch, Call, Mapping[str, str]] | None] = ContextVar("stream", default=None)


@contextmanager
def item(sequence: int, subject: Mapping[str, str]) -> Iterator[Call]:
    """Watch an item of this context's stream as a call of its own; traced with the stream, or chosen by itself."""
    found = _stream.get()
    if found is None:
        yield Call("", "")
        return
    watch, stream, headers = found
    call = Call(stream.service, stream.method, trace_id=stream.trace_id)
    bind_contextvars(sequence=sequence)
    with watch.call(call, headers, subject):
        yield call
