"""Errors on the wire."""

import re
from base64 import b64encode
from urllib.parse import quote

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2

from baznashr import errors, status
from baznashr_server.obs.metrics import REFUSALS


def error_classes(root=errors.BaznashrError):
    """Yield every public exception."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_classes(child)


def documented_reasons():
    """Yield the class and each reason that the tree at the head of the module gives it."""
    for line in errors.__doc__.splitlines():
        entry = re.match(r"[\s│]*[├└]── (\w+)\s+([A-Z_]{2,}(?:, [A-Z_]{2,})*)", line)
        if entry:
            for reason in entry[2].split(", "):
                yield getattr(errors, entry[1]), reason


REASONS = sorted(documented_reasons(), key=lambda pair: pair[1])
AT_HOME = (errors.StoreError, errors.SpoolError)
"""Raised where the store or the spool is, and never sent."""
ON_THE_WIRE = [
    # A reason of several classes arrives as the narrowest.
    (kind, reason)
    for kind, reason in REASONS
    if not issubclass(kind, AT_HOME) and kind is status.REASONS.get(reason, kind)
]


def test_the_tree_names_every_exception():
    """The tree in the docstring holds each class once, every reason of the table under its class, and all others."""
    names = re.findall(r"[├└]── (\w+)", errors.__doc__)
    assert sorted(["BaznashrError", *names]) == sorted(kind.__name__ for kind in error_classes())
    assert set(status.REASONS.items()) <= {(reason, kind) for kind, reason in REASONS}
    assert {*REFUSALS} - {errors.InvalidArgument.default_reason} <= {reason for _, reason in REASONS}


@pytest.mark.parametrize(("kind", "reason"), ON_THE_WIRE, ids=[reason for _, reason in ON_THE_WIRE])
def test_every_reason_comes_back_as_its_exception(kind, reason):
    """Class, message, reason, field and metadata survive the trailers of a call."""
    sent = kind("متن خالی است.", reason=reason, field="documents[3].text", metadata={"limit": "256"})
    code, message, trailers = status.trailers_from_error(sent)
    received = status.error_from_trailers(code, message, dict(trailers)[status.DETAILS_KEY])
    assert type(received) is kind
    assert vars(received) == vars(sent)


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("document.title", errors.InvalidDocument),
        ("documents[12].labels", errors.InvalidDocument),
        ("item.document.source", errors.InvalidDocument),
        ("page_size", errors.InvalidArgument),
        ("document_id", errors.InvalidArgument),
        ("override.target_id", errors.InvalidArgument),
        ("", errors.InvalidArgument),
    ],
)
def test_only_a_document_is_an_invalid_one(field, kind):
    """A field that is wrong makes an InvalidDocument where it is a document's, and nowhere else."""
    sent = kind("The field is wrong.", reason="INVALID_FIELD", field=field)
    code, message, trailers = status.trailers_from_error(sent)
    assert type(status.error_from_trailers(code, message, dict(trailers)[status.DETAILS_KEY])) is kind


def test_the_details_are_those_of_google_rpc():
    """A client that knows google.rpc and nothing of ours reads the status and all its details."""
    sent = errors.Unavailable(
        "Too much at once.", reason="OVERLOADED", field="documents", metadata={"retry_after_ms": "1250"}
    )
    code, message, trailers = status.trailers_from_error(sent)
    received = status_pb2.Status.FromString(dict(trailers)[status.DETAILS_KEY])
    assert (code, message, received.code, received.message) == ("UNAVAILABLE", sent.message, 14, sent.message)
    info, bad_request, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    assert all(
        packed.Unpack(detail) for packed, detail in zip(received.details, (info, bad_request, retry), strict=True)
    )
    assert (info.reason, info.domain) == ("OVERLOADED", "baznashr")
    assert bad_request.field_violations[0].field == "documents"
    assert retry.retry_delay.ToTimedelta().total_seconds() == 1.25
    assert dict(trailers)[status.PUSHBACK_KEY] == "1250"


def test_a_long_pause_is_left_to_the_caller():
    """Where gRPC would wait too long it is told, by a negative pushback, not to try again; the caller sees how long."""
    for pause, pushback in (("2000", "2000"), ("2001", "-1"), ("60000", "-1"), ("-1", "-1")):
        sent = errors.Unavailable("Later.", reason="OVERLOADED", metadata={"retry_after_ms": pause})
        code, message, trailers = status.trailers_from_error(sent)
        assert dict(trailers)[status.PUSHBACK_KEY] == pushback
        received = status.error_from_trailers(code, message, dict(trailers)[status.DETAILS_KEY])
        assert received.metadata["retry_after_ms"] == pause


@pytest.mark.parametrize("letter", ["x", "ش", "\N{GRINNING FACE}"])
def test_long_texts_are_cut(letter):
    """An error that quotes whatever was sent fits into half of what gRPC takes; what no limit forbids is whole."""
    long, longest_id = letter * 20_000, letter * (256 // len(letter.encode()))
    sent = errors.NotFound(long, field=long, metadata={"document_id": longest_id, "corpus": long})
    code, message, trailers = status.trailers_from_error(sent)
    details = dict(trailers)[status.DETAILS_KEY]
    assert len(quote(message)) + len(b64encode(details)) < 4096
    received = status.error_from_trailers(code, message, details)
    assert received.metadata["document_id"] == longest_id
    for text in (received.message, received.field, received.metadata["corpus"]):
        assert text.endswith("…")
        assert long.startswith(text[:-1])


@pytest.mark.parametrize(
    "error",
    [ValueError("/etc/secret"), errors.StoreDamaged("/var/lib/page 7"), errors.BaznashrError("naked"), KeyError("x")],
    ids=repr,
)
def test_defects_say_nothing_of_themselves(error):
    """What is no error of the wire becomes INTERNAL with the same text whatever it was."""
    code, message, trailers = status.trailers_from_error(error)
    assert code == "INTERNAL"
    assert str(error) not in message
    assert trailers == status.trailers_from_error(RuntimeError())[2]


@pytest.mark.parametrize(
    ("code", "message", "kind", "reason"),
    [
        (
            "RESOURCE_EXHAUSTED",
            "Received message larger than max (5 vs. 4)",
            errors.MessageTooLarge,
            "MESSAGE_TOO_LARGE",
        ),
        ("RESOURCE_EXHAUSTED", "Sent message larger than max (5 vs. 4)", errors.MessageTooLarge, "MESSAGE_TOO_LARGE"),
        (
            "RESOURCE_EXHAUSTED",
            "Stream removed (received metadata size exceeds hard limit (value length 20000 vs. 16384))",
            errors.InternalError,
            "INTERNAL",
        ),
        ("RESOURCE_EXHAUSTED", "slow down", errors.QuotaExceeded, "QUOTA_EXCEEDED"),
        ("UNIMPLEMENTED", "Method not found!", errors.NotImplementedByServer, "UNIMPLEMENTED"),
        ("UNAVAILABLE", "failed to connect", errors.Unavailable, "UNREACHABLE"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ("CANCELLED", "", errors.Cancelled, "CANCELLED"),
        ("INTERNAL", "Received RST_STREAM with error code 2", errors.Unavailable, "BROKEN_CONNECTION"),
        ("UNKNOWN", "", errors.InternalError, "INTERNAL"),
        ("DATA_LOSS", "", errors.InternalError, "INTERNAL"),
        ("OUT_OF_RANGE", "", errors.InvalidArgument, "INVALID_ARGUMENT"),
    ],
)
def test_errors_of_grpc_itself_become_ours(code, message, kind, reason):
    """A status without details of ours raises the exception of its code, and never an empty sentence."""
    error = status.error_from_trailers(code, message, None)
    assert (type(error), error.reason) == (kind, reason)
    assert error.message


@pytest.mark.parametrize(
    "details",
    [b"\xff\xff\xff", b"", status.Status(code=5, message="no").SerializeToString()],
    ids=["undecodable", "empty", "bare"],
)
def test_details_that_cannot_be_read_do_no_harm(details):
    """Broken or missing details leave the exception of the code."""
    assert type(status.error_from_trailers("NOT_FOUND", "no", details)) is errors.NotFound


def test_a_broken_or_foreign_detail_is_passed_over():
    """A detail that does not parse, and an ErrorInfo of another domain, are as good as none."""
    url = "type.googleapis.com/google.rpc.ErrorInfo"
    foreign = status.ErrorInfo(reason="EMPTY_TEXT", domain="proxy").SerializeToString()
    for value in (b"\xff\xff\xff", foreign):
        sent = status.Status(code=3, message="no", details=[Any(type_url=url, value=value)])
        assert type(status.error_from_status(sent)) is errors.InvalidArgument


def test_a_reason_of_a_newer_server_keeps_its_name():
    """A reason unknown to this release raises the exception of its code and keeps the reason."""
    sent = errors.NotFound("gone", reason="CLUSTER_NOT_FOUND")
    received = status.error_from_status(status.status_from_error(sent))
    assert (type(received), received.reason) == (errors.NotFound, "CLUSTER_NOT_FOUND")


def test_the_code_that_arrived_wins():
    """Details of another code than the call ended with are not believed."""
    _, _, trailers = status.trailers_from_error(errors.InvalidText("no", reason="EMPTY_TEXT"))
    error = status.error_from_trailers("DEADLINE_EXCEEDED", "late", dict(trailers)[status.DETAILS_KEY])
    assert type(error) is errors.DeadlineExceeded


def test_every_status_code_is_known():
    """The names are grpc's, each at its number."""
    import grpc

    assert [(code.value[0], code.name) for code in grpc.StatusCode] == list(enumerate(status.CODE_NAMES))
