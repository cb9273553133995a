"""What is measured and logged about each call."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from operator import attrgetter
from time import perf_counter
from typing import Any, cast

import grpc
import structlog
from prometheus_client import Counter

from baznashr.errors import Unauthenticated
from baznashr.types import DEFAULT_CORPUS
from baznashr_server import limits
from baznashr_server.access.quota import Bucket
from baznashr_server.obs.calls import Call
from baznashr_server.obs.metrics import RpcMetrics, code_label
from baznashr_server.obs.watch import Watch
from baznashr_server.rpc.errors import code_of
from baznashr_server.rpc.interception import Behaviour, Context, Interceptor
from baznashr_server.rpc.methods import METHODS, Method

log = structlog.get_logger()

_DOCUMENT_ID = {
    "CheckText": attrgetter("item.document.id"),
    "IngestDocument": attrgetter("document.id"),
    "GetDocument": attrgetter("document_id"),
    "DeleteDocument": attrgetter("document_id"),
    "ListCluster": attrgetter("document_id"),
    "CreateOverride": attrgetter("override.document_id"),
    "StreamCheckTexts": attrgetter("item.document.id"),
    "StreamIngestDocuments": attrgetter("document.id"),
}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class RpcMetricsInterceptor(Interceptor):
    """Counts calls, messages and codes, and times calls."""

    def __init__(self, metrics: RpcMetrics) -> None:
        super().__init__()
        self._metrics = metrics
        metrics.declare(METHODS.values())

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        started, received, sent = (
            family.labels(*method) for family in (self._metrics.started, self._metrics.received, self._metrics.sent)
        )
        seconds = self._metrics.seconds.labels(*method)
        handled = {code: self._metrics.handled.labels(*method, code_label(code)) for code in grpc.StatusCode}
        is_stream = method.type != "unary"

        async def measured(request: Any, context: Context) -> Any:
            started.inc()
            begun = perf_counter()
            code = grpc.StatusCode.OK
            try:
                if is_stream:
                    return await behaviour(
                        _counted(request, received), cast("Context", _CountingContext(context, sent))
                    )
                received.inc()
                response = await behaviour(request, context)
                sent.inc()
                return response
            except BaseException as error:
                code = code_of(error, context)
                raise
            finally:
                handled[code].inc()
                seconds.observe(perf_counter() - begun)

        return measured


async def _counted(requests: AsyncIterator[Any], received: Counter) -> AsyncIterator[Any]:
    async for request in requests:
        received.inc()
        yield request


class _CountingContext:
    """A context that counts what is written to it."""

    def __init__(self, context: Context, sent: Counter) -> None:
        self._context = context
        self._sent = sent

    async def write(self, message: Any) -> None:
        await self._context.write(message)
        self._sent.inc()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class CallLog(Interceptor):
    """Gives each call a trace id, the caller's where it sends a ``traceparent``, watches it and logs how it ended."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch
        self._strangers = Bucket(limits.MAX_STRANGER_LINES)

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        tells_all = log.bind().is_enabled_for(logging.DEBUG)  # asked once: a call that is not told should cost nothing

        async def logged(request: Any, context: Context) -> Any:
            call, headers = Call(method.service, method.name), _trace_context(context)
            unary = method.type == "unary"
            with self._watch.call(call, headers, subject_of(request)) if unary else self._watch.stream(call, headers):
                try:
                    response = await behaviour(request, context)
                except BaseException as error:
                    call.code, call.reason = code_of(error, context).name, getattr(error, "reason", "")
                    if not (isinstance(error, Unauthenticated) and self._strangers.take(1)):
                        log.info("call failed", code=call.code, reason=call.reason, seconds=call.seconds)
                    raise
                if tells_all:
                    log.debug("call", seconds=call.seconds)
                return response

        return logged


def subject_of(request: Any) -> dict[str, str]:
    """Name the corpus and the document of a request; what can be neither's name is left out, since it may be a text."""
    try:
        corpus = request.corpus or DEFAULT_CORPUS
    except AttributeError:  # it names no corpus, or could not be decoded
        return {}
    named = {"corpus": corpus if corpus.isascii() and len(corpus) <= limits.MAX_CORPUS_NAME_CHARS else ""}
    id_of = _DOCUMENT_ID.get(request.DESCRIPTOR.name.removesuffix("Request"))
    if id_of is not None:
        document_id = id_of(request)
        named["document_id"] = document_id if len(document_id.encode()) <= limits.MAX_ID_BYTES else ""
    return named


def _trace_context(context: Context) -> Mapping[str, str]:
    """Return the headers of a W3C trace context; none where it is malformed."""
    headers = {
        key: value
        for key, value in context.invocation_metadata() or ()
        if key in {"traceparent", "tracestate"} and isinstance(value, str)
    }
    return headers if _TRACEPARENT.fullmatch(headers.get("traceparent", "")) else {}
