"""Rows of input files as documents, or as what is wrong with them.

What a row was, its payload, goes with it: JSON for rows of text files, all columns for rows of Parquet files. From the
payload the document is read again when its turn comes, and the kept set is written.
"""

from __future__ import annotations

import json
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import count, islice
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from baznashr.errors import BaznashrError
from baznashr.types import Document
from baznashr_server.bulk.inputs import Form, Input
from baznashr_server.bulk.lines import MAX_LINE_BYTES, as_utf8, csv_records, lines
from baznashr_server.bulk.mapping import Fields, document_of, value_at
from baznashr_server.bulk.payload import RAW, in_microseconds, is_raw, without_views
from baznashr_server.bulk.unpacking import CHUNK, Unreadable, ahead, chunks
from baznashr_server.engine.validation import check_document, check_letters
from baznashr_server.limits import MAX_TEXT_LETTERS

PIECE = 256
"""Rows handled at once."""
BROKEN, ENCODING, TOO_LONG, UNREADABLE = "BROKEN_ROW", "BAD_ENCODING", "ROW_TOO_LARGE", "UNREADABLE_FILE"
_LETTERS = frozenset("اآبپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیيكaeiourtnsEAT0123456789۰۱۲۳۴۵۶۷۸۹")
"""Any of them is a letter or digit of the canonical form; texts without are looked at closely."""
NO_LETTERS = frozenset(string.punctuation + string.whitespace + "،؛؟«»…–—\u200c\u200e\u200f\xa0")
"""None of them leaves anything in the canonical form; what consists of nothing else need not be looked at closely."""
MOST_LETTERS = 20
"""Of one code point in the canonical form, at most."""
_ENOUGH = 4096
"""Code points in which one of them is looked for."""


UNNAMED = "\u2060"
"""Before the number of a column that has no name in its file, and none in the kept set."""


class Reject(NamedTuple):
    row: int
    """Line or row in the file, from 1; 0 for the file as a whole."""
    id: str
    reason: str
    message: str


class Piece(NamedTuple):
    rows: Sequence[int]
    documents: Sequence[Document]
    payload: pa.RecordBatch
    """One row a document."""
    places: Sequence[int]
    """Of the documents among the records that have a text, from 0: as datatrove counts."""
    rejects: Sequence[Reject]
    records: int
    """With a text, in the file until here."""


@dataclass(frozen=True, slots=True)
class Reader:
    fields: Fields
    zone: tzinfo
    encoding: str = "utf-8"

    def document(self, record: Mapping[str, Any]) -> Document:
        return document_of(record, self.fields, self.zone)

    def documents(self, payload: pa.Table | pa.RecordBatch) -> list[Document]:
        """Read the documents of payloads again."""
        if is_raw(payload):
            return [self.document(parsed(raw, self.fields)) for raw in payload.column(0).to_pylist()]
        return [self.document(record) for record in self._records(payload)]

    def _records(self, payload: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
        """Return of each row what makes its document; all columns where their digest is the id."""
        if self.fields.id:
            named = {part for name in _named(self.fields) for part in (name, name.split(".")[0])}
            payload = payload.select([name for name in payload.schema.names if name in named])
        records: list[dict[str, Any]] = in_microseconds(payload).to_pylist()
        return records

    def pieces(self, source: Input, digest: Any = None) -> Iterator[Piece]:
        """Yield the rows of a file.

        Raises:
            Unreadable: The file ends too early, or is damaged; what came before was yielded.
        """
        if source.form is Form.PARQUET:
            yield from self._parquet(source)
        else:
            yield from self._raw(source, digest)

    def _raw(self, source: Input, digest: Any) -> Iterator[Piece]:
        places = _Places()
        records = raw_records(source, self.encoding, digest)
        failure: Unreadable | None = None
        while True:
            group: list[RawRecord] = []
            try:
                group.extend(islice(records, PIECE))
            except Unreadable as error:
                failure = error
            if group:
                yield self._piece(group, places)
            if failure is not None:
                raise failure
            if not group:
                return

    def _piece(self, group: Sequence[RawRecord], places: _Places) -> Piece:
        rows, documents, raws, kept_places, rejects = [], [], [], [], []
        for number, raw, reason, message in group:
            if reason:
                if raw:  # a row of too many columns, or too few, is one to other tools
                    places.next(has_text=self._has_text(parsed(raw, self.fields)))
                rejects.append(Reject(number, "", reason, message))
                continue
            try:
                record = parsed(raw, self.fields)
            except ValueError as error:
                rejects.append(Reject(number, "", *_fault_of(raw, error)))
                continue
            document, reject = self._accepted(number, record)
            place = places.next(has_text=self._has_text(record))
            if reject is not None:
                rejects.append(reject)
            elif document is not None:
                rows.append(number)
                documents.append(document)
                raws.append(raw)
                kept_places.append(place)
        payload = pa.record_batch([pa.array(raws, pa.large_binary())], schema=RAW)
        return Piece(rows, documents, payload, kept_places, rejects, places.count)

    def _has_text(self, record: Mapping[str, Any]) -> bool:
        """Return whether other tools count a record, whatever else is wrong with it."""
        text = value_at(record, self.fields.text)
        return isinstance(text, str) and bool(text)

    def _accepted(self, number: int, record: Mapping[str, Any]) -> tuple[Document | None, Reject | None]:
        """Return the document, if one can be made, and why it is refused, if it is."""
        document = None
        try:
            document = self.document(record)
            check_document(document)
            check_has_letters(document.text)
        except BaznashrError as error:
            where = f"{error.field}: " if error.field else ""
            name = document.id if document is not None else ""
            return document, Reject(number, _printable(name), error.reason, where + error.message)
        return document, None

    def _parquet(self, source: Input) -> Iterator[Piece]:
        places = _Places()
        try:
            file = pq.ParquetFile(source.path)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"it is no readable Parquet file: {error}") from error
        damaged = []
        with file:
            _refuse_twins(file.schema_arrow.names)
            first = 1
            for group in range(file.num_row_groups):
                try:
                    number = first
                    for batch in file.iter_batches(PIECE, row_groups=[group]):
                        yield self._columns(without_views(batch), number, places)
                        number += batch.num_rows
                except (pa.ArrowException, OSError) as error:
                    damaged.append(f"row group {group} (rows from {number}): {error}")
                first += file.metadata.row_group(group).num_rows
        if damaged:
            raise Unreadable("; ".join(damaged))

    def _columns(self, batch: pa.RecordBatch, first: int, places: _Places) -> Piece:
        rows, documents, kept, kept_places, rejects = [], [], [], [], []
        for at, record in enumerate(self._each(batch)):
            if isinstance(record, str):
                rejects.append(Reject(first + at, "", ENCODING if "utf" in record.lower() else BROKEN, record))
                continue
            document, reject = self._accepted(first + at, record)
            place = places.next(has_text=self._has_text(record))
            if reject is not None:
                rejects.append(reject)
            elif document is not None:
                rows.append(first + at)
                documents.append(document)
                kept.append(at)
                kept_places.append(place)
        payload = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept, pa.int64()))
        return Piece(rows, documents, payload, kept_places, rejects, places.count)

    def _each(self, batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
        """Return of each row what `_records` does, or why it cannot be read."""
        try:
            batch.validate(full=True)
            return [*self._records(batch)]
        except (ValueError, OverflowError) as error:  # ArrowInvalid and UnicodeDecodeError among them
            if batch.num_rows == 1:
                return [f"The row cannot be read: {error}."]
            return [one for at in range(batch.num_rows) for one in self._each(batch.slice(at, 1))]


class _Places:
    def __init__(self) -> None:
        self.count = 0

    def next(self, *, has_text: bool) -> int:
        place = self.count
        self.count += has_text
        return place


def _named(fields: Fields) -> list[str]:
    return [name for name in (fields.id, fields.text, fields.title, fields.url, fields.source, fields.time) if name]


def parsed(raw: bytes, fields: Fields) -> Mapping[str, Any]:
    """Return the record of a raw payload.

    Raises:
        ValueError: It is no JSON object.
    """
    record: Any = orjson.loads(raw)
    if type(record) is not dict:
        raise ValueError(f"it is no JSON object but a {type(record).__name__}")
    if type(value_at(record, fields.id)) is float:
        record = json.loads(raw)  # an integer too long for orjson
    found: Mapping[str, Any] = record
    return found


def _fault_of(raw: bytes, error: ValueError) -> tuple[str, str]:
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        return ENCODING, f"The row is not of the encoding: {fault.reason} at byte {fault.start}."
    return BROKEN, f"The row is no JSON object: {error}."


def _printable(text: str) -> str:
    return text[:256].encode(errors="backslashreplace").decode()


def check_has_letters(text: str) -> None:
    """Refuse a text whose canonical form is empty or too long, as the engine will.

    Raises:
        InvalidText: It is.
    """
    if not _LETTERS.isdisjoint(text[:_ENOUGH]) and len(text) <= MAX_TEXT_LETTERS // MOST_LETTERS:
        return
    if NO_LETTERS.issuperset(text):
        check_letters(0)
    else:
        from baznashr_server.text.canonical import canonicalise  # noqa: PLC0415 - compiles kernels, and is seldom needed

        check_letters(canonicalise(text).letters.size)


class RawRecord(NamedTuple):
    number: int
    raw: bytes
    """Empty where the row cannot be read at all."""
    reason: str
    message: str


def raw_records(source: Input, encoding: str, digest: Any = None) -> Iterator[RawRecord]:
    """Yield the rows of a text file, each as JSON or with what is wrong with it.

    Raises:
        Unreadable: See `chunks`.
    """
    try:
        packed = chunks(source.path, digest)
        data = as_utf8(ahead(packed) if source.size > CHUNK else packed, encoding)
        if source.form is Form.TEXT:
            yield _text(source, data)
        elif source.form is Form.JSONL:
            yield from _jsonl(data)
        else:
            yield from _csv(data, _delimiter(source.form))
    except OSError as error:
        raise Unreadable(str(error)) from error


def _jsonl(data: Iterator[bytes]) -> Iterator[RawRecord]:
    number = 0
    for block in lines(data):
        for line in block:
            number += 1
            if line is None:
                yield RawRecord(number, b"", TOO_LONG, f"The line has more than {MAX_LINE_BYTES} bytes.")
            elif line and not line.isspace():
                yield RawRecord(number, line, "", "")


def _refuse_twins(columns: Sequence[str]) -> None:
    """Refuse a file with two columns of one name, but columns without any.

    Raises:
        Unreadable: It has.
    """
    if twice := [name for name, times in Counter(columns).items() if name and times > 1]:
        raise Unreadable(f"two columns are named {twice[0]!r}")


def _names(header: Sequence[str]) -> list[str]:
    """Return the columns of a header, those without a name told apart by a number."""
    unnamed = count(1)
    return [name.strip() or f"{UNNAMED}{next(unnamed)}" for name in header]


def _delimiter(form: Form) -> str:
    """Return what separates columns; empty where the header tells."""
    return "\t" if form is Form.TSV else ""


def header_of(source: Input, encoding: str) -> list[str]:
    """Return the columns of a CSV or TSV file; none where it cannot be read."""
    try:
        records = csv_records(lines(as_utf8(chunks(source.path), encoding)), _delimiter(source.form))
        first = next((cells for _, cells, _ in records if cells is not None), [])
    except (Unreadable, OSError):
        return []
    return _names(first)


def _csv(data: Iterator[bytes], delimiter: str) -> Iterator[RawRecord]:
    header: list[str] | None = None
    for line, cells, fault in csv_records(lines(data), delimiter):
        if cells is None:
            yield RawRecord(line, b"", BROKEN, fault)
        elif header is None:
            header = _names(cells)
            _refuse_twins(header)
        else:
            try:
                raw = orjson.dumps(dict(zip(header, cells, strict=not fault)))
                yield RawRecord(line, raw, BROKEN if fault else "", fault)
            except TypeError:
                yield RawRecord(line, b"", ENCODING, "The record is not of the encoding.")


def _text(source: Input, data: Iterator[bytes]) -> RawRecord:
    held: list[bytes] = []
    size = 0
    for chunk in data:
        size += len(chunk)
        if size <= MAX_LINE_BYTES:
            held.append(chunk)
        else:  # and read on, for the digest of the whole file
            held.clear()
    if size > MAX_LINE_BYTES:
        return RawRecord(1, b"", TOO_LONG, f"The file has more than {MAX_LINE_BYTES} bytes.")
    try:
        text = b"".join(held).decode()
        return RawRecord(1, orjson.dumps({"id": source.text_id, "text": text}), "", "")
    except UnicodeDecodeError as error:
        return RawRecord(1, b"", ENCODING, f"The text is not of the encoding: {error.reason} at byte {error.start}.")


def sample(source: Input, encoding: str, most: int) -> Iterator[Mapping[str, Any] | str]:
    """Yield the first records of a file, or why one cannot be read; of Parquet one, for the names in it."""
    try:
        if source.form is Form.PARQUET:
            with pq.ParquetFile(source.path) as file:
                yield dict.fromkeys(file.schema_arrow.names)
            return
        for number, raw, reason, message in islice(raw_records(source, encoding), most):
            try:
                yield f"row {number}: {message}" if reason else parsed(raw, Fields())
            except ValueError as error:
                yield f"row {number}: {_fault_of(raw, error)[1]}"
    except (Unreadable, pa.ArrowException, OSError) as error:
        yield str(error)
