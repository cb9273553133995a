"""A server that answers at once, with the contract's messages: what the load generator and gRPC can do at most.

`python -m benchmarks.noop serve` says "ready" and where it listens, as the real server does.
"""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import uvloop

from baznashr.types import Judgement, Match, MatchedSpan, Verdict
from baznashr.v1 import (
    check_service_pb2,
    check_service_pb2_grpc,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    stream_pb2,
)
from baznashr.wire import judgement_to_message
from baznashr_server import garbage
from baznashr_server.limits import MAX_STREAM_IN_FLIGHT

ANSWER = judgement_to_message(
    Judgement(
        Verdict.NEW,
        repeated=False,
        reason="NOTHING_COMPARABLE",
        document_id="d1234567",
        matches=(Match("d1234", 0.02, 0.03, 0.03, spans=(MatchedSpan(0, 99, 0, 99),), reason="NOTHING_COMPARABLE"),),
        stored=True,
        profile="fa-1",
        policy="1.1",
        digest="0" * 32,
    )
)
"""As long as an average answer."""
WINDOW = stream_pb2.StreamWindow(max_in_flight=MAX_STREAM_IN_FLIGHT)


class Ingest(ingest_service_pb2_grpc.IngestServiceServicer):
    async def IngestDocument(self, request: Any, context: Any) -> ingest_service_pb2.IngestDocumentResponse:
        return ingest_service_pb2.IngestDocumentResponse(judgement=ANSWER)

    async def BatchIngestDocuments(
        self, request: ingest_service_pb2.BatchIngestDocumentsRequest, context: Any
    ) -> ingest_service_pb2.BatchIngestDocumentsResponse:
        return ingest_service_pb2.BatchIngestDocumentsResponse(judgements=[ANSWER] * len(request.documents))

    async def StreamIngestDocuments(
        self, request_iterator: AsyncIterator[ingest_service_pb2.StreamIngestDocumentsRequest], context: Any
    ) -> AsyncIterator[ingest_service_pb2.StreamIngestDocumentsResponse]:
        yield ingest_service_pb2.StreamIngestDocumentsResponse(window=WINDOW)
        async for request in request_iterator:
            item = stream_pb2.StreamItem(sequence=request.sequence, judgement=ANSWER)
            yield ingest_service_pb2.StreamIngestDocumentsResponse(item=item)


class Check(check_service_pb2_grpc.CheckServiceServicer):
    async def CheckText(self, request: Any, context: Any) -> check_service_pb2.CheckTextResponse:
        return check_service_pb2.CheckTextResponse(judgement=ANSWER)

    async def BatchCheckTexts(
        self, request: check_service_pb2.BatchCheckTextsRequest, context: Any
    ) -> check_service_pb2.BatchCheckTextsResponse:
        return check_service_pb2.BatchCheckTextsResponse(judgements=[ANSWER] * len(request.items))


async def serve() -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 << 20)])
    # What they lack is UNIMPLEMENTED, and nobody asks for it.
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(Ingest(), server)  # type: ignore[abstract]
    check_service_pb2_grpc.add_CheckServiceServicer_to_server(Check(), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    garbage.spare()
    print(f"ready listen=127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
