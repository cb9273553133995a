"""What the command reads: texts, documents, and lines of JSON."""

from __future__ import annotations

import json
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from baznashr.errors import BaznashrError, InvalidDocument, InvalidText
from baznashr.types import Document

STDIN = Path("-")
_FIELDS = ("title", "source", "url")
_KNOWN = frozenset(field.name for field in fields(Document))
_MOST_TOLD = 20
"""Of unknown fields: where names are made of values, each line has new ones."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Input(Generic[_T]):
    """One text or document, or why it could not be read."""

    file: Path
    name: str
    """The file, with the line where a file holds several."""
    item: _T | None
    error: BaznashrError | None = None
    size_bytes: int = 0
    """What it takes in its file."""


def read_inputs(
    files: Iterable[Path],
    *,
    jsonl: bool,
    make: Callable[[Path, str], _T],
    parse: Callable[[bytes], _T],
    name: Callable[[Path], str] = str,
) -> Iterator[Input[_T]]:
    """Read *files* one after the other.

    Args:
        files: Whole texts or, with *jsonl*, one JSON object a line.
        jsonl: Which.
        make: Makes an item of a file and its text.
        parse: Makes an item of a line.
        name: What a file is called in answers.

    Raises:
        OSError: A file cannot be read.
    """
    for file in files:
        if jsonl:
            with sys.stdin.buffer if file == STDIN else file.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield _attempt(file, f"{name(file)}:{number}", line, parse)
        else:
            yield _attempt(file, name(file), _read(file), partial(_make, file, make))


def size_of(files: Iterable[Path]) -> int | None:
    """Return how many bytes *files* hold, None where one of them is standard input or another pipe."""
    total = 0
    for file in files:
        if not file.is_file():
            return None
        total += file.stat().st_size
    return total


def _attempt(file: Path, name: str, data: bytes, make: Callable[[bytes], _T]) -> Input[_T]:
    try:
        return Input(file, name, make(data), size_bytes=len(data))
    except BaznashrError as error:
        return Input(file, name, None, error, len(data))


def _make(file: Path, make: Callable[[Path, str], _T], data: bytes) -> _T:
    return make(file, decode(data))


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if file == STDIN else file.read_bytes()


def read_text(file: Path) -> str:
    """Read a file, or standard input where it is ``-``.

    Raises:
        InvalidText: It is not UTF-8.
    """
    return decode(_read(file))


def decode(data: bytes) -> str:
    """Read UTF-8, with or without a byte order mark.

    Raises:
        InvalidText: It is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidText(f"Byte {error.start} is not UTF-8.") from None


class Records:
    """Reads lines of JSON, and says once of each field that no document has that it is left out."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def document(self, line: bytes) -> Document:
        """Read a JSON object as a document.

        Raises:
            InvalidText: The line is not UTF-8.
            InvalidDocument: It is no JSON object with the fields of a document.
        """
        return _document(self._read(line))

    def item(self, line: bytes) -> str | Document:
        """Read a JSON object as a document or, where it has no id, as a bare text; raises as ``document`` does."""
        record = self._read(line)
        return _string(record, "text") if record.get("id") is None else _document(record)

    def _read(self, line: bytes) -> dict[str, Any]:
        record = _object(line)
        unknown = sorted(record.keys() - _KNOWN - self._told)[: _MOST_TOLD - len(self._told)]
        if unknown:
            self._told.update(unknown)
            names = ", ".join(map(reprlib.repr, unknown))
            print(f"baznashr: warning: fields that no document has are left out: {names}", file=sys.stderr, flush=True)
        return record


def _object(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(decode(line))
    except ValueError as error:
        raise InvalidDocument(f"The line is not JSON: {error}.") from None
    except RecursionError:
        raise InvalidDocument("The line's brackets are nested too deeply.") from None
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
