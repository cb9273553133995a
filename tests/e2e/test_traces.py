"""Traces of a real server, taken by a real collector."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server.engine.observer import STAGES
from baznashr_server.obs.calls import WAITS
from tests.support.collector import Collector, Span
from tests.support.server import ServerProcess, Stubs, refusal, serving

TEXT = "نمایشگاه کتاب استان با پنجاه ناشر در سالن ورزشی شهر گشایش یافت و تا پایان هفته از خوانندگان پذیرایی می‌کند."
EDITED = f"به گزارش خبرنگار ما، {TEXT} بازدید برای همه آزاد است."
CALLER = "b7ad6b7169203331"
UNWANTED = "f" * 32
"""The trace of a caller that chose not to trace."""
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector of the spans of all tests here, which differ by their traces."""
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[ServerProcess]:
    """A server that traces only what its callers trace."""
    with serving(
        tmp_path_factory.mktemp("traced") / "data", "--traces", collector.endpoint, "--trace-ratio", "0", **SOON
    ) as running:
        yield running


@pytest.fixture
def trace() -> str:
    """A trace that no other test has."""
    return uuid.uuid4().hex


def traced(trace: str, flags: str = "01") -> tuple[tuple[str, str], ...]:
    return (("traceparent", f"00-{trace}-{CALLER}-{flags}"),)


def ingest(number: int, text: str = TEXT) -> ingest_pb.IngestDocumentRequest:
    return ingest_pb.IngestDocumentRequest(document=Document(id=f"d{number}", text=text))


def test_a_call_has_a_span_for_each_stage(server: ServerProcess, collector: Collector, trace: str) -> None:
    """The caller's trace goes on; each stage and wait is a child inside the call's span; no text is sent."""
    with Stubs(server.listen) as stubs:
        stubs.ingest.IngestDocument(ingest(1))
        stubs.ingest.IngestDocument(ingest(2, EDITED), metadata=traced(trace))
        stubs.check.CheckText(
            check_pb.CheckTextRequest(item=check_pb.CheckItem(text=TEXT)), metadata=traced(uuid.uuid4().hex, "00")
        )
        root, stages = only_call(collector.wait_for(1, trace))
    assert (root.name, root.trace, root.parent) == ("baznashr.v1.IngestService/IngestDocument", trace, CALLER)
    assert UNWANTED not in {span.trace for span in collector.spans()}
    assert root.attributes["baznashr.document_id"] == "d2"
    assert root.attributes["baznashr.corpus"] == "default"
    assert root.attributes["rpc.grpc.status_code"] == 0
    assert {stage.name for stage in stages} == {*STAGES, *WAITS}
    for stage in stages:
        assert (stage.trace, stage.parent) == (trace, root.id)
        assert root.start <= stage.start <= stage.end <= root.end
        assert stage.attributes["baznashr.runs"] >= 1
    ends = {stage.name: stage.end for stage in stages}
    assert sorted(ends, key=ends.get)[-3:] == ["store", "commit", "publish"]
    assert not [word for word in TEXT.split() if len(word) > 3 and word.encode() in collector.received]


def test_a_refused_call_is_no_error_of_the_server(server: ServerProcess, collector: Collector, trace: str) -> None:
    """The span has the code and the reason; only what is the server's doing is marked as an error."""
    with Stubs(server.listen) as stubs:
        request = ingest_pb.GetDocumentRequest(document_id="none")
        refusal(lambda: stubs.ingest.GetDocument(request, metadata=traced(trace)))
        root, _ = only_call(collector.wait_for(1, trace))
    assert root.attributes["rpc.grpc.status_code"] == 5
    assert root.attributes["baznashr.reason"] == "DOCUMENT_NOT_FOUND"
    assert not root.is_error


def test_items_of_a_stream_are_traced_by_themselves(server: ServerProcess, collector: Collector, trace: str) -> None:
    """Each item is a span of the caller's trace with its own document and stages."""
    with Stubs(server.listen) as stubs:
        requests = [
            ingest_pb.StreamIngestDocumentsRequest(sequence=n, document=Document(id=f"s{n}", text=f"{TEXT} {n}"))
            for n in range(3)
        ]
        assert len(list(stubs.ingest.StreamIngestDocuments(iter(requests), metadata=traced(trace)))) == 4
        spans = collector.wait_for(4, trace)
    items = [span for span in spans if "baznashr.document_id" in span.attributes]
    assert {item.attributes["baznashr.document_id"] for item in items} == {"s0", "s1", "s2"}
    assert {item.trace for item in items} == {trace}
    for item in items:
        assert {span.name for span in spans if span.parent == item.id} >= {*WAITS, "fingerprint", "commit"}


def test_a_share_is_traced_and_the_rest_sent_at_the_end(tmp_path: Path, collector: Collector) -> None:
    """With a ratio of one every call is, each in a trace of its own; what waits at SIGTERM is sent before the exit."""
    before = collector.spans()
    flags = ("--traces", collector.endpoint, "--trace-ratio", "1")
    with serving(tmp_path / "data", *flags, OTEL_BSP_SCHEDULE_DELAY="600000") as server:
        with Stubs(server.listen) as stubs:
            for number in range(3):
                stubs.ingest.IngestDocument(ingest(number))
        assert collector.spans() == before
        assert server.stop() == 0
    roots = [span for span in collector.spans()[len(before) :] if not span.parent]
    assert len({span.trace for span in roots}) == len(roots) == 3


def only_call(spans: list[Span]) -> tuple[Span, list[Span]]:
    """Return the one call among *spans* and its stages."""
    (root,) = [span for span in spans if "/" in span.name]
    return root, [span for span in spans if span is not root]
