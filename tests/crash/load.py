"""Callers that keep a server busy until it is gone, and write down what they were told."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from baznashr import wire
from baznashr.types import Document
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import ingest_service_pb2 as pb
from baznashr.wire import document_to_message, judgement_from_message
from tests.crash.history import History
from tests.support.server import Stubs
from tests.support.texts import article

CALLERS = 4
GONE = grpc.StatusCode.UNAVAILABLE
LATE = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
REFUSED = (grpc.StatusCode.INTERNAL, grpc.StatusCode.FAILED_PRECONDITION)


class Caller:
    """One thread with documents of its own."""

    def __init__(self, history: History, stubs: Stubs, seed: object, own: list[Document]) -> None:
        self.history = history
        self.stubs = stubs
        self.rng = random.Random(seed)
        self.own = own
        """Those whose last call was answered."""

    def step(self) -> None:
        """Make one call.

        Raises:
            grpc.RpcError: It was not answered.
        """
        kinds: list[tuple[Callable[[], None], int]] = [(self.ingest, 5), (self.batch, 2), (self.stream, 2)]
        if self.own:
            kinds += [(self.retry, 2), (self.delete, 1), (self.replace, 1), (self.check, 2)]
        (kind,) = self.rng.choices(*zip(*kinds, strict=True))
        kind()

    def timeout(self) -> float:
        return self.rng.choice([10.0, 10.0, 10.0, self.rng.random() / 50])

    def _send(self, document: Document, *, replace: bool = False) -> None:
        request = pb.IngestDocumentRequest(document=document_to_message(document), replace=replace)
        try:
            answer = self.stubs.ingest.IngestDocument(request, timeout=self.timeout())
        except grpc.RpcError:
            self.history.unanswered([document])
            raise
        self.history.answered(document, judgement_from_message(answer.judgement))
        self.own.append(document)

    def ingest(self) -> None:
        self._send(self.history.new_document(self.rng))

    def retry(self) -> None:
        document = self._take()
        self._send(document)

    def _take(self) -> Document:
        return self.own.pop(self.rng.randrange(len(self.own)))

    def replace(self) -> None:
        document = self._take()
        if document.id in self.history.family:
            return
        self._send(Document(document.id, article(self.rng)), replace=True)

    def delete(self) -> None:
        document = self._take()
        if document.id in self.history.family:
            return
        request = pb.DeleteDocumentRequest(document_id=document.id)
        try:
            self.stubs.ingest.DeleteDocument(request, timeout=self.timeout())
        except grpc.RpcError:
            self.history.deleted(document.id, answered=False)
            raise
        self.history.deleted(document.id, answered=True)

    def batch(self) -> None:
        documents = [self.history.new_document(self.rng) for _ in range(self.rng.randint(2, 8))]
        request = pb.BatchIngestDocumentsRequest(documents=map(document_to_message, documents))
        try:
            answers = self.stubs.ingest.BatchIngestDocuments(request, timeout=self.timeout()).judgements
        except grpc.RpcError:
            self.history.batches.append([document.id for document in documents])
            self.history.unanswered(documents)
            raise
        for document, answer in zip(documents, answers, strict=True):
            self.history.answered(document, judgement_from_message(answer))
        self.own += documents

    def stream(self) -> None:
        documents = [self.history.new_document(self.rng) for _ in range(self.rng.randint(2, 8))]
        requests = [pb.StreamIngestDocumentsRequest(document=document_to_message(document)) for document in documents]
        waiting = list(documents)
        try:
            for answer in self.stubs.ingest.StreamIngestDocuments(iter(requests), timeout=self.timeout()):
                if answer.item.HasField("judgement"):
                    self.history.answered(waiting[0], judgement_from_message(answer.item.judgement))
                    self.own.append(waiting.pop(0))
                elif answer.item.HasField("error"):
                    self.history.unanswered([waiting.pop(0)])
        except grpc.RpcError:
            self.history.unanswered(waiting)
            raise

    def check(self) -> None:
        document = self.rng.choice(self.own)
        item = check_pb.CheckItem(document=document_to_message(document))
        answer = self.stubs.check.CheckText(check_pb.CheckTextRequest(item=item), timeout=10).judgement
        assert wire.judgement_from_message(answer).replayed, document.id


@contextmanager
def load(history: History, address: str, seed: object) -> Iterator[None]:
    """Run callers until the server is gone, or the block ends; fail if one of them was told what cannot be."""
    faults: list[BaseException] = []
    stopped = threading.Event()

    def run(caller: Caller) -> None:
        try:
            while not stopped.is_set():
                try:
                    caller.step()
                except grpc.RpcError as error:
                    code = error.code()
                    if code == GONE:
                        return
                    if code not in (*LATE, *REFUSED):
                        raise
        except (AssertionError, grpc.RpcError) as fault:
            faults.append(fault)

    with Stubs(address) as stubs:
        known = history.stored()
        callers = [Caller(history, stubs, f"{seed} {number}", known[number::CALLERS]) for number in range(CALLERS)]
        threads = [threading.Thread(target=run, args=(caller,), daemon=True) for caller in callers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopped.set()
            for thread in threads:
                thread.join(30)
    if faults:
        raise faults[0]
    assert not any(thread.is_alive() for thread in threads), "a call hangs"
