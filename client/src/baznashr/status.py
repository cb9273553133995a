"""Errors on the wire: gRPC status codes, ``google.rpc`` details, and the exceptions of ``baznashr.errors``.

The server builds with it and the client reads with it, so both agree. It does not import grpc: status codes are names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from baznashr import errors
from baznashr.v1.status_pb2 import BadRequest, ErrorInfo, RetryInfo, Status

DOMAIN = "baznashr"
DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
LONGEST_PUSHBACK_MS = 2000
"""A longer pause is the caller's to make: gRPC would sleep through the deadline, and the reason would be lost."""
_DO_NOT_RETRY = -1
RETRY_AFTER_MS = "retry_after_ms"
"""An error whose metadata hold this asks the caller to wait that many milliseconds before the next attempt."""

CODE_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""gRPC's status codes, each at its number."""

# The codes our errors travel with, and the exception to raise for a code that comes without a reason of ours.
_CODES: Mapping[type[errors.BaznashrError], str] = {
    errors.InvalidArgument: "INVALID_ARGUMENT",
    errors.NotFound: "NOT_FOUND",
    errors.AlreadyExists: "ALREADY_EXISTS",
    errors.FailedPrecondition: "FAILED_PRECONDITION",
    errors.Unauthenticated: "UNAUTHENTICATED",
    errors.PermissionDenied: "PERMISSION_DENIED",
    errors.QuotaExceeded: "RESOURCE_EXHAUSTED",
    errors.Unavailable: "UNAVAILABLE",
    errors.DeadlineExceeded: "DEADLINE_EXCEEDED",
    errors.Cancelled: "CANCELLED",
    errors.NotImplementedByServer: "UNIMPLEMENTED",
    errors.InternalError: "INTERNAL",
}
_BY_CODE = {code: error for error, code in _CODES.items()} | {"OUT_OF_RANGE": errors.InvalidArgument}

# Reasons that have an exception narrower than their code's.
REASONS: Mapping[str, type[errors.BaznashrError]] = MappingProxyType(
    {
        "EMPTY_TEXT": errors.InvalidText,
        "TEXT_TOO_LARGE": errors.InvalidText,
        "MALFORMED_TEXT": errors.InvalidText,
        "INVALID_DOCUMENT_ID": errors.InvalidDocument,
        "INVALID_PUBLISHED_AT": errors.InvalidDocument,
        "INVALID_FIELD": errors.InvalidDocument,
        "EMPTY_BATCH": errors.InvalidBatch,
        "BATCH_TOO_LARGE": errors.InvalidBatch,
        "DUPLICATE_DOCUMENT_ID": errors.InvalidBatch,
        "INVALID_CORPUS_NAME": errors.InvalidCorpus,
        "INVALID_POLICY": errors.InvalidCorpus,
        "INVALID_WINDOW": errors.InvalidCorpus,
        "MESSAGE_TOO_LARGE": errors.MessageTooLarge,
        "DOCUMENT_NOT_FOUND": errors.DocumentNotFound,
        "CORPUS_NOT_FOUND": errors.CorpusNotFound,
        "DOCUMENT_ID_REUSED": errors.DocumentIdReused,
        "CORPUS_EXISTS": errors.CorpusExists,
        "PROFILE_MISMATCH": errors.ProfileMismatch,
        "READ_ONLY": errors.ReadOnly,
        "TEXT_NOT_KEPT": errors.TextNotKept,
        "LIMIT_REACHED": errors.LimitReached,
    }
)

# Reasons of those that other fields of a request have too, which are no document's.
_OF_ANY_FIELD = frozenset({"INVALID_FIELD"})
_IN_A_DOCUMENT = re.compile(r"(^|\.)documents?(\[\d+\])?(\.|$)")

_MAX_BYTES = 300
"""Of each text of an error, as UTF-8: gRPC takes 8 KiB of trailers at most, and the message is in them three times."""

_UNFORESEEN = "The service failed on this call; its log says why."


def status_from_error(error: BaseException) -> Status:
    """Return the status to answer with, long texts cut.

    What is no error of the wire, such as a defect or a damaged store, becomes INTERNAL and says nothing of itself.
    """
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
    if code is None or not isinstance(error, errors.BaznashrError):
        return status_from_error(errors.InternalError(_UNFORESEEN))
    message, field = _cut(error.message), _cut(error.field)
    metadata = {key: _cut(value) for key, value in error.metadata.items()}
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if field:
        violation = BadRequest.FieldViolation(field=field, description=message)
        details.append(BadRequest(field_violations=[violation]))
    delay = error.metadata.get(RETRY_AFTER_MS)
    if delay is not None:
        details.append(RetryInfo(retry_delay=_duration(int(delay))))
    return Status(code=CODE_NAMES.index(code), message=message, details=[_pack(detail) for detail in details])


def trailers_from_error(error: BaseException) -> tuple[str, str, tuple[tuple[str, str | bytes], ...]]:
    """Return the code's name, the message and the trailers that end a call with *error*."""
    status = status_from_error(error)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if isinstance(error, errors.BaznashrError) and RETRY_AFTER_MS in error.metadata:
        pause = int(error.metadata[RETRY_AFTER_MS])
        trailers.append((PUSHBACK_KEY, str(pause if pause <= LONGEST_PUSHBACK_MS else _DO_NOT_RETRY)))
    return CODE_NAMES[status.code], status.message, tuple(trailers)


def error_from_status(status: Status) -> errors.BaznashrError:
    """Return the exception that *status* stands for."""
    code = CODE_NAMES[status.code] if 0 <= status.code < len(CODE_NAMES) else "UNKNOWN"
    info, bad_request = ErrorInfo(), BadRequest()
    for detail in status.details:
        _unpack(detail, info)
        _unpack(detail, bad_request)
    field = bad_request.field_violations[0].field if bad_request.field_violations else ""
    if info.domain != DOMAIN:
        return _error_from_grpc(code, status.message)
    kind = None if info.reason in _OF_ANY_FIELD and not _IN_A_DOCUMENT.search(field) else REASONS.get(info.reason)
    kind = kind or _BY_CODE.get(code, errors.InternalError)
    return kind(status.message, reason=info.reason, field=field, metadata=info.metadata)


def error_from_trailers(code: str, message: str, details: bytes | None) -> errors.BaznashrError:
    """Return the exception for a call that ended with the status *code*, with or without details of ours."""
    try:
        status = Status.FromString(details or b"")
    except DecodeError:
        status = Status()
    # gRPC itself may end a call after the server wrote its details; the code that arrived is the one to believe.
    if CODE_NAMES.index(code) != status.code:
        return _error_from_grpc(code, message)
    return error_from_status(status)


def _error_from_grpc(code: str, message: str) -> errors.BaznashrError:
    """Return the exception for an error that gRPC, or something between client and server, raised by itself."""
    if code == "RESOURCE_EXHAUSTED" and "larger than max" in message:
        return errors.MessageTooLarge(message)
    if code == "RESOURCE_EXHAUSTED" and "metadata size exceeds" in message:
        # Headers or trailers beyond what one side takes are no quota: the same call would fail again.
        return errors.InternalError(message)
    if code == "INTERNAL":
        # Ours carry details. This is a broken stream, or a proxy that reset it: it says nothing about the call.
        return errors.Unavailable(message or "The connection broke.", reason="BROKEN_CONNECTION")
    return _BY_CODE.get(code, errors.InternalError)(message or f"The call ended with {code}.")


def _cut(text: str) -> str:
    utf8 = text.encode()
    return text if len(utf8) <= _MAX_BYTES else utf8[:_MAX_BYTES].decode(errors="ignore") + "…"


def _type_url(message: Message) -> str:
    return f"type.googleapis.com/google.rpc.{message.DESCRIPTOR.name}"


def _pack(detail: Message) -> Any:
    return Any(type_url=_type_url(detail), value=detail.SerializeToString())


def _unpack(packed: Any, into: Message) -> None:
    if packed.type_url == _type_url(into):
        with suppress(DecodeError):
            into.ParseFromString(packed.value)


def _duration(milliseconds: int) -> Duration:
    seconds, rest = divmod(milliseconds, 1000)
    return Duration(seconds=seconds, nanos=rest * 1_000_000)
