"""The Prometheus endpoint of a running server."""

import random
import time
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from baznashr import Client, types
from baznashr.errors import CorpusNotFound
from baznashr.types import Verdict
from baznashr.v1 import check_service_pb2 as check_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server.engine.observer import LIMITS, STAGES
from baznashr_server.obs.calls import CALL_STAGES
from baznashr_server.obs.metrics import LANES, REFUSALS, code_label
from baznashr_server.obs.sizes import OTHERS
from baznashr_server.obs.storage import FILES
from baznashr_server.rpc.methods import METHODS, SERVICES
from baznashr_server.store.backup import backup_folder
from tests.support.server import ServerProcess, Stubs, refusal

UNLABELLED = (
    *("workers_waiting", "workers_wait_seconds_count", "writes_waiting", "writes_wait_seconds_count", "streams_limit"),
    *("last_backup_timestamp_seconds", "last_expiry_timestamp_seconds", "expired_documents_total", "disk_free_bytes"),
    *("backup_failures_total", "snapshot_failures_total"),
)
PER_LANE = ("running", "running_limit", "waiting", "waiting_limit", "wait_seconds_count")
TEXT = "کتابخانه مرکزی شهر با پنجاه هزار جلد کتاب پس از بازسازی دوباره به روی خوانندگان گشوده شد و نخستین روز شلوغ بود."


def test_every_series_is_there_from_the_start(server: ServerProcess) -> None:
    """The first scrape has each method with each code, each verdict, stage, limit, service and size."""
    series = server.scrape()
    wanted = [
        *(("baznashr_verdicts_total", {"verdict": verdict.value}) for verdict in Verdict),
        *(("baznashr_stage_duration_seconds_count", {"stage": stage}) for stage in STAGES),
        *(("baznashr_limit_hits_total", {"limit": limit}) for limit in LIMITS),
        *(("baznashr_serving", {"service": service}) for service in ("server", *SERVICES)),
        *(
            (f"baznashr_index_{size}", {"corpus": corpus})
            for size in (
                "documents",
                "indexed",
                "memory_bytes",
                "largest_bucket_entries",
                "dropped_postings",
                "boilerplate_passages",
            )
            for corpus in ("default", OTHERS)
        ),
        *((name, {}) for name in ("baznashr_commit_seconds_count",)),
        *((name, {}) for name in ("baznashr_candidates_count", "baznashr_candidates_verified_count")),
        *(("baznashr_refusals_total", {"reason": reason}) for reason in REFUSALS),
        *(("baznashr_calls_slow_total", {"stage": stage}) for stage in CALL_STAGES),
        *((f"baznashr_calls_{name}", {"lane": lane}) for name in PER_LANE for lane in LANES),
        *(("baznashr_store_bytes", {"file": file}) for file in FILES),
        *(("baznashr_cluster_documents_bucket", {"corpus": corpus, "le": "+Inf"}) for corpus in ("default", OTHERS)),
        *((f"baznashr_{name}", {}) for name in UNLABELLED),
        *((name, {}) for name in ("baznashr_calls_refused_total", "baznashr_workers_busy", "baznashr_read_only")),
    ]
    for method in METHODS.values():
        labels = {"grpc_type": method.type, "grpc_service": method.service, "grpc_method": method.name}
        wanted += [("grpc_server_started_total", labels), ("grpc_server_handling_seconds_count", labels)]
        wanted += [("grpc_server_handled_total", {**labels, "grpc_code": code_label(code)}) for code in grpc.StatusCode]
    assert [each for each in wanted if (each[0], frozenset(each[1].items())) not in series] == []
    assert [name for name, _ in series if name.startswith("baznashr_build_info")]


def test_calls_move_their_metrics(server: ServerProcess, stubs: Stubs, corpus: str) -> None:
    """A call, its verdict, its stages, its commit and the index's size are seen at the next scrape."""
    labels = {"grpc_type": "unary", "grpc_service": "baznashr.v1.IngestService", "grpc_method": "IngestDocument"}
    before = server.scrape()

    def risen(name: str, **of: str) -> float:
        key = (name, frozenset(of.items()))
        return server.scrape()[key] - before[key]

    for number in range(3):
        document = Document(id=str(number), text=TEXT)
        stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(corpus=corpus, document=document))
    refusal(lambda: stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(corpus=corpus)))
    item = check_pb.CheckItem(text=TEXT)
    stubs.check.CheckText(check_pb.CheckTextRequest(corpus=corpus, item=item))
    stored = check_pb.CheckItem(document=Document(id="0", text=TEXT))
    stubs.check.CheckText(check_pb.CheckTextRequest(corpus=corpus, item=stored))
    assert risen("grpc_server_handled_total", **labels, grpc_code="OK") == 3
    assert risen("grpc_server_handled_total", **labels, grpc_code="InvalidArgument") == 1
    assert risen("grpc_server_started_total", **labels) == 4
    assert risen("baznashr_verdicts_total", verdict="NEW") == 1
    assert risen("baznashr_verdicts_total", verdict="EXACT") == 3
    assert risen("baznashr_commit_documents_sum") == 3
    assert risen("baznashr_candidates_count") == risen("baznashr_candidates_sum") + 1 == 4
    assert risen("baznashr_index_documents", corpus=OTHERS) == 3
    assert all(risen("baznashr_stage_duration_seconds_count", stage=stage) >= 0 for stage in STAGES)
    assert sum(risen("baznashr_stage_duration_seconds_count", stage=stage) for stage in STAGES) > 0
    assert server.metric("baznashr_calls_running", lane="single") == 0
    assert risen("baznashr_refusals_total", reason="INVALID_DOCUMENT_ID") == 1
    assert risen("baznashr_writes_wait_seconds_count") >= 3
    assert risen("baznashr_workers_wait_seconds_count") == 6


def test_upkeep_is_told(server: ServerProcess, stubs: Stubs, tmp_path: Path) -> None:
    """The start has its times, the census is taken, and a backup from beside the server is known to it."""
    assert server.metric("baznashr_start_seconds", phase="recovery") > 0
    assert server.metric("baznashr_start_seconds", phase="warm_up") > 0
    assert server.metric("baznashr_log_lines_total", level="info") > 0
    assert server.metric("baznashr_last_backup_timestamp_seconds") == 0
    assert backup_folder(server.data, tmp_path / "copy") > 0
    assert time.time() - server.metric("baznashr_last_backup_timestamp_seconds") < 60
    assert time.time() - server.metric("baznashr_last_census_timestamp_seconds") < 120
    assert time.time() - server.metric("baznashr_index_snapshot_timestamp_seconds", corpus="default") < 60
    assert server.metric("baznashr_store_bytes", file="database") > 0


def test_random_requests_make_no_series(server: ServerProcess, stubs: Stubs, seed: int) -> None:
    """However strange the calls are, the series are those of the first scrape."""
    rng = random.Random(seed)
    before = set(server.scrape())
    for _ in range(300):
        corpus, name = ("".join(rng.choices("abcdef-ابپ", k=rng.randint(0, 12))) for _ in range(2))
        document = Document(id=name, text=rng.choice(("", TEXT, name)), source=name)
        method, request = rng.choice(
            (
                (stubs.ingest.IngestDocument, ingest_pb.IngestDocumentRequest(corpus=corpus, document=document)),
                (stubs.check.CheckText, check_pb.CheckTextRequest(corpus=corpus)),
                (stubs.ingest.GetDocument, ingest_pb.GetDocumentRequest(corpus=corpus, document_id=name)),
                (stubs.corpora.CreateCorpus, corpus_pb.CreateCorpusRequest(name=corpus)),
            )
        )
        with suppress(grpc.RpcError):
            method(request)
    assert set(server.scrape()) == before


def test_boilerplate_is_counted_and_listed(server: ServerProcess) -> None:
    """A source's footer shows in the metric and, in its words, to the client; bad page sizes are refused."""
    rng = random.Random(5)
    with Client(server.listen) as client:
        before = server.metric("baznashr_index_boilerplate_passages", corpus="default")
        for number in range(8):
            story = " ".join("".join(rng.choices("ابپتجدرسکلمن", k=5)) for _ in range(100))
            client.ingest(types.Document(id=f"footer-{number}", text=f"{story}\n{TEXT}", source="example.ir"))
        (listed,) = client.list_boilerplate()
        assert listed.text in TEXT
        assert (listed.documents, listed.source, listed.document_id) == (8, "example.ir", "footer-0")
        assert server.metric("baznashr_index_boilerplate_passages", corpus="default") > before
        with pytest.raises(CorpusNotFound):
            client.list_boilerplate("nowhere")


def test_no_text_and_no_id_is_exported(server: ServerProcess, stubs: Stubs, corpus: str) -> None:
    """Whatever is ingested, no label holds it."""
    document = Document(id="tell-tale-id", text=TEXT, source="tell-tale-source")
    stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(corpus=corpus, document=document))
    values = {value for _, labels in server.scrape() for _, value in labels}
    assert not [value for value in values if "tell-tale" in value or corpus in value or not value.isascii()]
