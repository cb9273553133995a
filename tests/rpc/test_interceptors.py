"""What stands around each call, over a service that does as it is told."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog

from baznashr.errors import (
    BaznashrError,
    DocumentNotFound,
    InvalidText,
    NotImplementedByServer,
    ReadOnly,
    StoreDamaged,
    Unavailable,
)
from baznashr.status import error_from_trailers
from baznashr.v1 import check_service_pb2 as pb
from baznashr.v1 import check_service_pb2_grpc
from baznashr_server.obs import logs
from baznashr_server.obs.metrics import Metrics
from baznashr_server.obs.watch import NoTracing, Watch
from baznashr_server.rpc.admission import Admission, AdmissionInterceptor
from baznashr_server.rpc.decoding import Decoding
from baznashr_server.rpc.errors import Errors
from baznashr_server.rpc.methods import METHODS
from baznashr_server.rpc.observation import CallLog, RpcMetricsInterceptor

CHECK_TEXT = "/baznashr.v1.CheckService/CheckText"
STREAM = "/baznashr.v1.CheckService/StreamCheckTexts"


class Service(check_service_pb2_grpc.CheckServiceServicer):
    """Does *what* it is told in every call."""

    def __init__(self, what: Callable[[], Awaitable[None]]) -> None:
        self.what = what

    async def CheckText(self, *_: Any) -> pb.CheckTextResponse:  # noqa: N802 - the name is gRPC's
        await self.what()
        return pb.CheckTextResponse()

    async def StreamCheckTexts(  # noqa: N802 - the name is gRPC's
        self, requests: AsyncIterator[pb.StreamCheckTextsRequest], _: Any
    ) -> AsyncIterator[pb.StreamCheckTextsResponse]:
        async for _request in requests:
            await self.what()
            yield pb.StreamCheckTextsResponse()


class Served:
    """A channel to the service, its metrics and its log."""

    def __init__(self, channel: grpc.aio.Channel, metrics: Metrics, log: io.StringIO) -> None:
        self.stub = check_service_pb2_grpc.CheckServiceStub(channel)
        self.channel = channel
        self.metrics = metrics
        self.log = log

    def handled(self, code: str, method: str = CHECK_TEXT) -> float | None:
        labels = dict(zip(("grpc_type", "grpc_service", "grpc_method"), METHODS[method], strict=True))
        return self.metrics.registry.get_sample_value("grpc_server_handled_total", {**labels, "grpc_code": code})

    def refused(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("baznashr_refusals_total", {"reason": reason})

    def messages(self, direction: str, method: str) -> float | None:
        labels = dict(zip(("grpc_type", "grpc_service", "grpc_method"), METHODS[method], strict=True))
        return self.metrics.registry.get_sample_value(f"grpc_server_msg_{direction}_total", labels)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


@asynccontextmanager
async def serving(what: Callable[[], Awaitable[None]], running: int = 8, waiting: int = 8) -> AsyncIterator[Served]:
    log = io.StringIO()
    logs.configure("json", "debug", log)
    metrics = Metrics()
    server = grpc.aio.server(
        interceptors=[
            Errors(),
            CallLog(Watch(0, metrics.calls, NoTracing())),
            RpcMetricsInterceptor(metrics.rpc),
            AdmissionInterceptor(Admission(running, waiting, 1, metrics.calls)),
            Decoding(),
        ]
    )
    check_service_pb2_grpc.add_CheckServiceServicer_to_server(Service(what), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(channel, metrics, log)
    await server.stop(None)


async def nothing() -> None:
    pass


async def refusal(call: Awaitable[Any]) -> tuple[grpc.aio.AioRpcError, BaznashrError]:
    """Return what *call* is refused with, as gRPC shows it and as the SDK reads it."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    error = refused.value
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    return error, error_from_trailers(error.code().name, error.details() or "", details)


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


@pytest.mark.parametrize(
    ("raised", "code", "label"),
    [
        (InvalidText("Empty.", reason="EMPTY_TEXT", field="item.text"), "INVALID_ARGUMENT", "InvalidArgument"),
        (DocumentNotFound("None.", metadata={"document_id": "خبر"}), "NOT_FOUND", "NotFound"),
        (ReadOnly("The disk is full."), "FAILED_PRECONDITION", "FailedPrecondition"),
        (NotImplementedByServer("Not yet."), "UNIMPLEMENTED", "Unimplemented"),
        (Unavailable("Later.", metadata={"retry_after_ms": "7"}), "UNAVAILABLE", "Unavailable"),
    ],
)
def test_errors_of_ours_travel_whole(raised: BaznashrError, code: str, label: str) -> None:
    """Code, message, reason, field and metadata arrive, are counted under their code, and logged by reason."""

    async def fail() -> None:
        raise raised

    async def test() -> None:
        async with serving(fail) as served:
            error, read = await refusal(served.stub.CheckText(pb.CheckTextRequest()))
            assert error.code().name == code
            assert type(read) is type(raised)
            assert (read.message, read.reason, read.field) == (raised.message, raised.reason, raised.field)
            assert read.metadata == raised.metadata
            assert served.handled(label) == 1
            (event,) = served.events()
            assert (event["event"], event["code"], event["reason"]) == ("call failed", code, raised.reason)

    run(test())


@pytest.mark.parametrize("defect", [ValueError("/etc/secret"), KeyError("متن"), StoreDamaged("page 7 of /data/x")])
@pytest.mark.parametrize("method", [CHECK_TEXT, STREAM])
def test_defects_are_told_apart_by_an_incident_id_only(defect: Exception, method: str) -> None:
    """The caller gets INTERNAL, a fixed text and an id, counted so; the log has the same id with type and place."""

    async def fail() -> None:
        raise defect

    async def test() -> None:
        async with serving(fail) as served:
            if method == CHECK_TEXT:
                call = served.stub.CheckText(pb.CheckTextRequest())
            else:
                call = anext(aiter(served.stub.StreamCheckTexts(iter([pb.StreamCheckTextsRequest()]))))
            error, read = await refusal(call)
            assert error.code() is grpc.StatusCode.INTERNAL
            sent = f"{error.details()} {read} {read.metadata} {error.debug_error_string()}"
            assert not any(leak in sent for leak in ("secret", "متن", "/data", type(defect).__name__, ".py"))
            assert served.handled("Internal", method) == 1
            assert served.refused("INTERNAL") == 1
            incident = next(event for event in served.events() if event["event"] == "internal error")
            assert incident["incident_id"] == read.metadata["incident_id"]
            assert type(defect).__name__ in incident["exception"]

    run(test())


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff", b"\x12\x02\xc3\x28", b"\x12\x05\x0a\x03\xed\xa0\x80", b"\x12\x7f"],
    ids=["garbage", "broken UTF-8", "surrogate in UTF-8", "cut short"],
)
@pytest.mark.parametrize("method", [CHECK_TEXT, STREAM])
def test_undecodable_requests_are_the_callers_fault(data: bytes, method: str) -> None:
    """Bytes that are no message are INVALID_ARGUMENT with a reason, and the next call is answered."""

    async def test() -> None:
        async with serving(nothing) as served:
            if method == CHECK_TEXT:
                call = served.channel.unary_unary(method)(data)
            else:
                call = anext(aiter(served.channel.stream_stream(method)(iter([data]))))
            error, read = await refusal(call)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert read.reason == "MALFORMED_MESSAGE"
            assert "Decode" not in (error.details() or "")
            assert served.handled("InvalidArgument", method) == 1
            await served.stub.CheckText(pb.CheckTextRequest())
            assert served.handled("OK") == 1

    run(test())


def test_overload_says_when_to_come_back() -> None:
    """A call beyond the queue is UNAVAILABLE with RetryInfo and the trailer that gRPC's own retry obeys."""

    async def test() -> None:
        go_on = asyncio.Event()

        async def wait() -> None:
            await go_on.wait()

        async with serving(wait, running=1, waiting=0) as served:
            first = asyncio.ensure_future(served.stub.CheckText(pb.CheckTextRequest()))
            await asyncio.sleep(0.1)
            error, read = await refusal(served.stub.CheckText(pb.CheckTextRequest()))
            assert (error.code(), read.reason) == (grpc.StatusCode.UNAVAILABLE, "OVERLOADED")
            trailers = dict(error.trailing_metadata())
            assert trailers["grpc-retry-pushback-ms"] == read.metadata["retry_after_ms"]
            go_on.set()
            await first

    run(test())


def test_messages_of_streams_are_counted() -> None:
    """Every message of a stream is counted, both ways."""

    async def test() -> None:
        async with serving(nothing) as served:
            requests = [pb.StreamCheckTextsRequest()] * 3
            assert len([answer async for answer in served.stub.StreamCheckTexts(iter(requests))]) == 3
            assert (served.messages("received", STREAM), served.messages("sent", STREAM)) == (3, 3)
            assert served.handled("OK", STREAM) == 1

    run(test())


def test_late_and_cancelled_calls_are_counted_as_such() -> None:
    """A deadline that passes and a caller that gives up end under different codes."""

    async def test() -> None:
        async def wait() -> None:
            await asyncio.sleep(30)

        async with serving(wait) as served:
            error, _ = await refusal(served.stub.CheckText(pb.CheckTextRequest(), timeout=0.1))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            call = served.stub.CheckText(pb.CheckTextRequest())
            await asyncio.sleep(0.1)
            call.cancel()
            for _ in range(100):
                if served.handled("Canceled"):
                    break
                await asyncio.sleep(0.02)
            assert (served.handled("DeadlineExceeded"), served.handled("Canceled")) == (1, 1)

    run(test())


def test_every_series_exists_before_the_first_call() -> None:
    """Each method has all its series at zero, and only methods of the contract have any."""

    async def test() -> None:
        async with serving(nothing) as served:
            for path in METHODS:
                assert served.handled("OK", path) == 0
                assert served.messages("sent", path) == 0
            await refusal(served.channel.unary_unary("/baznashr.v1.CheckService/NoSuchMethod")(b""))
            names = {
                sample.labels["grpc_method"]
                for family in served.metrics.registry.collect()
                for sample in family.samples
                if "grpc_method" in sample.labels
            }
            assert names == {method.name for method in METHODS.values()}

    run(test())


def test_log_lines_name_the_call_and_its_subject() -> None:
    """The caller's trace id, the corpus and the document id are in the line; no text and no overlong id is."""

    async def test() -> None:
        async with serving(nothing) as served:
            trace = "0af7651916cd43dd8448eb211c80319c"
            request = pb.CheckTextRequest(corpus="news")
            request.item.document.id, request.item.document.text = "a1", "متن خبر"
            metadata = (("traceparent", f"00-{trace}-b7ad6b7169203331-01"),)
            await served.stub.CheckText(request, metadata=metadata)
            request.item.document.id = "متن " * 300
            await served.stub.CheckText(request, metadata=(("traceparent", "nonsense"),))
            first, second = served.events()
            assert (first["trace_id"], first["corpus"], first["document_id"]) == (trace, "news", "a1")
            assert len(second["trace_id"]) == 32
            assert second["document_id"] == ""
            assert "متن" not in served.log.getvalue()

    run(test())
