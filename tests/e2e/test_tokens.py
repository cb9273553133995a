"""Tokens while the server serves: revoked, added, broken files, quotas, and what the SDK makes of refusals."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import grpc
import pytest

from baznashr import Client
from baznashr.errors import PermissionDenied, QuotaExceeded, Unauthenticated
from baznashr.pipeline import RepeatGuard
from baznashr.status import error_from_status
from baznashr.types import Document as Article
from baznashr.v1 import check_service_pb2 as pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from tests.support.secrets import bearer, entry, token_for, write_tokens
from tests.support.server import DEADLINE_SECONDS, ServerProcess, Stubs, read_refusal, refusal, serving

REQUEST = pb.CheckTextRequest(item=pb.CheckItem(text="خبر کوتاه امروز"))


BASE = (
    entry("old"),
    entry("other"),
    entry("reader", ["read"]),
    entry("slow", documents_per_second=4.0, burst=4.0),
    entry("seldom", documents_per_second=0.01, burst=1.0),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose tokens the tests change."""
    folder = tmp_path_factory.mktemp("tokens")
    file = write_tokens(folder / "tokens.toml", *BASE)
    with serving(folder / "data", "--tokens", str(file)) as running:
        yield running


@pytest.fixture
def tokens(shared: ServerProcess) -> Path:
    """The file of tokens, as at the start."""
    file = write_tokens(shared.data.parent / "tokens.toml", *BASE)
    eventually(lambda: shared.metric("baznashr_tokens") == len(BASE))
    return file


@pytest.fixture
def server(shared: ServerProcess, tokens: Path) -> ServerProcess:
    return shared


def check(stubs: Stubs, caller: str) -> object:
    return stubs.check.CheckText(REQUEST, metadata=bearer(caller), timeout=DEADLINE_SECONDS)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the server has noticed a change."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_tokens_change_while_serving(server: ServerProcess, tokens: Path) -> None:
    """A new token works beside the old one, and the old one not once it is revoked; calls by others go on."""
    with Stubs(server.listen) as stubs:
        check(stubs, "old")
        assert refusal(lambda: check(stubs, "new")).code == "UNAUTHENTICATED"
        write_tokens(tokens, entry("old"), entry("new"), entry("other"))
        eventually(lambda: server.metric("baznashr_tokens") == 3)
        check(stubs, "old")
        check(stubs, "new")
        write_tokens(tokens, entry("new"), entry("other"))
        eventually(lambda: server.metric("baznashr_tokens") == 2)
        assert refusal(lambda: check(stubs, "old")).code == "UNAUTHENTICATED"
        check(stubs, "new")
        check(stubs, "other")


def test_a_stream_ends_with_its_token(server: ServerProcess, tokens: Path) -> None:
    """An open stream whose token is revoked is told so at its next item, which is not judged."""
    with Stubs(server.listen) as stubs:
        items: SimpleQueue[pb.StreamCheckTextsRequest | None] = SimpleQueue()
        answers = stubs.check.StreamCheckTexts(iter(items.get, None), metadata=bearer("old"))
        assert next(answers).HasField("window")
        items.put(pb.StreamCheckTextsRequest(sequence=1, item=REQUEST.item))
        assert next(answers).item.HasField("judgement")
        write_tokens(tokens, entry("other"))
        eventually(lambda: server.metric("baznashr_tokens") == 1)
        items.put(pb.StreamCheckTextsRequest(sequence=2, item=REQUEST.item))
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        items.put(None)
        assert read_refusal(ended.value).code == "UNAUTHENTICATED"


def test_a_broken_file_changes_nothing_and_is_told(server: ServerProcess, tokens: Path) -> None:
    """While the file cannot be used the tokens before it stay; a metric and one log line say so, until it is mended."""
    with Stubs(server.listen) as stubs:
        tokens.write_text("[[token]]\nname = 'half", encoding="utf-8")
        eventually(lambda: server.metric("baznashr_secrets_unusable", files="tokens") == 1)
        check(stubs, "old")
        time.sleep(1.5)
        (line,) = [event for event in server.events() if event["level"] == "error"]
        assert "is no TOML" in line["reason"]
        write_tokens(tokens, entry("other"))
        eventually(lambda: server.metric("baznashr_secrets_unusable", files="tokens") == 0)
        assert refusal(lambda: check(stubs, "old")).code == "UNAUTHENTICATED"


def test_quotas_hold_and_say_when_to_come_back(server: ServerProcess) -> None:
    """Beyond its burst a caller is refused with the time to wait, after which it is served; others are not held back.

    A batch counts as its documents, an item of a stream fails by itself.
    """
    with Stubs(server.listen) as stubs:
        before = server.metric("baznashr_access_refused_total", reason="quota")
        documents = [Document(id=str(n), text=f"{n} خبر کوتاه امروز") for n in range(4)]
        batch = ingest_pb.BatchIngestDocumentsRequest(documents=documents)
        stubs.ingest.BatchIngestDocuments(batch, metadata=bearer("slow"))
        refused = refusal(lambda: check(stubs, "slow"))
        assert (refused.code, refused.error.reason) == ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
        wait = int(refused.error.metadata["retry_after_ms"])
        assert 0 < wait <= 250
        for _ in range(20):
            check(stubs, "other")
        time.sleep(wait / 1000)
        check(stubs, "slow")
        items = (pb.StreamCheckTextsRequest(sequence=n, item=REQUEST.item) for n in range(8))
        _, *answers = stubs.check.StreamCheckTexts(items, metadata=bearer("slow"))
        errors = [error_from_status(answer.item.error) for answer in answers if answer.item.HasField("error")]
        assert [answer.item.sequence for answer in answers] == list(range(8))
        assert errors
        assert all(isinstance(error, QuotaExceeded) for error in errors)
        assert server.metric("baznashr_access_refused_total", reason="quota") == before + 1 + len(errors)


def test_the_sdk_says_who_is_refused(server: ServerProcess) -> None:
    """No token, an unknown one and a scope that is missing come out as the SDK's own exceptions, not to be retried."""
    with Client(server.listen) as nobody, pytest.raises(Unauthenticated) as refused:
        nobody.check("خبر")
    assert not refused.value.retriable
    with Client(server.listen, token=token_for("unknown")) as stranger, pytest.raises(Unauthenticated):
        stranger.list_corpora()
    with Client(server.listen, token=token_for("old")) as known:
        assert known.check("خبر کوتاه").verdict


def test_the_sdk_says_what_is_refused_and_guards_wait_out_quotas(server: ServerProcess) -> None:
    """A missing scope is PermissionDenied, whatever a guard does; a quota is an outage to it, which passes."""
    article = Article(id="a", text="خبر کوتاه امروز")
    with Client(server.listen, token=token_for("reader")) as client:
        assert client.check("خبر").verdict
        with pytest.raises(PermissionDenied) as refused:
            client.ingest(article)
        assert refused.value.metadata == {"scope": "write"}
    with Client(server.listen, token=token_for("seldom")) as client:
        client.check("خبر")
        with RepeatGuard(client, on_unavailable="accept") as guard:
            assert str(guard.admit(article).state) == "ACCEPTED"
