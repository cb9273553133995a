"""OpenTelemetry spans, sent to a collector by OTLP; the extra ``otel`` brings what this module imports."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from baznashr.status import CODE_NAMES
from baznashr_server.obs.calls import Call

SERVERS_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes that make a server's span an error, by OpenTelemetry's conventions for gRPC."""
EXPORT_SECONDS = 3
"""How long sending one batch of spans may take, tries included; the stop of the server waits for the last."""
_SAMPLED = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]([13579bdf])")


def exporter(endpoint: str) -> SpanExporter:
    """Return what sends to *endpoint*, ``http://HOST:PORT`` without TLS or ``https://HOST:PORT`` with it.

    Certificates and headers come from the variables that OpenTelemetry defines (OTEL_EXPORTER_OTLP_...).
    """
    return OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS)


class OpenTelemetry:
    """Chooses a share of the calls, and all whose caller traces them; not those whose caller chose not to."""

    def __init__(self, sent_by: SpanExporter, ratio: float) -> None:
        resource = Resource.create({"service.name": "baznashr", "service.version": version("baznashr-server")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(sent_by))
        self._tracer = self._provider.get_tracer("baznashr_server")
        self._propagator = TraceContextTextMapPropagator()
        self._ratio = ratio
        self._random = random.Random()  # noqa: S311 - which calls are traced is no secret

    def begin(self, name: str, headers: Mapping[str, str]) -> CallTrace | None:
        parent = headers.get("traceparent")
        # Chosen here, not by a sampler, which would cost every call that is not traced a span.
        if not (_SAMPLED.fullmatch(parent) if parent else self._random.random() < self._ratio):
            return None
        context = self._propagator.extract(dict(headers))
        return CallTrace(self._tracer, self._tracer.start_span(name, context, SpanKind.SERVER))

    def close(self) -> None:
        self._provider.shutdown()


class CallTrace:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def trace_id(self) -> str:
        return format_trace_id(self._span.get_span_context().trace_id)

    def end(self, call: Call, subject: Mapping[str, str]) -> None:
        span, context = self._span, set_span_in_context(self._span)
        span.set_attributes({"rpc.system": "grpc", "rpc.service": call.service, "rpc.method": call.method})
        span.set_attribute("rpc.grpc.status_code", CODE_NAMES.index(call.code))
        span.set_attributes({f"baznashr.{name}": value for name, value in subject.items() if value})
        if call.reason:
            span.set_attribute("baznashr.reason", call.reason)
        if call.code in SERVERS_FAULTS:
            span.set_status(StatusCode.ERROR, call.reason)
        for name, stage in call.stages.items():
            child = self._tracer.start_span(name, context, start_time=call.at_ns(stage.first))
            child.set_attributes({"baznashr.runs": stage.runs, "baznashr.seconds": stage.seconds})
            child.end(call.at_ns(stage.last))
        span.end()
