"""Bad input over gRPC: the right status and reason, nothing of Python in it, nothing stored, and the server goes on."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from baznashr.status import error_from_status
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server import limits
from tests.support.server import Refusal, ServerProcess, Stubs, refusal

TEXT = "شهردار از گشایش ایستگاه تازه مترو در شمال شهر خبر داد و گفت بهره‌برداری از آن از هفته آینده آغاز می‌شود."
PYTHON = re.compile(r"Traceback|\.py\b|Error\(|Exception|<class|site-packages|object at 0x|apsw|numba|line \d+")


def document(**fields: Any) -> Document:
    return Document(**{"id": "bad", "text": TEXT, **fields})


def with_time(seconds: int) -> Document:
    dated = document()
    dated.published_at.seconds = seconds
    return dated


BAD_DOCUMENTS = {
    "empty text": (document(text=""), "EMPTY_TEXT", "text"),
    "no letter or digit": (document(text=" \u200c\n.،!؟ \u064e\U0001f600"), "EMPTY_TEXT", "text"),
    "text over the limit": (document(text="آب" * (limits.MAX_TEXT_BYTES // 4 + 1)), "TEXT_TOO_LARGE", "text"),
    "no id": (document(id=""), "INVALID_DOCUMENT_ID", "id"),
    "id too long": (document(id="ش" * (limits.MAX_ID_BYTES // 2 + 1)), "INVALID_DOCUMENT_ID", "id"),
    "control character in id": (document(id="a\nb"), "INVALID_DOCUMENT_ID", "id"),
    "NUL in id": (document(id="a\0"), "INVALID_DOCUMENT_ID", "id"),
    "published before print": (with_time(-(10**10)), "INVALID_PUBLISHED_AT", "published_at"),
    "published in the far future": (with_time(10**10), "INVALID_PUBLISHED_AT", "published_at"),
    "published outside the calendar": (with_time(10**15), "INVALID_PUBLISHED_AT", "published_at"),
    "title over the limit": (document(title="ش" * limits.MAX_FIELD_BYTES), "INVALID_FIELD", "title"),
    "too many labels": (document(labels={str(n): "" for n in range(limits.MAX_LABELS + 1)}), "INVALID_FIELD", "labels"),
}


def refused(got: Refusal, code: str, reason: str, field: str | None = None) -> None:
    assert (got.code, got.error.reason) == (code, reason)
    assert got.error.message
    assert not PYTHON.search(got.everything), got.everything
    if field is not None:
        assert got.error.field == field


def stored(stubs: Stubs, corpus: str) -> int:
    request = corpus_pb.GetCorpusStatsRequest(corpus=corpus)
    return stubs.corpora.GetCorpusStats(request).stats.documents


@pytest.fixture(autouse=True)
def _still_serving_and_empty(stubs: Stubs, corpus: str) -> Any:
    """After every refusal nothing is stored, and a good document is taken."""
    yield
    assert stubs.is_serving()
    before = stored(stubs, corpus)
    good = ingest_pb.IngestDocumentRequest(corpus=corpus, document=Document(id="good", text=TEXT + " پایان"))
    assert stubs.ingest.IngestDocument(good).judgement.stored
    assert stored(stubs, corpus) == before + 1


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_ingest_refuses_bad_documents(stubs: Stubs, corpus: str, name: str) -> None:
    """A bad document is INVALID_ARGUMENT, the field named as the request has it, and is not stored."""
    bad, reason, field = BAD_DOCUMENTS[name]
    request = ingest_pb.IngestDocumentRequest(corpus=corpus, document=bad)
    refused(refusal(lambda: stubs.ingest.IngestDocument(request)), "INVALID_ARGUMENT", reason, f"document.{field}")
    assert stored(stubs, corpus) == 0


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_a_batch_is_refused_whole(stubs: Stubs, corpus: str, name: str) -> None:
    """One bad document refuses the batch, is named by its place, and the good ones are not stored either."""
    bad, reason, field = BAD_DOCUMENTS[name]
    good = [document(id="a"), document(id="b")]
    request = ingest_pb.BatchIngestDocumentsRequest(corpus=corpus, documents=[*good, bad])
    got = refusal(lambda: stubs.ingest.BatchIngestDocuments(request))
    refused(got, "INVALID_ARGUMENT", reason, f"documents[2].{field}")
    assert stored(stubs, corpus) == 0


def test_a_stream_answers_bad_documents_and_goes_on(stubs: Stubs, corpus: str) -> None:
    """Each bad document of a stream is answered with its error, in its place, and the good ones are stored."""
    documents = []
    for number, (bad, _, _) in enumerate(BAD_DOCUMENTS.values()):
        documents += [document(id=f"good-{number}"), bad]
    feed = (
        ingest_pb.StreamIngestDocumentsRequest(corpus=corpus, sequence=number, document=each)
        for number, each in enumerate(documents)
    )
    window, *answers = stubs.ingest.StreamIngestDocuments(feed)
    assert window.window.max_in_flight == limits.MAX_STREAM_IN_FLIGHT
    assert [answer.item.sequence for answer in answers] == list(range(len(documents)))
    assert all(answer.item.judgement.stored for answer in answers[::2])
    errors = [error_from_status(answer.item.error) for answer in answers[1::2]]
    expected = [(reason, f"document.{field}") for _, reason, field in BAD_DOCUMENTS.values()]
    assert [(error.reason, error.field) for error in errors] == expected
    assert not PYTHON.search(str(errors))
    assert stored(stubs, corpus) == len(BAD_DOCUMENTS)


@pytest.mark.parametrize("name", ["empty text", "no letter or digit", "text over the limit"])
def test_check_refuses_bad_texts(stubs: Stubs, corpus: str, name: str) -> None:
    """A bare text is held to the same rules as a document's."""
    bad, reason, _ = BAD_DOCUMENTS[name]
    item = check_pb.CheckItem(text=bad.text)
    request = check_pb.CheckTextRequest(corpus=corpus, item=item)
    refused(refusal(lambda: stubs.check.CheckText(request)), "INVALID_ARGUMENT", reason, "item.text")
    batch = check_pb.BatchCheckTextsRequest(corpus=corpus, items=[check_pb.CheckItem(text=TEXT), item])
    refused(refusal(lambda: stubs.check.BatchCheckTexts(batch)), "INVALID_ARGUMENT", reason, "items[1].text")
    later = check_pb.CompareItem(text=bad.text)
    compared = check_pb.CompareTextsRequest(earlier=check_pb.CompareItem(text=TEXT), later=later)
    refused(refusal(lambda: stubs.check.CompareTexts(compared)), "INVALID_ARGUMENT", reason, "later.text")


@pytest.mark.parametrize("letter", ["x", "ش"])
def test_what_is_quoted_is_cut(stubs: Stubs, corpus: str, letter: str) -> None:
    """An id or a name of any length is answered with its own reason, not with gRPC's about the size of trailers."""
    long = letter * 20_000
    calls: list[Callable[[], object]] = [
        lambda: stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=corpus, document_id=long)),
        lambda: stubs.check.CheckText(check_pb.CheckTextRequest(corpus=long, item=check_pb.CheckItem(text=TEXT))),
        lambda: stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=long, document_id=long)),
    ]
    for call, reason in zip(calls, ("DOCUMENT_NOT_FOUND", "CORPUS_NOT_FOUND", "CORPUS_NOT_FOUND"), strict=True):
        refused(refusal(call), "NOT_FOUND", reason)


def test_nothing_given_is_refused(stubs: Stubs, corpus: str) -> None:
    """Empty requests are the caller's fault, not a defect."""
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: stubs.check.CheckText(check_pb.CheckTextRequest(corpus=corpus)), "INVALID_FIELD"),
        (lambda: stubs.check.CompareTexts(check_pb.CompareTextsRequest()), "INVALID_FIELD"),
        (lambda: stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(corpus=corpus)), "INVALID_DOCUMENT_ID"),
        (lambda: stubs.check.BatchCheckTexts(check_pb.BatchCheckTextsRequest(corpus=corpus)), "EMPTY_BATCH"),
        (
            lambda: stubs.ingest.BatchIngestDocuments(ingest_pb.BatchIngestDocumentsRequest(corpus=corpus)),
            "EMPTY_BATCH",
        ),
        (lambda: stubs.corpora.CreateCorpus(corpus_pb.CreateCorpusRequest()), "INVALID_CORPUS_NAME"),
    ]
    for call, reason in calls:
        refused(refusal(call), "INVALID_ARGUMENT", reason)
    unnamed = refusal(lambda: stubs.corpora.DeleteCorpus(corpus_pb.DeleteCorpusRequest()))
    refused(unnamed, "NOT_FOUND", "CORPUS_NOT_FOUND", "name")


def test_unknown_corpus(stubs: Stubs) -> None:
    """A corpus that does not exist is NOT_FOUND in every call that names one, and is not made by the way."""
    name = "no-such-corpus"
    calls: list[Callable[[], object]] = [
        lambda: stubs.check.CheckText(check_pb.CheckTextRequest(corpus=name, item=check_pb.CheckItem(text=TEXT))),
        lambda: stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(corpus=name, document=document())),
        lambda: stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=name, document_id="a")),
        lambda: stubs.ingest.DeleteDocument(ingest_pb.DeleteDocumentRequest(corpus=name, document_id="a")),
        lambda: stubs.corpora.GetCorpus(corpus_pb.GetCorpusRequest(name=name)),
        lambda: stubs.corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest(corpus=name)),
    ]
    for call in calls:
        refused(refusal(call), "NOT_FOUND", "CORPUS_NOT_FOUND")


@pytest.mark.parametrize("name", ["News", "a b", "-a", "خبر", "a" * 65, "a/b", "a\n"])
def test_bad_corpus_names(stubs: Stubs, name: str) -> None:
    """A corpus cannot be called so."""
    got = refusal(lambda: stubs.corpora.CreateCorpus(corpus_pb.CreateCorpusRequest(name=name)))
    refused(got, "INVALID_ARGUMENT", "INVALID_CORPUS_NAME", "name")


def test_unknown_documents(stubs: Stubs, corpus: str) -> None:
    """A document that is not stored is NOT_FOUND, or not deleted where that is allowed."""
    for call in (
        lambda: stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=corpus, document_id="a")),
        lambda: stubs.ingest.DeleteDocument(ingest_pb.DeleteDocumentRequest(corpus=corpus, document_id="a")),
    ):
        refused(refusal(call), "NOT_FOUND", "DOCUMENT_NOT_FOUND", "document_id")
    allowed = ingest_pb.DeleteDocumentRequest(corpus=corpus, document_id="a", allow_missing=True)
    assert not stubs.ingest.DeleteDocument(allowed).deleted


def test_an_id_with_another_text_is_refused(stubs: Stubs, corpus: str) -> None:
    """The same id with another text is ALREADY_EXISTS with the stored digest, and the first text stays."""
    first = ingest_pb.IngestDocumentRequest(corpus=corpus, document=document(id="same"))
    digest = stubs.ingest.IngestDocument(first).judgement.digest
    other = ingest_pb.IngestDocumentRequest(corpus=corpus, document=document(id="same", text=TEXT[:60]))
    got = refusal(lambda: stubs.ingest.IngestDocument(other))
    refused(got, "ALREADY_EXISTS", "DOCUMENT_ID_REUSED")
    assert got.error.metadata["stored_digest"] == digest
    kept = stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=corpus, document_id="same")).document
    assert kept.document.text == TEXT


def test_batches_over_the_limit(stubs: Stubs, corpus: str) -> None:
    """A batch has a greatest number of documents, and each id once."""
    many = [document(id=str(number)) for number in range(limits.MAX_BATCH_DOCUMENTS + 1)]
    request = ingest_pb.BatchIngestDocumentsRequest(corpus=corpus, documents=many)
    refused(refusal(lambda: stubs.ingest.BatchIngestDocuments(request)), "INVALID_ARGUMENT", "BATCH_TOO_LARGE")
    items = [check_pb.CheckItem(text=TEXT)] * (limits.MAX_BATCH_DOCUMENTS + 1)
    checked = check_pb.BatchCheckTextsRequest(corpus=corpus, items=items)
    refused(refusal(lambda: stubs.check.BatchCheckTexts(checked)), "INVALID_ARGUMENT", "BATCH_TOO_LARGE")
    twice = ingest_pb.BatchIngestDocumentsRequest(corpus=corpus, documents=[document(), document()])
    refused(refusal(lambda: stubs.ingest.BatchIngestDocuments(twice)), "INVALID_ARGUMENT", "DUPLICATE_DOCUMENT_ID")
    assert stored(stubs, corpus) == 0


def test_messages_over_the_size_limit(stubs: Stubs, corpus: str) -> None:
    """A message over the limit is refused by gRPC itself, and the SDK knows what that means."""
    text = "آب" * (limits.MAX_TEXT_BYTES // 5)
    large = [
        document(id=str(number), text=text) for number in range(limits.MAX_MESSAGE_BYTES // len(text.encode()) + 1)
    ]
    request = ingest_pb.BatchIngestDocumentsRequest(corpus=corpus, documents=large)
    got = refusal(lambda: stubs.ingest.BatchIngestDocuments(request))
    refused(got, "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE")
    assert stored(stubs, corpus) == 0


UNDECODABLE = {
    "garbage": b"\xff\xff\xff",
    "broken UTF-8 in a text": b"\x12\x08\x12\x06\x0a\x00\x12\x02\xc3\x28",
    "lone surrogate in a text": b"\x12\x09\x0a\x01a\x12\x04\xed\xa0\x80a",
    "cut short": b"\x12\x7f\x0a",
}


@pytest.mark.parametrize("data", UNDECODABLE.values(), ids=UNDECODABLE)
@pytest.mark.parametrize("method", ["CheckService/CheckText", "IngestService/IngestDocument"])
def test_undecodable_messages(stubs: Stubs, method: str, data: bytes) -> None:
    """Bytes that are no message, or no UTF-8, are the caller's fault and say so."""
    call = stubs.channel.unary_unary(f"/baznashr.v1.{method}")
    refused(refusal(lambda: call(data)), "INVALID_ARGUMENT", "MALFORMED_MESSAGE")


def test_unknown_methods(stubs: Stubs) -> None:
    """A method that this release does not have is UNIMPLEMENTED."""
    call = stubs.channel.unary_unary("/baznashr.v1.CheckService/Prophesy")
    refused(refusal(lambda: call(b"")), "UNIMPLEMENTED", "UNIMPLEMENTED")


@pytest.mark.parametrize("text", ["آ", "۷", "x", "a\0b", "\x01\x02 آب \x7f"])
def test_odd_texts_are_accepted(stubs: Stubs, corpus: str, text: str) -> None:
    """One letter is a text, and control characters in a text do no harm."""
    request = ingest_pb.IngestDocumentRequest(corpus=corpus, document=document(id="odd", text=text))
    assert stubs.ingest.IngestDocument(request).judgement.stored
    kept = stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(corpus=corpus, document_id="odd")).document
    assert kept.document.text == text


def test_no_text_reaches_the_log(server: ServerProcess, stubs: Stubs, corpus: str) -> None:
    """Refused or accepted, logged at the finest level, nothing of an article is in the log."""
    stubs.check.CheckText(check_pb.CheckTextRequest(corpus=corpus, item=check_pb.CheckItem(text=TEXT)))
    request = ingest_pb.IngestDocumentRequest(corpus=corpus, document=document(id=TEXT * 3))
    refusal(lambda: stubs.ingest.IngestDocument(request))
    log = server.log_text()
    assert "INVALID_DOCUMENT_ID" in log
    assert not any(word in log for word in TEXT.split() if len(word) > 3)
    assert not [event for event in server.events() if event["event"] == "internal error"]
