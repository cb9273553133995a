"""A store that cannot write any more: the server says so, keeps what it has, and goes on checking."""

import resource
import sys
import time
from pathlib import Path

import pytest

from baznashr.types import Verdict
from baznashr.v1 import admin_service_pb2 as admin_pb
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr.wire import judgement_from_message
from baznashr_server.rpc.methods import CHECK_SERVICE, INGEST_SERVICE
from tests.support.server import Stubs, refusal, serving

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process's file size")
TEXT = "بیمارستان تازه شهر با صد و بیست تخت و چهار اتاق جراحی امروز با حضور مردم گشوده شد و از فردا بیمار می‌پذیرد."


def test_a_failed_write_turns_ingest_off_and_leaves_checks_on(tmp_path: Path) -> None:
    """When the disk takes no more, ingest is refused with READ_ONLY and its health falls; the rest is as before."""
    data = tmp_path / "data"
    with serving(data) as server, Stubs(server.listen) as stubs:
        stored = stubs.ingest.IngestDocument(
            ingest_pb.IngestDocumentRequest(document=Document(id="kept", text=TEXT))
        ).judgement
        assert stored.stored
        largest = max(file.stat().st_size for file in data.iterdir() if file.is_file())
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest, largest))
        big = Document(id="lost", text=" ".join(map(str, range(100_000))))
        got = refusal(lambda: stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(document=big)))
        assert (got.code, got.error.reason) == ("FAILED_PRECONDITION", "READ_ONLY")
        assert "apsw" not in got.everything
        assert ".py" not in got.everything
        deadline = time.monotonic() + 5
        while stubs.is_serving(INGEST_SERVICE) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not stubs.is_serving(INGEST_SERVICE)
        assert stubs.is_serving(CHECK_SERVICE)
        assert stubs.is_serving()
        assert server.metric("baznashr_read_only") == 1
        why = stubs.admin.GetServerStatus(admin_pb.GetServerStatusRequest()).status.read_only_reason
        assert why
        (line,) = [line for line in server.events() if line["level"] == "error"]
        assert why in line["event"]
        item = check_pb.CheckItem(text=TEXT)
        checked = stubs.check.CheckText(check_pb.CheckTextRequest(item=item)).judgement
        assert judgement_from_message(checked).verdict is Verdict.EXACT
        server.stop()
    with serving(data) as server, Stubs(server.listen) as stubs:
        assert stubs.corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest()).stats.documents == 1
