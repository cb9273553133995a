"""What the contract says about single fields of requests: where errors point to, page sizes, page tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from google.protobuf.message import Message

from baznashr.errors import AlreadyExists, InvalidArgument, NotFound


@contextmanager
def errors_at(path: str, *, instead_of: str = "") -> Iterator[None]:
    """Move the field of an error below *path*, or to it from *instead_of*, which is all of the field or its start."""
    try:
        yield
    except (InvalidArgument, AlreadyExists, NotFound) as error:
        if not error.field.startswith(instead_of) or (not instead_of and error.field == "corpus"):
            raise
        rest = error.field.removeprefix(instead_of)
        field = path + rest if instead_of or not rest else f"{path}.{rest}"
        raise type(error)(error.message, reason=error.reason, field=field, metadata=error.metadata) from None


def page_size(asked: int, *, default: int, most: int) -> int:
    """Return the size of a page; more than *most* is cut to it.

    Raises:
        InvalidArgument: It is negative.
    """
    if asked < 0:
        raise InvalidArgument("A page holds no fewer than 0 entries.", reason="INVALID_FIELD", field="page_size")
    return min(asked or default, most)


def page[Entry](entries: Sequence[Entry], token: str, size: int) -> tuple[Sequence[Entry], str]:
    """Return the page that starts at *token* and the token of the next one, empty after the last.

    Raises:
        InvalidArgument: The token is none that was given out.
    """
    if token and not (token.isascii() and token.isdigit() and len(token) <= 9):
        raise InvalidArgument(
            "The page token is none that this service gave.", reason="INVALID_FIELD", field="page_token"
        )
    start = int(token or 0)
    end = start + size
    return entries[start:end], str(end) if end < len(entries) else ""


def fitting[M: Message](messages: Iterable[M], most_bytes: int) -> list[M]:
    """Return the first of *messages*, as many as have no more than *most_bytes* together, and one at least."""
    fit: list[M] = []
    for message in messages:
        most_bytes -= message.ByteSize()
        if fit and most_bytes < 0:
            break
        fit.append(message)
    return fit
