"""Which token may call what: every method of the contract against every scope, and against corpora."""

import re
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from baznashr.status import error_from_status
from baznashr.v1 import (
    admin_service_pb2,
    check_service_pb2,
    corpus_service_pb2,
    ingest_service_pb2,
)
from baznashr_server.limits import MAX_STRANGER_LINES
from tests.support.secrets import bearer, entry, write_tokens
from tests.support.server import DEADLINE_SECONDS, ServerProcess, read_refusal, serving

CONTRACT = {
    f"{service.name}/{method.name}": method
    for file in (check_service_pb2, ingest_service_pb2, corpus_service_pb2, admin_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
SCOPES = {
    "CheckService/CheckText": "read",
    "CheckService/BatchCheckTexts": "read",
    "CheckService/StreamCheckTexts": "read",
    "CheckService/CompareTexts": "read",
    "IngestService/IngestDocument": "write",
    "IngestService/BatchIngestDocuments": "write",
    "IngestService/StreamIngestDocuments": "write",
    "IngestService/GetDocument": "read",
    "IngestService/DeleteDocument": "write",
    "IngestService/ListCluster": "read",
    "IngestService/CreateOverride": "write",
    "IngestService/ListOverrides": "read",
    "CorpusService/CreateCorpus": "admin",
    "CorpusService/GetCorpus": "admin",
    "CorpusService/ListCorpora": "admin",
    "CorpusService/UpdateCorpus": "admin",
    "CorpusService/DeleteCorpus": "admin",
    "CorpusService/PurgeDocuments": "admin",
    "CorpusService/GetCorpusStats": "admin",
    "CorpusService/ListShadowDifferences": "admin",
    "CorpusService/ListBoilerplate": "admin",
    "AdminService/GetServerStatus": "admin",
    "AdminService/BackupStore": "admin",
}
OF_ALL_CORPORA = {"CorpusService/ListCorpora", "AdminService/GetServerStatus", "AdminService/BackupStore"}
REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
NOBODY = (("authorization", "Bearer of-bad-news-who-is-not-known-here-at-all"),)
CALLERS = {"none": (), "unknown": NOBODY, **{scope: bearer(scope) for scope in ("read", "write", "admin")}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a token for each scope, and one of all scopes for the corpus "news" alone."""
    folder = tmp_path_factory.mktemp("scopes")
    entries = [entry(scope, [scope]) for scope in ("read", "write", "admin")]
    tokens = write_tokens(folder / "tokens.toml", *entries, entry("news", corpora=["news"]))
    with serving(folder / "data", "--tokens", str(tokens)) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.listen) as made:
        yield made


def outcome(channel: grpc.Channel, name: str, request: Message, metadata: Any) -> str:
    """Make the call and return its code; of a stream, that of its first item where the stream goes on."""
    method = CONTRACT[name]
    path, data = f"/{method.containing_service.full_name}/{method.name}", request.SerializeToString()
    try:
        if not method.client_streaming:
            channel.unary_unary(path)(data, metadata=metadata, timeout=DEADLINE_SECONDS)
            return "OK"
        answers = channel.stream_stream(path)(iter([data]), metadata=metadata, timeout=DEADLINE_SECONDS)
        _, first = map(GetMessageClass(method.output_type).FromString, answers)
    except grpc.RpcError as error:
        refused = read_refusal(error)
        assert refused.error.reason
        return refused.code
    return error_from_status(first.item.error).default_reason if first.item.HasField("error") else "OK"


def empty(name: str) -> Message:
    made: Message = GetMessageClass(CONTRACT[name].input_type)()
    return made


def about(name: str, corpus: str) -> Message:
    """Return a request of the method that names *corpus* in its own field."""
    request: Any = empty(name)
    setattr(request, "corpus" if "corpus" in request.DESCRIPTOR.fields_by_name else "name", corpus)
    return request


def test_every_method_is_placed() -> None:
    """A method that is added to the contract must be given a scope here, and in the server."""
    assert set(SCOPES) == set(CONTRACT)


@pytest.mark.parametrize("name", SCOPES)
def test_a_method_is_for_its_scope_alone(channel: grpc.Channel, name: str) -> None:
    """Without a token, or with an unknown one, the call is UNAUTHENTICATED; with another scope PERMISSION_DENIED."""
    codes = {caller: outcome(channel, name, empty(name), metadata) for caller, metadata in CALLERS.items()}
    assert codes["none"] == codes["unknown"] == "UNAUTHENTICATED"
    for scope in ("read", "write", "admin"):
        assert (codes[scope] == "PERMISSION_DENIED") == (scope != SCOPES[name]), codes
        assert codes[scope] != "UNAUTHENTICATED"


@pytest.mark.parametrize("name", SCOPES)
def test_a_token_for_one_corpus_reaches_no_other(channel: grpc.Channel, name: str) -> None:
    """Naming another corpus, or none where that means the default, is PERMISSION_DENIED whether it exists or not."""
    news = bearer("news")
    if name in OF_ALL_CORPORA:
        assert outcome(channel, name, empty(name), news) == "PERMISSION_DENIED"
        return
    assert outcome(channel, name, about(name, "other"), news) == "PERMISSION_DENIED"
    assert outcome(channel, name, about(name, "news"), news) not in REFUSED
    if name != "CheckService/CompareTexts":  # two texts need no corpus
        assert outcome(channel, name, empty(name), news) == "PERMISSION_DENIED"


@pytest.mark.parametrize("side", ["earlier", "later"])
def test_comparing_stored_documents_needs_their_corpus(channel: grpc.Channel, side: str) -> None:
    """A stored document of a corpus that the token is not for cannot be compared with."""
    request = check_service_pb2.CompareTextsRequest()
    getattr(request, side).stored_id.id = "a"
    assert outcome(channel, "CheckService/CompareTexts", request, bearer("news")) == "PERMISSION_DENIED"
    getattr(request, side).stored_id.corpus = "news"
    assert outcome(channel, "CheckService/CompareTexts", request, bearer("news")) not in REFUSED


def test_refusals_are_counted_and_logged_without_tokens(server: ServerProcess, channel: grpc.Channel) -> None:
    """Each refusal is counted by its reason and logged with the caller's name; no token and no digest is in the log."""
    before = {reason: server.metric("baznashr_access_refused_total", reason=reason) for reason in ("scope", "no_token")}
    name = "CorpusService/ListCorpora"
    assert outcome(channel, name, empty(name), bearer("read")) == "PERMISSION_DENIED"
    assert outcome(channel, name, empty(name), ()) == "UNAUTHENTICATED"
    for reason, count in before.items():
        assert server.metric("baznashr_access_refused_total", reason=reason) == count + 1
    assert server.metric("baznashr_tokens") == 4
    assert {event.get("caller") for event in server.events() if event.get("code") == "PERMISSION_DENIED"} >= {"read"}
    log = server.log_text()
    digests = re.findall(r"[0-9a-f]{64}", (server.data.parent / "tokens.toml").read_text(encoding="utf-8"))
    presented = [metadata[0][1].removeprefix("Bearer ") for metadata in CALLERS.values() if metadata]
    assert len(digests) == 4
    assert [secret for secret in (*digests, *presented) if secret in log] == []


def test_strangers_do_not_fill_the_log(server: ServerProcess, channel: grpc.Channel) -> None:
    """Of calls without a token a few lines a second are logged, while all are counted; others are logged as ever."""

    def lines(code: str) -> int:
        return len([event for event in server.events() if event.get("code") == code])

    name = "CheckService/CheckText"
    counted = server.metric("baznashr_access_refused_total", reason="no_token")
    strangers, known, begun = lines("UNAUTHENTICATED"), lines("PERMISSION_DENIED"), time.monotonic()
    for _ in range(200):
        assert outcome(channel, name, empty(name), ()) == "UNAUTHENTICATED"
    for _ in range(30):
        assert outcome(channel, name, empty(name), bearer("write")) == "PERMISSION_DENIED"
    passed = time.monotonic() - begun
    assert server.metric("baznashr_access_refused_total", reason="no_token") == counted + 200
    assert lines("UNAUTHENTICATED") - strangers <= MAX_STRANGER_LINES * (passed + 2)
    assert lines("PERMISSION_DENIED") - known == 30


def test_the_requests_of_strangers_are_not_read(server: ServerProcess, channel: grpc.Channel) -> None:
    """A hundred messages of 3 MiB at once without a token are refused and never held; the connection goes on."""
    call = channel.unary_unary("/baznashr.v1.IngestService/BatchIngestDocuments")
    before = server.peak_mib()
    calls = [call.future(bytes(3 << 20), timeout=DEADLINE_SECONDS) for _ in range(100)]
    assert {each.code().name for each in calls} == {"UNAUTHENTICATED"}
    assert server.peak_mib() - before < 100
    assert outcome(channel, "CheckService/CheckText", empty("CheckService/CheckText"), bearer("read")) not in REFUSED
