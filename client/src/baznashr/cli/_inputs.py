"""What the command reads: texts, documents, and lines of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from baznashr.errors import BaznashrError, InvalidDocument, InvalidText
from baznashr.types import Document

STDIN = Path("-")
_FIELDS = ("title", "source", "url")

_T = TypeVar("_T")
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Input(Generic[_T]):
    """One text or document, or why it could not be read."""

    name: str
    """The file, with the line where a file holds several."""
    item: _T | None
    error: BaznashrError | None = None


def read_inputs(
    files: Iterable[Path], *, jsonl: bool, make: Callable[[str, str], _T], parse: Callable[[bytes], _T]
) -> Iterator[Input[_T]]:
    """Read *files* one after the other: *make* takes a file's name and text, *parse* a line of JSON."""
    for file in files:
        if jsonl:
            with sys.stdin.buffer if file == STDIN else file.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield _attempt(f"{file}:{number}", parse, line)
        else:
            yield _attempt(str(file), _make, file, make)


def _attempt(name: str, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Input[_T]:
    try:
        return Input(name, read(*args, **kwargs))
    except BaznashrError as error:
        return Input(name, None, error)


def _make(file: Path, make: Callable[[str, str], _T]) -> _T:
    return make(file.name, read_text(file))


def read_text(file: Path) -> str:
    """Read a file, or standard input where it is ``-``.

    Raises:
        InvalidText: It is not UTF-8.
    """
    return _decode(sys.stdin.buffer.read() if file == STDIN else file.read_bytes())


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidText(f"Byte {error.start} is not UTF-8.") from None


def parse_document(line: bytes) -> Document:
    """Read a JSON object as a document.

    Raises:
        InvalidText: The line is not UTF-8.
        InvalidDocument: It is no JSON object with the fields of a document.
    """
    return _document(_object(line))


def parse_item(line: bytes) -> str | Document:
    """Read a JSON object as a document or, where it has no id, as a bare text; raises as ``parse_document`` does."""
    record = _object(line)
    return _string(record, "text") if record.get("id") is None else _document(record)


def _object(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(_decode(line))
    except ValueError as error:
        raise InvalidDocument(f"The line is not JSON: {error}.") from None
    if not isinstance(record, dict):
        raise InvalidDocument("The line is not a JSON object.")
    return record


def _document(record: dict[str, Any]) -> Document:
    labels = record.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise InvalidDocument("The labels are not an object of strings.", field="labels")
    return Document(
        id=_string(record, "id"),
        text=_string(record, "text"),
        **{name: _string(record, name) for name in _FIELDS if record.get(name) is not None},
        published_at=_time(record),
        labels=labels,
    )


def _string(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise InvalidDocument(f"The {name} is {'missing' if value is None else 'not a string'}.", field=name)
    return value


def _time(record: dict[str, Any]) -> datetime | None:
    if record.get("published_at") is None:
        return None
    value = _string(record, "published_at")
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise InvalidDocument(
            "The time is not in the form 2024-05-01T12:30:00+03:30.",
            reason="INVALID_PUBLISHED_AT",
            field="published_at",
        ) from None
