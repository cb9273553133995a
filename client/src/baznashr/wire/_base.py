"""What all conversions share: strings, enums and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from baznashr.errors import InvalidArgument, InvalidCorpus, InvalidDocument, InvalidText

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_NANOS_PER_SECOND = 1_000_000_000
_INT32 = 1 << 31
_WANTED = {bool: "True or False", int: "a number", float: "a number"}

_E = TypeVar("_E", bound=Enum)
_M = TypeVar("_M")
_P = ParamSpec("_P")


def build(message: Callable[_P, _M], *args: _P.args, **fields: _P.kwargs) -> _M:
    """Build a message, or name the field that it cannot carry.

    Raises:
        InvalidArgument: A string holds a lone surrogate, a number is out of range, or a value is of a wrong type.
    """
    try:
        return message(*args, **fields)
    except UnicodeEncodeError:
        field = next((name for name, value in fields.items() if not _encodable(value)), "")
        raise refused(field, "A lone surrogate is no character; no encoding can carry it.") from None
    except TypeError:
        alone: Callable[..., Any] = message
        for name, value in fields.items():
            try:
                alone(**{name: value})
            except TypeError:  # noqa: PERF203 - once, and then the call is over
                wanted = _WANTED.get(type(getattr(alone(), name)), "a string")
                raise wrong_type(name, value, wanted) from None
        raise
    except ValueError:
        field = next(
            (name for name, value in fields.items() if isinstance(value, int) and not -_INT32 <= value < _INT32), ""
        )
        raise InvalidArgument("The number is out of range.", reason="INVALID_FIELD", field=field) from None


def _encodable(value: object) -> bool:
    if isinstance(value, str):
        return value.encode(errors="ignore").decode() == value
    if isinstance(value, dict):
        return all(_encodable(part) for pair in value.items() for part in pair)
    return not isinstance(value, (list, tuple)) or all(_encodable(part) for part in value)


def wrong_type(field: str, value: object, wanted: str = "a string") -> InvalidArgument:
    """Return the error for a value that is not what is *wanted*, or that holds what is not."""
    parts = [part for pair in value.items() for part in pair] if isinstance(value, dict) else [value]
    found = next((part for part in parts if not isinstance(part, str)), value)
    return refused(field, f"The value must be {wanted}, not {type(found).__name__}.")


def refused(field: str, message: str) -> InvalidArgument:
    """Return the error for a value that its field cannot carry."""
    if field == "text":
        return InvalidText(message, field=field)
    if field in {"corpus", "name"}:
        return InvalidCorpus(message, field=field)
    if field in {"id", "document_id", "target_id"}:
        return InvalidDocument(message, reason="INVALID_DOCUMENT_ID", field=field)
    if field == "published_at":
        return InvalidDocument(message, reason="INVALID_PUBLISHED_AT", field=field)
    return InvalidDocument(message, field=field)


class EnumTable(Generic[_E]):
    """Members of an enum of ours and the numbers they travel as."""

    def __init__(self, members: type[_E], wire: _EnumTypeWrapper[Any], prefix: str) -> None:
        self._name = prefix.lower()
        self._numbers: dict[_E, Any] = {member: wire.Value(f"{prefix}_{member.name}") for member in members}
        self._members = {number: member for member, number in self._numbers.items()}

    def number(self, member: _E, field: str = "") -> Any:
        try:
            return self._numbers[member]
        except (KeyError, TypeError):  # the latter of what cannot be looked up at all, such as a list
            raise InvalidArgument(f"{member!r:.60} is no {self._name}.", reason="INVALID_FIELD", field=field) from None

    def member(self, number: int, field: str) -> _E:
        member = self._members.get(number)
        if member is None:
            raise InvalidArgument(
                f"{number} names no {self._name} that this release knows.", reason="INVALID_FIELD", field=field
            )
        return member


def time_to_message(time: datetime | None, field: str) -> Timestamp | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise wrong_type(field, time, "a datetime")
    if time.utcoffset() is None:
        raise InvalidDocument("A time must say its time zone.", reason="INVALID_PUBLISHED_AT", field=field)
    seconds, microseconds = divmod((time - _EPOCH) // _MICROSECOND, 1_000_000)
    return Timestamp(seconds=seconds, nanos=microseconds * 1000)


def time_from_message(message: Any, field: str) -> datetime | None:
    """Read a time in UTC, to the microsecond; None where it is unset."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    if not 0 <= stamp.nanos < _NANOS_PER_SECOND:
        raise InvalidDocument(
            "The nanoseconds of a time lie between 0 and 999,999,999.", reason="INVALID_PUBLISHED_AT", field=field
        )
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        raise InvalidDocument(
            "The time lies outside the years 1 to 9999.", reason="INVALID_PUBLISHED_AT", field=field
        ) from None


def required_time(message: Any, field: str) -> datetime:
    time = time_from_message(message, field)
    if time is None:
        raise InvalidArgument("The time is missing.", reason="INVALID_FIELD", field=field)
    return time
