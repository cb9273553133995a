"""What goes wrong in a call, and the exception it becomes."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from baznashr import errors, status, types
from baznashr.v1 import check_service_pb2
from tests.client.stub import judge_batch

REASONS = sorted(
    {
        *status.REASONS.items(),
        ("MALFORMED_MESSAGE", errors.InvalidArgument),
        ("UNAUTHENTICATED", errors.Unauthenticated),
        ("PERMISSION_DENIED", errors.PermissionDenied),
        ("QUOTA_EXCEEDED", errors.QuotaExceeded),
        ("INTERNAL", errors.InternalError),
        ("UNIMPLEMENTED", errors.NotImplementedByServer),
    },
    key=lambda pair: pair[0],
)


def raising(error):
    """Return an answer that ends the call with *error*."""

    def answer(_request):
        raise error

    return answer


@pytest.mark.parametrize(("reason", "kind"), REASONS)
def test_every_reason_raises_its_exception(client, stub, reason, kind):
    """The server's error arrives whole: class, message, reason, field and metadata; it is not tried again."""
    sent = kind("متن «الف» پذیرفته نشد.", reason=reason, field="document.text", metadata={"limit": "1048576"})
    stub.answers["IngestDocument"] = raising(sent)
    with pytest.raises(kind) as caught:
        client.ingest(types.Document(id="a", text="خبر"))
    assert type(caught.value) is kind
    assert vars(caught.value) == vars(sent)
    assert len(stub.asked) == 1


def test_errors_that_pass_may_be_retried():
    """The same call may succeed later after an outage, at another time, or within the quota, and after nothing else."""
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BaznashrError)
    }
    assert {kind.__name__ for kind in kinds if kind.retriable} == {
        "DeadlineExceeded",
        "QuotaExceeded",
        "SpoolFull",
        "Unavailable",
    }


def test_defects_of_the_server_say_nothing_of_themselves(client, stub):
    """An exception in the server is an InternalError without its text."""
    stub.answers["CheckText"] = raising(RuntimeError("/etc/secret"))
    with pytest.raises(errors.InternalError) as caught:
        client.check("خبر")
    assert "secret" not in str(caught.value)


def test_an_unknown_method_is_not_implemented(client, stub):
    """A method the server does not know is NotImplementedByServer."""
    stub.answers["CheckText"] = None
    with pytest.raises(errors.NotImplementedByServer) as caught:
        client.check("خبر")
    assert caught.value.reason == "UNIMPLEMENTED"


def test_a_late_answer_is_deadline_exceeded(connect, address, stub):
    """A call ends at its deadline, and its error may be retried."""
    release = threading.Event()
    stub.answers["CheckText"] = lambda _: release.wait(5)
    with connect(address, timeout=0.2) as client:
        started = time.monotonic()
        with pytest.raises(errors.DeadlineExceeded) as caught:
            client.check("خبر")
        assert time.monotonic() - started < 2
    release.set()
    assert caught.value.retriable


def test_nobody_listening_is_unavailable(connect):
    """A port where nobody listens is Unavailable within the call's time, and may be retried."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with connect(f"127.0.0.1:{unused.getsockname()[1]}") as client, pytest.raises(errors.Unavailable) as caught:
            client.check("خبر")
    assert (caught.value.reason, caught.value.retriable) == ("UNREACHABLE", True)


@pytest.fixture
def broken():
    """The address of a server whose every answer is bytes that are not HTTP/2's."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings, nonsense = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x01\x01\x04\0\0\0\x01\xfe"

    def answer():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(settings)
                    asked = b""
                    while b"/baznashr.v1." not in asked and (block := connection.recv(1 << 16)):
                        asked += block
                    connection.sendall(nonsense)
                    connection.recv(1 << 16)

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_broken_stream_is_an_outage(connect, broken):
    """What gRPC itself calls INTERNAL says nothing about the call: it is Unavailable, and may be retried."""
    with connect(broken, timeout=10) as client, pytest.raises(errors.Unavailable) as caught:
        client.check("خبر")
    assert (caught.value.reason, caught.value.retriable) == ("BROKEN_CONNECTION", True)


def test_an_oversize_request_does_not_leave(client, stub):
    """A request over 4 MiB is MessageTooLarge and reaches no server."""
    with pytest.raises(errors.MessageTooLarge):
        client.check("ب" * (2 << 20))
    assert stub.asked == []


def test_an_oversize_answer_is_named(client, stub):
    """An answer over the client's limit is MessageTooLarge."""
    stub.answers["CheckText"] = lambda _: bytes((64 << 20) + 1)
    with pytest.raises(errors.MessageTooLarge):
        client.check("خبر")


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xff\xff",
        check_service_pb2.CheckTextResponse(),
        check_service_pb2.CheckTextResponse(judgement={"verdict": 99}),
    ],
    ids=["undecodable", "empty", "verdict of a later release"],
)
def test_an_unreadable_answer_is_an_internal_error(client, stub, answer):
    """Neither broken bytes nor values of a later release raise anything but InternalError."""
    stub.answers["CheckText"] = lambda _: answer
    with pytest.raises(errors.InternalError) as caught:
        client.check("خبر")
    assert caught.value.reason == "UNREADABLE_ANSWER"


def test_a_batch_answered_short_is_unreadable(client, stub):
    """Fewer judgements than items is an error, not a shift of all that follow."""

    def answer(request):
        response = judge_batch(request)
        del response.judgements[-1]
        return response

    stub.answers["BatchCheckTexts"] = answer
    with pytest.raises(errors.InternalError) as caught:
        list(client.check_many(["یک", "دو"]))
    assert caught.value.reason == "UNREADABLE_ANSWER"


def test_a_closed_client_says_so(client):
    """A call on a closed client is a ValueError that says closed."""
    client.close()
    with pytest.raises(ValueError, match="closed"):
        client.check("خبر")
