"""The log of a real server: whose call it was, what was slow, and never a word of an article."""

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc

from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server.limits import MAX_ID_BYTES
from tests.articles import samples
from tests.support.server import Stubs, serving

TEXT = "نخستین برف پاییزی جاده‌های کوهستانی استان را پوشاند و پلیس راه از رانندگان خواست زنجیر چرخ همراه داشته باشند."
NOBODY = "http://127.0.0.1:9"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_slow_calls_name_what_was_slow(tmp_path: Path) -> None:
    """A call over the threshold is told with its stages, the longest named, its trace, corpus and document.

    That nobody takes the traces hinders neither the calls nor the stop.
    """
    flags = ("--group-commit-wait-ms", "300", "--slow-call-seconds", "0.25", "--traces", NOBODY, "--trace-ratio", "1")
    with serving(tmp_path / "data", *flags) as server, Stubs(server.listen) as stubs:
        request = ingest_pb.IngestDocumentRequest(document=Document(id="برف-۱", text=TEXT))
        stubs.ingest.IngestDocument(request, metadata=(("traceparent", f"00-{TRACE}-00f067aa0ba902b7-00"),))
        items = [ingest_pb.StreamIngestDocumentsRequest(sequence=7, document=Document(id="s7", text=f"{TEXT} باز هم"))]
        assert len(list(stubs.ingest.StreamIngestDocuments(iter(items)))) == 2
        call, item = [event for event in server.events() if event["event"] == "slow call"]
        assert server.metric("baznashr_calls_slow_total", stage="queue") == 2
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 20
    assert (call["level"], call["method"], call["stage"], call["code"]) == ("warning", "IngestDocument", "queue", "OK")
    assert (call["trace_id"], call["corpus"], call["document_id"]) == (TRACE, "default", "برف-۱")
    assert call["seconds"] >= call["stages"]["queue"] >= 0.29
    assert {"turn", "thread", "fingerprint", "lookup", "store", "commit", "publish"} <= call["stages"].keys()
    assert list(call["stages"].values()) == sorted(call["stages"].values(), reverse=True)
    assert (item["method"], item["sequence"], item["document_id"]) == ("StreamIngestDocuments", 7, "s7")


def test_no_word_of_an_article_is_logged(tmp_path: Path, seed: int) -> None:
    """Whatever is sent, wherever in the message, and however it ends, the finest log has no words of it."""
    rng = random.Random(seed)
    articles = [sample["text"] for sample in samples()]
    flags = ("--log-level", "debug", "--slow-call-seconds", "0.000001", "--reflection")
    with serving(tmp_path / "data", *flags) as server, Stubs(server.listen) as stubs:
        for number, text in enumerate(rng.sample(articles, min(12, len(articles)))):
            for method, request in rubbish(stubs, number, text):
                with suppress(grpc.RpcError):
                    method(request)
            raw = stubs.channel.unary_unary("/baznashr.v1.CheckService/CheckText")
            for data in (text.encode(), text.encode("utf-16"), rng.randbytes(50) + text.encode()):
                with suppress(grpc.RpcError):
                    raw(data)
            with suppress(grpc.RpcError):
                list(stubs.ingest.StreamIngestDocuments(stream(number, text)))
            with suppress(grpc.RpcError):
                stubs.ingest.IngestDocument(good(f"late-{number}", text), timeout=0.0005)
        log = server.log_text()
        events = server.events()
    words = {word for text in articles for word in text.split() if len(word) > 4 and not word.isascii()}
    assert words
    assert [word for word in words if word in log] == []
    assert len(events) > 100
    assert not [event for event in events if event["event"] == "internal error"]
    assert {"trace_id", "method", "corpus", "document_id"} <= set().union(*events)


def good(name: str, text: str) -> ingest_pb.IngestDocumentRequest:
    return ingest_pb.IngestDocumentRequest(document=Document(id=name, text=text))


def rubbish(stubs: Stubs, number: int, text: str) -> Iterator[tuple[grpc.UnaryUnaryMultiCallable, object]]:
    """Yield calls that hold *text* where it belongs, and where it does not."""
    long = text * (MAX_ID_BYTES // len(text) + 1)
    yield stubs.ingest.IngestDocument, good(str(number), text)
    yield stubs.ingest.IngestDocument, good(str(number), f"{text} {text}")
    yield stubs.ingest.IngestDocument, good(long, text)
    yield (
        stubs.ingest.IngestDocument,
        ingest_pb.IngestDocumentRequest(corpus=text, document=Document(id="x", text=text)),
    )
    fields = {"title": text, "source": text, "url": text, "labels": {text[:200]: text}}
    yield stubs.ingest.IngestDocument, ingest_pb.IngestDocumentRequest(document=Document(id="y", text=text, **fields))
    batch = [Document(id=str(number), text=text), Document(id=long, text="\0")]
    yield stubs.ingest.BatchIngestDocuments, ingest_pb.BatchIngestDocumentsRequest(documents=batch)
    yield stubs.ingest.GetDocument, ingest_pb.GetDocumentRequest(document_id=long)
    yield stubs.ingest.DeleteDocument, ingest_pb.DeleteDocumentRequest(corpus=long, document_id=long)
    yield stubs.check.CheckText, check_pb.CheckTextRequest(item=check_pb.CheckItem(text=text))
    yield stubs.check.CheckText, check_pb.CheckTextRequest(corpus=text[:40], item=check_pb.CheckItem(text=text))
    earlier, later = check_pb.CompareItem(text=text), check_pb.CompareItem(text=f"{text}!")
    yield stubs.check.CompareTexts, check_pb.CompareTextsRequest(earlier=earlier, later=later, corpus=text[:60])
    yield stubs.corpora.CreateCorpus, corpus_pb.CreateCorpusRequest(name=text[:30])
    yield stubs.corpora.PurgeDocuments, corpus_pb.PurgeDocumentsRequest(source=text)


def stream(number: int, text: str) -> Iterator[ingest_pb.StreamIngestDocumentsRequest]:
    for place, name in enumerate((f"stream-{number}", text * (MAX_ID_BYTES // len(text) + 1), text * 300, "")):
        yield ingest_pb.StreamIngestDocumentsRequest(sequence=place, document=Document(id=name, text=text))
