"""The kept set, in the form of the input: lines as they were, Parquet with its columns, texts as files."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from numpy.typing import NDArray

from baznashr.types import Span
from baznashr_server.bulk.inputs import Form, Input
from baznashr_server.bulk.mapping import Fields, value_at
from baznashr_server.bulk.payload import is_raw, without_views
from baznashr_server.bulk.reading import UNNAMED, header_of
from baznashr_server.bulk.spill import Order, in_order
from baznashr_server.bulk.unpacking import PACKED, packing
from baznashr_server.bulk.writing import whole

GROUP = 512
SUFFIX = {"gzip": ".gz", "zstd": ".zst", "xz": ".xz", "bzip2": ".bz2"}
ROW_GROUP = 8192
ROW_GROUP_BYTES = 64 << 20
Spans = Mapping[int, tuple[Span, ...]]
"""Of texts to be cleaned, by the row in the order."""


@contextmanager
def _packed(path: Path, how: str) -> Iterator[Any]:
    with whole(path) as part, part.open("wb") as raw, ExitStack() as stack:
        match how:
            case "gzip":
                yield stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0, compresslevel=6))
            case "zstd":
                yield stack.enter_context(zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
            case "xz":
                yield stack.enter_context(lzma.LZMAFile(raw, "wb"))
            case "bzip2":
                yield stack.enter_context(bz2.BZ2File(raw, "wb"))
            case _:
                yield raw


class Kept:
    """Writes the kept rows, each form into files of its own."""

    def __init__(self, folder: Path, inputs: Sequence[Input], fields: Fields, encoding: str, stack: ExitStack) -> None:
        self._folder = folder
        self._inputs = inputs
        self._fields = fields
        self._encoding = encoding
        self._stack = stack
        self._lines: IO[bytes] | None = None
        self._tables: dict[Form, tuple[Any, list[str], io.TextIOWrapper]] = {}
        self._parquet: list[_Gathered] = []

    def _of(self, form: Form) -> list[Input]:
        return [one for one in self._inputs if one.form is form]

    def _open(self, form: Form) -> IO[bytes]:
        ways = {packing(one.path) for one in self._of(form)}
        how = ways.pop() if len(ways) == 1 else ""
        return self._stack.enter_context(_packed(self._folder / f"kept.{form}{SUFFIX.get(how, '')}", how))

    def raw(self, form: Form, raw: bytes) -> None:
        match form:
            case Form.JSONL:
                if self._lines is None:
                    self._lines = self._open(form)
                self._lines.write(raw + b"\n")
            case Form.TEXT:
                record = orjson.loads(raw)
                path = self._folder / "kept" / record["id"]
                path.parent.mkdir(parents=True, exist_ok=True)
                with _packed(path, PACKED.get(path.suffix.lower(), "")) as file:
                    file.write(record["text"].encode())
            case _:
                record = orjson.loads(raw)
                writer, header, _ = self._tables.get(form) or self._open_table(form)
                writer.writerow([record.get(name, "") for name in header])

    def _open_table(self, form: Form) -> tuple[Any, list[str], io.TextIOWrapper]:
        header = list(dict.fromkeys(n for one in self._of(form) for n in header_of(one, self._encoding)))
        text = io.TextIOWrapper(self._open(form), "utf-8", newline="", write_through=False)
        self._stack.callback(text.detach)
        self._stack.callback(text.flush)
        writer = csv.writer(text, delimiter="\t" if form is Form.TSV else ",", lineterminator="\n")
        writer.writerow(["" if name.startswith(UNNAMED) else name for name in header])
        self._tables[form] = writer, header, text
        return self._tables[form]

    def columns(self, payload: pa.Table) -> None:
        for gathered in self._parquet:
            if gathered.writer.schema == payload.schema:
                gathered.add(payload)
                return
        number = len(self._parquet) + 1
        name = "kept.parquet" if number == 1 else f"kept-{number}.parquet"
        path = self._stack.enter_context(whole(self._folder / name))
        writer = self._stack.enter_context(pq.ParquetWriter(path, payload.schema, compression="zstd"))
        gathered = _Gathered(writer)
        self._stack.callback(gathered.flush)
        self._parquet.append(gathered)
        gathered.add(payload)

    def empty(self) -> None:
        """Make the files of those forms of which no row is kept."""
        for form in dict.fromkeys(one.form for one in self._inputs):
            match form:
                case Form.JSONL:
                    self._lines = self._lines or self._open(form)
                case Form.TEXT:
                    (self._folder / "kept").mkdir(exist_ok=True)
                case Form.PARQUET:
                    if not self._parquet and (schema := self._schema()) is not None:
                        self.columns(without_views(schema.empty_table()))
                case _:
                    self._tables.get(form) or self._open_table(form)

    def _schema(self) -> pa.Schema | None:
        """Return the schema of the first Parquet file that can be read."""
        for one in self._of(Form.PARQUET):
            with suppress(pa.ArrowException, OSError):
                return pq.read_schema(one.path)
        return None


class _Gathered:
    """Rows for one row group of a Parquet file."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self.writer = writer
        self._tables: list[pa.Table] = []
        self._rows = self._bytes = 0

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += table.num_rows
        self._bytes += table.get_total_buffer_size()
        if self._rows >= ROW_GROUP or self._bytes >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self.writer.write_table(pa.concat_tables(self._tables), row_group_size=self._rows)
        self._tables, self._rows, self._bytes = [], 0, 0


def write_kept(
    folder: Path,
    runs: Path,
    order: Order,
    kept: NDArray[np.int64],
    inputs: Sequence[Input],
    fields: Fields,
    encoding: str,
    cleaned: Spans,
) -> None:
    """Write the rows *kept*, numbers that ascend, in their order; those *cleaned* without their second copies."""
    file = order.keys.column("file").to_numpy()
    with ExitStack() as stack:
        sink = Kept(folder, inputs, fields, encoding, stack)
        for rows, parts in in_order(runs, order, kept, GROUP):
            for at, payload in parts:
                if not is_raw(payload):
                    sink.columns(_clean_columns(payload, rows[at].tolist(), fields, cleaned))
            raws = [
                (row, raw)
                for at, payload in parts
                if is_raw(payload)
                for row, raw in zip(rows[at].tolist(), payload.column(0).to_pylist(), strict=True)
            ]
            for row, raw in sorted(raws, key=lambda one: one[0]):
                clean = _clean(raw, cleaned[row], fields) if row in cleaned else raw
                sink.raw(inputs[file[row]].form, clean)
        sink.empty()


def _without(text: str, spans: tuple[Span, ...]) -> str:
    from baznashr_server.judge.repetition import remove_repeats  # noqa: PLC0415 - compiles kernels

    return remove_repeats(text, spans)


def _clean(raw: bytes, spans: tuple[Span, ...], fields: Fields) -> bytes:
    record = json.loads(raw)  # which, unlike orjson, leaves long integers what they are
    holder, name = record, fields.text
    if name not in holder:
        *above, name = fields.text.split(".")
        for part in above:
            holder = holder[part]
    holder[name] = _without(value_at(record, fields.text), spans)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _clean_columns(payload: pa.Table, rows: Sequence[int], fields: Fields, cleaned: Spans) -> pa.Table:
    order = np.argsort(rows)
    payload = payload if np.array_equal(order, np.arange(len(rows))) else payload.take(pa.array(order))
    touched = {at: cleaned[rows[i]] for at, i in enumerate(order.tolist()) if rows[i] in cleaned}
    if not touched:
        return payload
    texts = payload.column(fields.text).to_pylist()
    for at, spans in touched.items():
        texts[at] = _without(texts[at], spans)
    column = payload.schema.get_field_index(fields.text)
    kind = payload.schema.field(column)
    return payload.set_column(column, kind, pa.array(texts, kind.type))
