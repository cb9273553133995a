"""The main job over gRPC: ingest, check, compare and read back, in all three forms of call."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from baznashr import wire
from baznashr.types import Document, Judgement, RepetitionKind, StoredId, Verdict
from baznashr.v1 import admin_service_pb2 as admin_pb
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr_server import limits
from tests.support.server import Stubs, read_refusal, refusal

FIRST = (
    "آب‌گیری سد گلابدره از امروز آغاز شد. مدیر طرح گفت: «نخستین مرحله با ذخیره چهار میلیون مترمکعب آب انجام می‌شود.»\n"
    "او افزود که کار ساخت این سد یازده سال پیش شروع شد و دو بار به سبب کمبود بودجه متوقف ماند.\n"
    "به گفته او شالیزارهای پایین‌دست از بهار آینده از این آب بهره‌مند خواهند شد و شبکه آبیاری تا پاییز کامل می‌شود."
)
EDITED = "خبرگزاری جنوب؛ " + FIRST.replace("از امروز", "از صبح امروز")
RESPELT = FIRST.replace("\u200c", " ").replace("ی", "ي").replace("ک", "ك").replace(".", "")
OTHER = (
    "مسابقات قهرمانی والیبال نشسته بانوان با حضور شانزده تیم در یزد پایان یافت و تیم میزبان با شکست حریف خود به مقام "
    "نخست رسید. سرمربی تیم قهرمان تمرین منظم و پشتیبانی هیات استان را راز این پیروزی دانست."
)
EXPECTED = {"first": Verdict.NEW, "other": Verdict.NEW, "edited": Verdict.NEAR_DUPLICATE, "respelt": Verdict.EXACT}
TEXTS = {"first": FIRST, "other": OTHER, "edited": EDITED, "respelt": RESPELT}


def documents() -> list[Document]:
    return [Document(id=name, text=text, title="عنوان", source="example.ir") for name, text in TEXTS.items()]


def ingest(stubs: Stubs, corpus: str, document: Document, *, replace: bool = False) -> Judgement:
    message = wire.document_to_message(document)
    request = ingest_pb.IngestDocumentRequest(corpus=corpus, document=message, replace=replace)
    return wire.judgement_from_message(stubs.ingest.IngestDocument(request).judgement)


def check(stubs: Stubs, corpus: str, item: str | Document) -> Judgement:
    request = check_pb.CheckTextRequest(corpus=corpus, item=wire.check_item_to_message(item))
    return wire.judgement_from_message(stubs.check.CheckText(request).judgement)


def by_one(stubs: Stubs, corpus: str) -> list[Judgement]:
    return [ingest(stubs, corpus, document) for document in documents()]


def by_batch(stubs: Stubs, corpus: str) -> list[Judgement]:
    request = ingest_pb.BatchIngestDocumentsRequest(corpus=corpus, documents=map(wire.document_to_message, documents()))
    return list(map(wire.judgement_from_message, stubs.ingest.BatchIngestDocuments(request).judgements))


def by_stream(stubs: Stubs, corpus: str) -> list[Judgement]:
    requests = (
        ingest_pb.StreamIngestDocumentsRequest(corpus=corpus, document=wire.document_to_message(document))
        for document in documents()
    )
    _, *answers = stubs.ingest.StreamIngestDocuments(requests)
    return [wire.judgement_from_message(answer.item.judgement) for answer in answers]


@pytest.mark.parametrize("form", [by_one, by_batch, by_stream])
def test_each_form_of_ingest_gives_the_same_verdicts(stubs: Stubs, corpus: str, form: object) -> None:
    """One by one, in a batch that sees its own earlier items, and on a stream in order, the verdicts are the same."""
    judgements = form(stubs, corpus)
    assert {judgement.document_id: judgement.verdict for judgement in judgements} == EXPECTED
    repeats = [judgement for judgement in judgements if judgement.repeated]
    assert {judgement.canonical_id for judgement in repeats} == {"first"}
    assert all(judgement.stored and judgement.profile == "fa-1" for judgement in judgements)
    assert all(judgement.matches[0].verified for judgement in repeats)


def test_check_judges_and_stores_nothing(stubs: Stubs, corpus: str) -> None:
    """A check in each form answers as ingest would, in order, and leaves the corpus as it was."""
    ingest(stubs, corpus, documents()[0])
    expected = [Verdict.EXACT, Verdict.NEW, Verdict.NEAR_DUPLICATE, Verdict.EXACT]
    items = [wire.check_item_to_message(text) for text in TEXTS.values()]
    assert [check(stubs, corpus, text).verdict for text in TEXTS.values()] == expected
    batch = stubs.check.BatchCheckTexts(check_pb.BatchCheckTextsRequest(corpus=corpus, items=items)).judgements
    assert [wire.judgement_from_message(message).verdict for message in batch] == expected
    requests = [check_pb.StreamCheckTextsRequest(corpus=corpus, sequence=-n, item=item) for n, item in enumerate(items)]
    _, *answers = stubs.check.StreamCheckTexts(iter(requests))
    assert [answer.item.sequence for answer in answers] == [0, -1, -2, -3]
    assert [wire.judgement_from_message(answer.item.judgement).verdict for answer in answers] == expected
    stats = stubs.corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest(corpus=corpus)).stats
    assert stats.documents == 1


def test_self_repetition_is_reported(stubs: Stubs, corpus: str) -> None:
    """A doubled article says so, with spans that cover the second copy."""
    repetition = check(stubs, corpus, f"{FIRST}\n\n{FIRST}").self_repetition
    assert RepetitionKind.WHOLE_TEXT in repetition.kinds
    assert repetition.share >= 0.4
    assert repetition.spans[0].start >= len(FIRST)
    assert repetition.spans[-1].end >= 2 * len(FIRST)


def test_compare_takes_texts_documents_and_stored_ids(stubs: Stubs, corpus: str) -> None:
    """Whatever stands for the earlier text, the later one is judged against it alone."""
    ingest(stubs, corpus, documents()[0])
    for earlier in (FIRST, documents()[0], StoredId("first", corpus)):
        request = check_pb.CompareTextsRequest(
            earlier=wire.compare_item_to_message(earlier), later=wire.compare_item_to_message(EDITED)
        )
        judgement = wire.judgement_from_message(stubs.check.CompareTexts(request).judgement)
        assert judgement.verdict is Verdict.NEAR_DUPLICATE
        assert judgement.matches[0].similarity > 0.7
    missing = wire.compare_item_to_message(StoredId("none", corpus))
    request = check_pb.CompareTextsRequest(earlier=missing, later=missing)
    assert refusal(lambda: stubs.check.CompareTexts(request)).error.reason == "DOCUMENT_NOT_FOUND"


def test_a_retry_gets_the_first_answer(stubs: Stubs, corpus: str) -> None:
    """The same id and text again is answered as at first, marked as replayed, and stored once."""
    first = ingest(stubs, corpus, documents()[0])
    again = ingest(stubs, corpus, documents()[0])
    assert (again.verdict, again.replayed, first.replayed) == (first.verdict, True, False)
    replaced = ingest(stubs, corpus, Document(id="first", text=OTHER), replace=True)
    assert replaced.verdict is Verdict.NEW
    request = corpus_pb.GetCorpusStatsRequest(corpus=corpus)
    assert stubs.corpora.GetCorpusStats(request).stats.documents == 1


def test_documents_are_read_back_and_deleted(stubs: Stubs, corpus: str) -> None:
    """What was stored is read back with its judgement; what was deleted is judged anew."""
    document = Document(id="خبر/۱", text=FIRST, title="سد", source="s", url="https://x.example/", labels={"بخش": "آب"})
    judgement = ingest(stubs, corpus, document)
    request = ingest_pb.GetDocumentRequest(corpus=corpus, document_id=document.id)
    stored = wire.stored_document_from_message(stubs.ingest.GetDocument(request).document)
    assert stored.document == document
    assert (stored.judgement.verdict, stored.judgement.digest) == (Verdict.NEW, judgement.digest)
    assert check(stubs, corpus, FIRST).verdict is Verdict.EXACT
    assert stubs.ingest.DeleteDocument(ingest_pb.DeleteDocumentRequest(corpus=corpus, document_id=document.id)).deleted
    assert check(stubs, corpus, FIRST).verdict is Verdict.NEW


def test_corpora_are_kept_apart(stubs: Stubs, corpus: str) -> None:
    """A corpus is created, read, listed page by page, changed and deleted, and its documents with it."""
    other = f"{corpus}-b"
    created = stubs.corpora.CreateCorpus(corpus_pb.CreateCorpusRequest(name=other, window_days=30)).corpus
    assert (created.window_days, created.keep_text) == (30, True)
    ingest(stubs, corpus, documents()[0])
    assert ingest(stubs, other, documents()[0]).verdict is Verdict.NEW
    updated = stubs.corpora.UpdateCorpus(corpus_pb.UpdateCorpusRequest(name=other, window_days=7)).corpus
    assert (updated.window_days, updated.keep_text) == (7, True)
    names: list[str] = []
    token = ""
    while True:
        page = stubs.corpora.ListCorpora(corpus_pb.ListCorporaRequest(page_size=2, page_token=token))
        names += [each.name for each in page.corpora]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(names)
    assert {"default", corpus, other} <= set(names)
    assert (
        refusal(lambda: stubs.corpora.CreateCorpus(corpus_pb.CreateCorpusRequest(name=other))).error.reason
        == "CORPUS_EXISTS"
    )
    stubs.corpora.DeleteCorpus(corpus_pb.DeleteCorpusRequest(name=other))
    assert refusal(lambda: ingest(stubs, other, documents()[1])).error.reason == "CORPUS_NOT_FOUND"


def test_one_of_many_at_once_is_new(stubs: Stubs, corpus: str) -> None:
    """Of near-identical texts ingested at the same moment in all forms of call, exactly one is NEW."""
    start = threading.Barrier(4)

    def send(worker: int) -> list[Judgement]:
        texts = [f"{FIRST} {'الف ' * (worker + n)}" for n in range(5)]
        own = [Document(id=f"{worker}-{n}", text=text) for n, text in enumerate(texts)]
        start.wait()
        return [ingest(stubs, corpus, document) for document in own]

    with ThreadPoolExecutor(4) as pool:
        judgements = [judgement for some in pool.map(send, range(4)) for judgement in some]
    verdicts = Counter(judgement.verdict for judgement in judgements)
    assert verdicts[Verdict.NEW] == 1
    ids = {judgement.document_id for judgement in judgements}
    for judgement in judgements:
        if judgement.verdict is not Verdict.NEW:
            assert judgement.repeated
            assert judgement.canonical_id in ids - {judgement.document_id}
            assert all(match.verified for match in judgement.matches)


def test_a_stream_longer_than_its_window(stubs: Stubs, corpus: str) -> None:
    """Many times the window passes through a stream, in order, each answered once."""
    count = 5 * limits.MAX_STREAM_IN_FLIGHT
    requests = (
        ingest_pb.StreamIngestDocumentsRequest(
            corpus=corpus,
            sequence=n,
            document=wire.document_to_message(Document(id=str(n), text=f"{OTHER} {n}" if n % 2 else FIRST)),
        )
        for n in range(count)
    )
    _, *answers = stubs.ingest.StreamIngestDocuments(requests)
    assert [answer.item.sequence for answer in answers] == list(range(count))
    exact = sum(wire.judgement_from_message(a.item.judgement).verdict is Verdict.EXACT for a in answers[::2])
    assert exact == count // 2 - 1


def test_the_server_tells_how_it_is(stubs: Stubs, corpus: str) -> None:
    """The status names release, profile and sizes, beside the other services by default."""
    ingest(stubs, corpus, documents()[0])
    status = wire.server_status_from_message(stubs.admin.GetServerStatus(admin_pb.GetServerStatusRequest()).status)
    assert status.profile == "fa-1"
    assert status.documents >= 1
    assert status.corpora >= 2
    assert status.read_only_reason is None


def test_what_is_not_answered_yet_says_so(stubs: Stubs, corpus: str) -> None:
    """A call is answered, or says UNIMPLEMENTED; it never says something wrong."""
    ingest(stubs, corpus, documents()[0])
    ingest(stubs, corpus, documents()[2])
    request = ingest_pb.ListClusterRequest(corpus=corpus, document_id="edited", page_size=1)
    try:
        cluster = stubs.ingest.ListCluster(request).cluster
    except grpc.RpcError as error:
        code = read_refusal(error).code
    else:
        code = ""
        assert (cluster.canonical_id, cluster.total, len(cluster.members)) == ("first", 2, 1)
    assert code in {"", "UNIMPLEMENTED"}
