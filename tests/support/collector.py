"""A collector of OpenTelemetry spans, by the real protocol, in this process."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

WAIT_SECONDS = 20


@dataclass(frozen=True)
class Span:
    """What the tests look at of a span."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, Any]
    is_error: bool


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans on a free port until its `with` ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self.received = b""
        """All that came, as it came."""
        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    # The name and the arguments are gRPC's.
    def Export(self, request: Any, context: object) -> pb.ExportTraceServiceResponse:  # noqa: ARG002, N802
        """Take what an exporter sends."""
        sent = [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
        with self._lock:
            self.received += request.SerializeToString()
            self._spans += map(_read, sent)
        return pb.ExportTraceServiceResponse()

    def spans(self) -> list[Span]:
        """Return the spans that have come so far."""
        with self._lock:
            return list(self._spans)

    def wait_for(self, count: int, trace: str) -> list[Span]:
        """Return the spans of a trace once *count* calls or items are among them."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            spans = [span for span in self.spans() if span.trace == trace]
            if sum("/" in span.name for span in spans) >= count:
                return spans
            time.sleep(0.05)
        pytest.fail(f"{count} calls were to be traced, and these came: {[span.name for span in self.spans()]}")


def _read(span: Any) -> Span:
    values = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Span(
        span.name, *ids, span.start_time_unix_nano, span.end_time_unix_nano, values, is_error=span.status.code == 2
    )
