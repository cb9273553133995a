"""Many callers at once, each article a light edit of one of a few originals: one of each family is new and leads."""

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from baznashr import Client
from baznashr.types import Document, Judgement, StoredId, Verdict
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as pb
from baznashr.wire import document_to_message, judgement_from_message
from tests.support.server import ServerProcess, Stubs, serving
from tests.support.texts import article, light_edit

CALLERS = 64
PATIENT_SECONDS = 60
CHANNELS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with room for all callers."""
    with serving(tmp_path_factory.mktemp("race") / "data", "--log-level", "error") as running:
        yield running


class Caller:
    """Sends its documents by every kind of call, again and again until each is answered."""

    def __init__(self, stubs: Stubs, corpus: str, seed: object, *, impatient: bool) -> None:
        self.ingest = stubs.ingest
        self.corpus = corpus
        self.rng = random.Random(seed)
        self.impatient = impatient
        self.answers: list[Judgement] = []

    def send_all(self, documents: Sequence[Document]) -> list[Judgement]:
        left = list(documents)
        while left:
            size = self.rng.choice([1, 1, self.rng.randint(2, 12)])
            chunk, left = left[:size], left[size:]
            self.send(chunk)
        return self.answers

    def send(self, chunk: list[Document]) -> None:
        if self.impatient and self.rng.random() < 0.5:
            try:
                self.answers += self._call(chunk, timeout=self.rng.random() / 20, cancel=self.rng.random() < 0.5)
            except (grpc.RpcError, grpc.FutureCancelledError):
                pass
            else:
                if self.rng.random() < 0.5:
                    return
                # Sent once more although it was answered.
                again = self._call(chunk, timeout=PATIENT_SECONDS)
                assert all(answer.replayed for answer in again)
                return
        self.answers += self._call(chunk, timeout=PATIENT_SECONDS)

    def _call(self, chunk: list[Document], *, timeout: float, cancel: bool = False) -> list[Judgement]:
        if len(chunk) > 1 and self.rng.random() < 0.5:
            return self._stream(chunk, timeout)
        messages = map(document_to_message, chunk)
        if len(chunk) > 1:
            call = self.ingest.BatchIngestDocuments.future(
                pb.BatchIngestDocumentsRequest(documents=messages, corpus=self.corpus), timeout=timeout
            )
        else:
            (message,) = messages
            call = self.ingest.IngestDocument.future(
                pb.IngestDocumentRequest(document=message, corpus=self.corpus), timeout=timeout
            )
        if cancel:
            threading.Timer(timeout / 2, call.cancel).start()
        answer = call.result()
        judgements = answer.judgements if len(chunk) > 1 else [answer.judgement]
        return list(map(judgement_from_message, judgements))

    def _stream(self, chunk: list[Document], timeout: float) -> list[Judgement]:
        requests = (
            pb.StreamIngestDocumentsRequest(document=document_to_message(document), corpus=self.corpus)
            for document in chunk
        )
        events = list(self.ingest.StreamIngestDocuments(requests, timeout=timeout))
        return [judgement_from_message(event.item.judgement) for event in events if event.HasField("item")]


def race(server: ServerProcess, seed: object, families: int, size: int, *, impatient: bool) -> None:
    """Send *families* times *size* articles from all callers, and check every answer."""
    rng = random.Random(seed)
    corpus = f"race-{rng.getrandbits(60):x}"
    originals = [article(rng) for _ in range(families)]
    edits = [(f"{f}-{n}", light_edit(rng, originals[f])) for f in range(families) for n in range(size)]
    rng.shuffle(edits)
    documents = [Document(name, text) for name, text in edits]
    channels = [Stubs(server.listen) for _ in range(CHANNELS)]
    channels[0].corpora.CreateCorpus(corpus_pb.CreateCorpusRequest(name=corpus))
    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [Caller(channels[n % CHANNELS], corpus, f"{seed} {n}", impatient=impatient) for n in range(CALLERS)]
        answered = list(pool.map(lambda n: callers[n].send_all(documents[n::CALLERS]), range(CALLERS)))
    stats = channels[0].corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest(corpus=corpus)).stats
    for channel in channels:
        channel.channel.close()
    answers = {answer.document_id: answer for group in answered for answer in group}
    assert len(answers) == len(documents) == stats.documents
    leaders = {name.split("-")[0]: name for name, answer in answers.items() if answer.verdict is Verdict.NEW}
    assert sum(answer.verdict is Verdict.NEW for answer in answers.values()) == families == len(leaders)
    with Client(server.listen) as client:
        for name in rng.sample(list(answers), 20):
            earlier, later = StoredId(leaders[name.split("-")[0]], corpus), StoredId(name, corpus)
            assert client.compare(earlier, later).repeated
    for name, answer in answers.items():
        if answer.verdict is not Verdict.NEW:
            assert answer.repeated
            assert answer.canonical_id == leaders[name.split("-")[0]]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("impatient", [False, True], ids=["patient", "cancelled-late-and-again"])
def test_one_of_each_family_is_new(
    server: ServerProcess, seed: int, long: bool, impatient: bool, tmp_path: Path
) -> None:
    """However the calls race, end early or come twice, each family has one NEW, and all others name it."""
    for run in range(10 if long else 1):
        race(server, f"{seed} {run} {impatient}", 500 if long else 50, 20, impatient=impatient)
