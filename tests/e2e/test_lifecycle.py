"""A server from its start to its end: readiness, health, one owner of a folder, and how it stops."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from baznashr.v1 import admin_service_pb2 as admin_pb
from baznashr.v1 import corpus_service_pb2 as corpus_pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server.rpc.methods import ADMIN_SERVICE, SERVICES
from tests.lifecycle.content import wait_until
from tests.support.server import (
    DEADLINE_SECONDS,
    NOT_SERVING,
    SERVING,
    Stubs,
    command,
    environment,
    launched,
    read_refusal,
    refusal,
    serving,
)

TEXT = "نمایشگاه کتاب شهر با حضور ناشران بیست استان گشایش یافت و تا پایان هفته از ساعت ده تا بیست پذیرای مردم است."


def ingest(stubs: Stubs, number: int, **options: float) -> ingest_pb.IngestDocumentResponse:
    document = Document(id=str(number), text=f"{TEXT} شماره {number}")
    return stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(document=document), **options)


def ingest_later(stubs: Stubs, number: int) -> Any:
    document = Document(id=str(number), text=f"{TEXT} شماره {number}")
    request = ingest_pb.IngestDocumentRequest(document=document)
    return stubs.ingest.IngestDocument.future(request, timeout=DEADLINE_SECONDS)


def run_to_its_end(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, env=environment(), capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
    )


def watch(stubs: Stubs, service: str = "") -> Iterator[int]:
    for answer in stubs.health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_SECONDS):
        yield answer.status


def test_a_server_that_is_stopped_while_it_starts_is_never_ready(tmp_path: Path) -> None:
    """At SIGTERM before it is ready it ends, never says that it were, and leaves a folder that the next one takes."""
    with launched(tmp_path / "data") as server:
        wait_until(lambda: "listening" in server.log_text())
        server.signal()
        assert server.process.wait(DEADLINE_SECONDS) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
        assert [line["event"] for line in server.events()][-2:] == ["stopping", "stopped"]
    with serving(tmp_path / "data") as server, Stubs(server.listen) as stubs:
        ingest(stubs, 1)


def test_stopping_is_said_first_and_ends_watches(tmp_path: Path) -> None:
    """At SIGTERM health turns NOT_SERVING while calls are still taken; then watches end and the exit code is 0."""
    with serving(tmp_path / "data", "--drain-seconds", "1") as server, Stubs(server.listen) as stubs:
        statuses = watch(stubs)
        assert next(statuses) == SERVING
        server.signal()
        assert next(statuses) == NOT_SERVING
        assert not stubs.is_serving(SERVICES[0])
        ingest(stubs, 1)
        assert list(statuses) == []
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 5  # open watches do not use up the grace


def test_calls_in_flight_at_sigterm_are_whole(tmp_path: Path) -> None:
    """With 200 calls in flight at SIGTERM each is answered, or refused retriably; what was answered is there, once.

    A slow commit holds them: 64 have their turn and the others wait for one. Calls that come later are refused.
    """
    data = tmp_path / "data"
    slow = ("--group-commit-wait-ms", "600", "--max-concurrent-calls", "64", "--max-queued-calls", "512")
    with serving(data, *slow) as server, Stubs(server.listen) as stubs:
        calls = {number: ingest_later(stubs, number) for number in range(200)}
        in_flight = ("baznashr_calls_running", "baznashr_calls_waiting")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while sum(server.metric(name, lane="single") for name in in_flight) < len(calls):
            assert time.monotonic() < deadline
        assert not any(call.done() for call in calls.values())
        server.signal()
        for number in range(200, 240):
            calls[number] = ingest_later(stubs, number)
            time.sleep(0.005)
        failed = {number: call.exception() for number, call in calls.items() if call.exception()}
        assert server.stop() == 0
    refused = [read_refusal(error) for error in failed.values()]
    assert {one.code for one in refused} <= {"UNAVAILABLE"}
    assert all(one.error.retriable for one in refused)
    assert len(failed) <= 40  # what was taken before the signal is finished within the grace
    with serving(data) as server, Stubs(server.listen) as stubs:
        for number in calls.keys() - failed.keys():
            stubs.ingest.GetDocument(ingest_pb.GetDocumentRequest(document_id=str(number)))
        again = [call.result().judgement for call in [ingest_later(stubs, number) for number in calls]]
        assert all(each.stored for each in again)
        assert {number for number, each in zip(calls, again, strict=True) if not each.replayed} <= failed.keys()
        stats = stubs.corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest()).stats
        assert stats.documents == len(calls)


def test_an_open_stream_ends_retriably(tmp_path: Path) -> None:
    """A feed that would last for ever is answered as far as it was read, and told to go elsewhere."""
    with serving(tmp_path / "data") as server, Stubs(server.listen) as stubs:
        more: SimpleQueue[ingest_pb.StreamIngestDocumentsRequest | None] = SimpleQueue()
        more.put(ingest_pb.StreamIngestDocumentsRequest(sequence=7, document=Document(id="a", text=TEXT)))
        answers = stubs.ingest.StreamIngestDocuments(iter(more.get, None))
        assert next(answers).HasField("window")
        assert next(answers).item.sequence == 7
        begun = time.monotonic()
        server.signal()
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        more.put(None)
        assert read_refusal(ended.value).error.reason == "SHUTTING_DOWN"
        assert server.stop() == 0
        assert time.monotonic() - begun < 5


def test_a_late_call_is_all_or_nothing(tmp_path: Path) -> None:
    """However early the deadline, a document is stored whole or not at all, and a retry gets its answer."""
    with serving(tmp_path / "data") as server, Stubs(server.listen) as stubs:
        ingest(stubs, 0)
        late = set()
        for number in range(1, 60):
            try:
                ingest(stubs, number, timeout=number / 20_000)
            except grpc.RpcError as error:
                late.add(read_refusal(error).code)
        assert late <= {"DEADLINE_EXCEEDED"}
        judgements = [ingest(stubs, number).judgement for number in range(1, 60)]
        assert all(each.stored for each in judgements)
        stats = stubs.corpora.GetCorpusStats(corpus_pb.GetCorpusStatsRequest()).stats
        assert stats.documents == 60
        assert not [event for event in server.events() if event["level"] == "error"]


def test_what_was_answered_outlives_the_process(tmp_path: Path) -> None:
    """A document that was answered is there after a kill, and repeats of it are known."""
    data = tmp_path / "data"
    with serving(data) as server, Stubs(server.listen) as stubs:
        digest = ingest(stubs, 1).judgement.digest
        server.process.kill()
        server.process.wait(DEADLINE_SECONDS)
    with serving(data) as server, Stubs(server.listen) as stubs:
        document = Document(id="copy", text=f"{TEXT} شماره 1")
        judgement = stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(document=document)).judgement
        assert (judgement.canonical_id, judgement.digest) == ("1", digest)


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """A second server on the folder ends with one clear sentence that names the owner; the first goes on."""
    data = tmp_path / "data"
    with serving(data) as server, Stubs(server.listen) as stubs:
        second = run_to_its_end(command(data, "--log-level", "error"))
        assert second.returncode == 1
        assert second.stdout == ""
        (sentence,) = second.stderr.splitlines()
        assert sentence.startswith("baznashr-server: ")
        assert str(server.process.pid) in sentence
        ingest(stubs, 1)


@pytest.mark.parametrize("flag", ["listen", "metrics"])
def test_an_address_has_one_owner(tmp_path: Path, flag: str) -> None:
    """A second server on the address ends with one clear sentence, and takes no connections from the first."""
    with serving(tmp_path / "data") as server:
        address = getattr(server, flag)
        taken = command(tmp_path / "other", f"--{flag}", address)
        second = run_to_its_end(taken)
        assert second.returncode == 1
        assert f"Cannot listen on {address}" in second.stderr.splitlines()[-1]
        assert "Traceback" not in second.stderr


def test_admin_has_its_own_address_where_asked(tmp_path: Path) -> None:
    """With an address of its own, the AdminService is there and nowhere else; health is on both."""
    with serving(tmp_path / "data", "--admin", "127.0.0.1:0", "--metrics", "") as server:
        assert server.metrics == ""
        with Stubs(server.listen) as stubs, Stubs(server.admin) as admin:
            request = admin_pb.GetServerStatusRequest()
            assert admin.admin.GetServerStatus(request).status.profile == "fa-1"
            assert refusal(lambda: stubs.admin.GetServerStatus(request)).code == "UNIMPLEMENTED"
            assert refusal(lambda: ingest(admin, 1)).code == "UNIMPLEMENTED"
            assert stubs.is_serving(ADMIN_SERVICE)
            assert admin.is_serving(ADMIN_SERVICE)


@pytest.mark.parametrize("asked", [True, False])
def test_reflection_is_there_where_asked(tmp_path: Path, asked: bool) -> None:
    """Reflection lists the services with the flag; without it there is none."""
    flags = ["--reflection"] if asked else []
    with serving(tmp_path / "data", *flags) as server, grpc.insecure_channel(server.listen) as channel:
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
        if asked:
            (answer,) = answers
            assert set(SERVICES) <= {service.name for service in answer.list_services_response.service}
        else:
            assert refusal(lambda: next(answers)).code == "UNIMPLEMENTED"


def test_overload_is_refused_and_health_still_answers(tmp_path: Path) -> None:
    """With one place and no queue, excess calls are told when to come back, and health is not among them."""
    flags = ("--max-concurrent-calls", "1", "--max-queued-calls", "0", "--group-commit-wait-ms", "200")
    with serving(tmp_path / "data", *flags) as server, Stubs(server.listen) as stubs, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(ingest, stubs, number, timeout=DEADLINE_SECONDS) for number in range(8)]
        assert stubs.is_serving()
        errors = [error for call in calls if (error := call.exception())]
        refused = [read_refusal(error) for error in errors]
        assert 1 <= len(refused) < len(calls)
        assert {one.error.reason for one in refused} == {"OVERLOADED"}
        assert all(int(one.error.metadata["retry_after_ms"]) > 0 for one in refused)
        assert server.metric("baznashr_calls_refused_total") == len(refused)
