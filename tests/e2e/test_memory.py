"""A ceiling for the process's memory: documents are refused before the kernel ends the process; the rest goes on."""

import errno
from contextlib import nullcontext
from pathlib import Path
from random import Random

import grpc
import pytest

from baznashr import Client
from baznashr.errors import Unavailable
from baznashr.types import Document
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import ingest_service_pb2 as pb
from baznashr.wire import document_to_message
from baznashr_server.rpc import memory
from tests.support.server import Stubs, serving
from tests.support.texts import article


def test_documents_are_refused_above_the_ceiling(tmp_path: Path) -> None:
    """Single calls, batches and stream items are told to come back; checks and deletions are answered."""
    message = document_to_message(Document("a", article(Random(1))))
    with serving(tmp_path / "data", "--max-memory-mib", "1") as server, Stubs(server.listen) as stubs:
        calls = (
            lambda: stubs.ingest.IngestDocument(pb.IngestDocumentRequest(document=message)),
            lambda: stubs.ingest.BatchIngestDocuments(pb.BatchIngestDocumentsRequest(documents=[message])),
        )
        for call in calls:
            with pytest.raises(grpc.RpcError) as refused:
                call()
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        with Client(server.listen, timeout=4) as client, pytest.raises(Unavailable) as said:
            client.ingest(Document("a", article(Random(1))))
        assert said.value.metadata["cause"] == "memory"
        items = iter([pb.StreamIngestDocumentsRequest(document=message)])
        *_, last = stubs.ingest.StreamIngestDocuments(items)
        assert last.item.error.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert stubs.check.CheckText(check_pb.CheckTextRequest(item=check_pb.CheckItem(document=message))).judgement
        assert not stubs.ingest.DeleteDocument(pb.DeleteDocumentRequest(document_id="a", allow_missing=True)).deleted


def test_without_a_descriptor_the_last_look_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that cannot be looked at refuses no document by itself, and lets none in that was refused."""

    def no_descriptor() -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(memory, "LOOK_SECONDS", 0)
    for held in (1, 3):
        ceiling = memory.Ceiling(2)
        monkeypatch.setattr(memory, "held_bytes", lambda held=held: held)
        for _ in range(2):
            with pytest.raises(Unavailable) if held > 2 else nullcontext():
                ceiling.check()
            monkeypatch.setattr(memory, "held_bytes", no_descriptor)
