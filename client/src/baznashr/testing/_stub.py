"""A server without an engine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import grpc

from baznashr import status, wire
from baznashr._rpc import RPCS, Rpc
from baznashr.errors import BaznashrError, DocumentIdReused, NotImplementedByServer
from baznashr.types import Document, Judgement, Verdict

if TYPE_CHECKING:
    from typing_extensions import Self

_NEW = Judgement(Verdict.NEW, repeated=False, reason="NOTHING_COMPARABLE")


class StubServer:
    """A real gRPC server on a free port of this machine that judges as it is told.

    Without being told it judges a text as NEW and the same text again as EXACT. It keeps what is ingested, gives the
    first answer to an id that comes again, refuses one with another text, and deletes. It knows one corpus, whatever
    name it is asked for, and answers every method but check, ingest and delete with ``NotImplementedByServer``.
    """

    def __init__(self) -> None:
        self.judgements: dict[str, Judgement] = {}
        """What to answer, by document id."""
        self.documents: list[Document] = []
        """Those ingested, in order."""
        self.calls: list[str] = []
        """The methods called, such as ``"BatchIngestDocuments"``, attempts that failed included."""
        self._given: dict[str, Judgement] = {}
        self._failures: deque[BaznashrError] = deque()
        self._mutex = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self._answer),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        """What to connect a client to."""

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()

    def fail(self, error: BaznashrError, times: int = 1) -> None:
        """End the next calls with *error*; after ``Unavailable`` a client calls again, three times at most."""
        with self._mutex:
            self._failures.extend([error] * times)

    def _answer(self, rpc: Rpc, request: Any) -> Any:
        with self._mutex:
            self.calls.append(rpc.method)
            if self._failures:
                raise self._failures.popleft()
            answer = self._answers.get(rpc.method)
            if answer is None:
                raise NotImplementedByServer(f"The stub server does not answer {rpc.method}.")
            return answer(self, request)

    def _check(self, request: Any) -> dict[str, Any]:
        return {"judgement": self._check_all([request.item])[0]}

    def _check_batch(self, request: Any) -> dict[str, Any]:
        return {"judgements": self._check_all(request.items)}

    def _ingest(self, request: Any) -> dict[str, Any]:
        return {"judgement": self._ingest_all([request.document], "document", request.replace)[0]}

    def _ingest_batch(self, request: Any) -> dict[str, Any]:
        return {"judgements": self._ingest_all(request.documents, "documents[{}]", request.replace)}

    def _delete(self, request: Any) -> dict[str, Any]:
        kept = [document for document in self.documents if document.id != request.document_id]
        deleted = len(kept) < len(self.documents)
        self.documents[:] = kept
        self._given.pop(request.document_id, None)
        return {"deleted": deleted}

    def _check_all(self, messages: Sequence[Any]) -> list[Any]:
        items = [wire.check_item_from_message(message) for message in messages]
        documents = [Document("", item) if isinstance(item, str) else item for item in items]
        return [wire.judgement_to_message(self._judge(document)) for document in documents]

    def _ingest_all(self, messages: Sequence[Any], path: str, replaces: bool) -> list[Any]:
        documents = [wire.document_from_message(message) for message in messages]
        texts = {document.id: document.text for document in self.documents}
        for place, document in enumerate(documents):
            if not replaces and texts.get(document.id, document.text) != document.text:
                raise DocumentIdReused("The id is stored with another text.", field=f"{path.format(place)}.id")
        return [wire.judgement_to_message(self._store(document)) for document in documents]

    def _store(self, document: Document) -> Judgement:
        stored = next((place for place, other in enumerate(self.documents) if other.id == document.id), None)
        if stored is not None:
            if self.documents[stored].text == document.text:
                return replace(self._given[document.id], replayed=True)
            del self.documents[stored]
        judgement = replace(self._judge(document), stored=True)
        self.documents.append(document)
        self._given[document.id] = judgement
        return judgement

    def _judge(self, document: Document) -> Judgement:
        told = self.judgements.get(document.id)
        if told is None:
            same = next((other.id for other in self.documents if other.text == document.text), None)
            told = (
                _NEW if same is None else Judgement(Verdict.EXACT, True, "SAME_TEXT", canonical_id=same, new_share=0.0)
            )
        return replace(told, document_id=document.id)

    _answers: ClassVar[dict[str, Callable[[StubServer, Any], dict[str, Any]]]] = {
        "CheckText": _check,
        "BatchCheckTexts": _check_batch,
        "IngestDocument": _ingest,
        "BatchIngestDocuments": _ingest_batch,
        "DeleteDocument": _delete,
    }


class _Handlers(grpc.GenericRpcHandler):
    """Hands every unary call to one function."""

    def __init__(self, answer: Callable[[Rpc, Any], dict[str, Any]]) -> None:
        self._answer = answer
        self._rpcs = {rpc.path: rpc for rpc in RPCS}

    def service(self, handler_call_details: Any) -> Any:
        rpc = self._rpcs.get(handler_call_details.method)
        if rpc is None:
            return None

        def handle(request: Any, context: Any) -> Any:
            try:
                return rpc.response(**self._answer(rpc, request))
            except BaznashrError as error:
                code, message, trailers = status.trailers_from_error(error)
                context.set_trailing_metadata(trailers)
                context.abort(grpc.StatusCode[code], message)

        return grpc.unary_unary_rpc_method_handler(
            handle, rpc.request.FromString, lambda response: response.SerializeToString()
        )
