"""IngestService: judges and stores."""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import cycle
from typing import cast

from baznashr import wire
from baznashr.errors import DocumentNotFound
from baznashr.types import Document, Judgement
from baznashr.v1 import ingest_service_pb2 as pb
from baznashr.v1 import ingest_service_pb2_grpc, stream_pb2
from baznashr_server import limits
from baznashr_server.engine import Engine
from baznashr_server.rpc.admission import Admission
from baznashr_server.rpc.fields import errors_at, page, page_size
from baznashr_server.rpc.gathering import MOST_ITEMS, Gathering, Item, Key
from baznashr_server.rpc.interception import Context
from baznashr_server.rpc.memory import Ceiling
from baznashr_server.rpc.runner import Runner, finished, standing_aside
from baznashr_server.rpc.streams import answers

_OVERRIDES_PAGE = 500
_MAX_OVERRIDES_PAGE = 1000


def _submit(engine: Engine, items: Sequence[Item], key: Key, *, bulk: bool) -> Future[list[Judgement]]:
    corpus, replace = key
    return engine.submit(cast("Sequence[Document]", items), corpus, replace, bulk=bulk)


_submit_single = partial(_submit, bulk=False)
_submit_items = partial(_submit, bulk=True)


async def _ingest(
    gathering: Gathering, request: pb.IngestDocumentRequest | pb.StreamIngestDocumentsRequest
) -> Judgement:
    with errors_at("document"):
        document = wire.document_from_message(request.document)
        return await gathering.ask(document, (wire.corpus_name(request.corpus), request.replace))


def _submit_batch(engine: Engine, request: pb.BatchIngestDocumentsRequest) -> Future[list[Judgement]]:
    documents = []
    for number, message in enumerate(standing_aside(engine, request.documents)):
        with errors_at(f"documents[{number}]"):
            documents.append(wire.document_from_message(message))
    return engine.submit(documents, wire.corpus_name(request.corpus), request.replace)


def _batch_answer(engine: Engine, judgements: list[Judgement]) -> pb.BatchIngestDocumentsResponse:
    return pb.BatchIngestDocumentsResponse(
        judgements=map(wire.judgement_to_message, standing_aside(engine, judgements))
    )


def _get(engine: Engine, request: pb.GetDocumentRequest) -> pb.GetDocumentResponse:
    with errors_at("document_id", instead_of="id"):
        stored = engine.get(request.document_id, wire.corpus_name(request.corpus))
    return pb.GetDocumentResponse(document=wire.stored_document_to_message(stored))


def _delete(engine: Engine, request: pb.DeleteDocumentRequest) -> pb.DeleteDocumentResponse:
    corpus = wire.corpus_name(request.corpus)
    with errors_at("document_id", instead_of="id"):
        deleted = engine.delete(request.document_id, corpus)
    if not deleted and not request.allow_missing:
        raise DocumentNotFound(
            "No such document is stored.",
            field="document_id",
            metadata={"document_id": request.document_id, "corpus": corpus},
        )
    return pb.DeleteDocumentResponse(deleted=deleted)


def _list_cluster(engine: Engine, request: pb.ListClusterRequest) -> pb.ListClusterResponse:
    limit = page_size(request.page_size, default=limits.MAX_CLUSTER_PAGE, most=limits.MAX_CLUSTER_PAGE)
    with errors_at("document_id", instead_of="id"):
        cluster = engine.list_cluster(request.document_id, wire.corpus_name(request.corpus), limit=limit)
    return pb.ListClusterResponse(cluster=wire.cluster_to_message(cluster))


def _create_override(engine: Engine, request: pb.CreateOverrideRequest) -> pb.CreateOverrideResponse:
    with errors_at("override"):
        override = engine.override(wire.override_from_message(request.override), wire.corpus_name(request.corpus))
    return pb.CreateOverrideResponse(override=wire.override_to_message(override))


def _list_overrides(engine: Engine, request: pb.ListOverridesRequest) -> pb.ListOverridesResponse:
    size = page_size(request.page_size, default=_OVERRIDES_PAGE, most=_MAX_OVERRIDES_PAGE)
    overrides = engine.list_overrides(wire.corpus_name(request.corpus))
    shown, token = page(overrides, request.page_token, size)
    return pb.ListOverridesResponse(overrides=map(wire.override_to_message, shown), next_page_token=token)


class IngestServicer(ingest_service_pb2_grpc.IngestServiceServicer):
    def __init__(self, runner: Runner, admission: Admission, ceiling: Ceiling, most_a_commit: int) -> None:
        self._runner = runner
        most = min(MOST_ITEMS, most_a_commit)
        self._singles = runner.gathering(_submit_single, most=most)
        # The items of several streams go together; each stream keeps to one queue, and so its order.
        queues = (
            runner.gathering(_submit_items, bulk=True, in_order=True, most=most) for _ in range(self._singles.at_once)
        )
        self._streams = cycle(tuple(queues))
        self._admission = admission
        self._ceiling = ceiling

    async def IngestDocument(self, request: pb.IngestDocumentRequest, context: Context) -> pb.IngestDocumentResponse:
        self._ceiling.check()
        judgement = await _ingest(self._singles, request)
        return pb.IngestDocumentResponse(judgement=wire.judgement_to_message(judgement))

    async def BatchIngestDocuments(
        self, request: pb.BatchIngestDocumentsRequest, context: Context
    ) -> pb.BatchIngestDocumentsResponse:
        self._ceiling.check()
        answer = partial(
            _batch_answer, self._runner.engine
        )  # asked for now: what is stored is answered, whatever comes
        judgements = await finished(await self._runner.run(_submit_batch, request, bulk=True))
        return await self._runner.aside(answer, judgements)

    async def GetDocument(self, request: pb.GetDocumentRequest, context: Context) -> pb.GetDocumentResponse:
        return await self._runner.run(_get, request)

    async def DeleteDocument(self, request: pb.DeleteDocumentRequest, context: Context) -> pb.DeleteDocumentResponse:
        return await self._runner.run(_delete, request)

    async def ListCluster(self, request: pb.ListClusterRequest, context: Context) -> pb.ListClusterResponse:
        return await self._runner.run(_list_cluster, request)

    async def CreateOverride(self, request: pb.CreateOverrideRequest, context: Context) -> pb.CreateOverrideResponse:
        return await self._runner.run(_create_override, request)

    async def ListOverrides(self, request: pb.ListOverridesRequest, context: Context) -> pb.ListOverridesResponse:
        return await self._runner.run(_list_overrides, request)

    async def StreamIngestDocuments(
        self, request_iterator: AsyncIterator[pb.StreamIngestDocumentsRequest], context: Context
    ) -> AsyncIterator[pb.StreamIngestDocumentsResponse]:
        window = stream_pb2.StreamWindow(max_in_flight=limits.MAX_STREAM_IN_FLIGHT)
        yield pb.StreamIngestDocumentsResponse(window=window)
        items = next(self._streams)

        async def ingest(request: pb.StreamIngestDocumentsRequest) -> Judgement:
            async with self._admission.turn(patient=True, bulk=True):
                self._ceiling.check()
                return await _ingest(items, request)

        async for item in answers(request_iterator, ingest, window.max_in_flight, self._admission.closing):
            yield pb.StreamIngestDocumentsResponse(item=item)
