"""Which calls are sent again, how often, and when."""

import json
import time

import pytest

from baznashr import errors, types, wire
from baznashr._channel import Connection, service_config
from baznashr._rpc import RPCS
from baznashr.v1 import check_service_pb2, corpus_service_pb2
from tests.client.stub import JUDGEMENT

ANSWER = check_service_pb2.CheckTextResponse(judgement=wire.judgement_to_message(JUDGEMENT))


def failing(times, error, answer=ANSWER):
    """Return an answer that comes after *times* errors."""
    left = [error] * times

    def respond(_request):
        if left:
            raise left.pop()
        return answer

    return respond


def overloaded(retry_after_ms=None):
    """Return the error of a server that has too much to do."""
    metadata = {} if retry_after_ms is None else {"retry_after_ms": str(retry_after_ms)}
    return errors.Unavailable("Too many calls at once.", reason="OVERLOADED", metadata=metadata)


def test_an_unavailable_server_is_asked_again(client, stub):
    """Two failures are followed by a third attempt, and the server can tell which is which."""
    stub.answers["CheckText"] = failing(2, overloaded())
    assert client.check("خبر") == JUDGEMENT
    attempts = [asked.metadata.get("grpc-previous-rpc-attempts") for asked in stub.asked]
    assert attempts == [None, "1", "2"]


def test_attempts_end_at_four(client, stub):
    """The fourth failure is the caller's, with the server's reason."""
    stub.answers["CheckText"] = failing(9, overloaded())
    with pytest.raises(errors.Unavailable) as caught:
        client.check("خبر")
    assert caught.value.reason == "OVERLOADED"
    assert stub.count("CheckText") == 4


def test_the_server_says_when_to_come_back(client, stub):
    """A push-back is waited for, to the millisecond and not less."""
    stub.answers["CheckText"] = failing(1, overloaded(400))
    started = time.monotonic()
    assert client.check("خبر") == JUDGEMENT
    assert 0.4 <= time.monotonic() - started < 3


def test_the_server_may_forbid_retries(client, stub):
    """A negative push-back ends the attempts."""
    stub.answers["CheckText"] = failing(9, overloaded(-1))
    with pytest.raises(errors.Unavailable):
        client.check("خبر")
    assert stub.count("CheckText") == 1


def test_what_is_not_idempotent_is_sent_once(client, stub):
    """Creating and deleting a corpus are never repeated: the answer to a second attempt would be wrong."""
    stub.answers["CreateCorpus"] = failing(9, overloaded(), corpus_service_pb2.CreateCorpusResponse())
    stub.answers["DeleteCorpus"] = failing(9, overloaded(), corpus_service_pb2.DeleteCorpusResponse())
    for call in (client.create_corpus, client.delete_corpus):
        with pytest.raises(errors.Unavailable):
            call("news")
    assert (stub.count("CreateCorpus"), stub.count("DeleteCorpus")) == (1, 1)


def test_ingest_is_repeated(client, stub):
    """Ingest is idempotent, so a failure that may have been a success is sent again."""
    from baznashr.v1 import ingest_service_pb2

    answer = ingest_service_pb2.IngestDocumentResponse(judgement=wire.judgement_to_message(JUDGEMENT))
    stub.answers["IngestDocument"] = failing(1, overloaded(), answer)
    assert client.ingest(types.Document(id="a", text="خبر")) == JUDGEMENT
    assert stub.count("IngestDocument") == 2


def test_attempts_share_one_deadline(connect, address, stub):
    """Retries do not stretch the call beyond its time."""
    stub.answers["CheckText"] = failing(9, overloaded(300))
    with connect(address, timeout=0.5) as client:
        started = time.monotonic()
        with pytest.raises((errors.DeadlineExceeded, errors.Unavailable)):
            client.check("خبر")
        assert time.monotonic() - started < 3
    assert stub.count("CheckText") <= 2


def test_the_service_config_holds_the_policy_and_no_timeout():
    """Every idempotent method is named, the others are not, and no timeout is set where gRPC's core gets it wrong."""
    config = service_config()
    assert "timeout" not in config.lower()
    (method_config,) = json.loads(config)["methodConfig"]
    named = {(name["service"], name["method"]) for name in method_config["name"]}
    assert named == {
        (rpc.service, rpc.method) for rpc in RPCS if rpc.method not in {"CreateCorpus", "DeleteCorpus", "BackupStore"}
    }
    assert method_config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_channel_options_are_explicit():
    """Message limits are set and finite, keepalive is at least a minute and only during calls."""
    connection = Connection("127.0.0.1:1", timeout=5, token="s3cret", tls=None, token_in_clear=False)
    options = dict(connection.options())
    assert options["grpc.max_send_message_length"] == 4 << 20
    assert options["grpc.max_receive_message_length"] == 64 << 20
    assert options["grpc.keepalive_time_ms"] >= 60_000
    assert options["grpc.keepalive_permit_without_calls"] == 0
    assert "s3cret" not in repr(connection)
