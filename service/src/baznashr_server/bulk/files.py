"""Records in files: JSON Lines, plain or compressed, and Parquet, by the file's name."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import batched, count
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from baznashr.errors import InvalidArgument

Record = Mapping[str, Any]
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
ROW_GROUP = 8192
"""Records of one row group: some 20 MB of articles in memory."""


class Numbered(NamedTuple):
    number: int
    """Of the line or row, from 1."""
    record: Record | None
    fault: str
    """Why there is no record."""


def check_name(path: Path) -> None:
    """Refuse a file whose name does not say its form.

    Raises:
        InvalidArgument: It does not, or it says Parquet and pyarrow is not installed.
    """
    if not path.name.endswith(SUFFIXES):
        raise InvalidArgument(f"{path}: the name must end in one of {', '.join(SUFFIXES)}", reason="INVALID_FIELD")
    if path.suffix == ".parquet":
        _parquet()


def _parquet() -> Any:
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError:
        raise InvalidArgument(
            "Parquet needs pyarrow: pip install 'baznashr-server[bulk]'", reason="NOT_INSTALLED"
        ) from None
    return pyarrow.parquet


def write(path: Path, records: Iterable[Record], schema: Mapping[str, type]) -> int:
    """Write records to the new file *path* and return how many; the file gets its name when it is whole.

    Args:
        schema: The fields of a record and their types, for Parquet: str, bool, float or dict (of strings).

    Raises:
        OSError: It cannot be written.
        FileExistsError: It exists.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    part = path.with_name(path.name + ".partial")
    try:
        total = (
            _write_parquet(part, records, schema) if path.suffix == ".parquet" else _write_lines(path, part, records)
        )
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return total


def _write_lines(path: Path, part: Path, records: Iterable[Record]) -> int:
    total = 0
    with part.open("wb") as raw, _compressing(path, raw) as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            total += 1
    return total


def _compressing(path: Path, raw: IO[bytes]) -> AbstractContextManager[Any]:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile("", "wb", fileobj=raw, mtime=0)
        case ".zst":
            return zstandard.ZstdCompressor().stream_writer(raw)
        case _:
            return raw


def _write_parquet(part: Path, records: Iterable[Record], schema: Mapping[str, type]) -> int:
    parquet = _parquet()
    import pyarrow as pa  # noqa: PLC0415 - see above

    kinds = {str: pa.string(), bool: pa.bool_(), float: pa.float64(), dict: pa.map_(pa.string(), pa.string())}
    fields = pa.schema([pa.field(name, kinds[kind]) for name, kind in schema.items()])
    total = 0
    with parquet.ParquetWriter(part, fields, compression="zstd") as writer:
        for group in batched(records, ROW_GROUP):
            rows = [{name: list(v.items()) if isinstance(v := r[name], dict) else v for name in schema} for r in group]
            writer.write_table(pa.Table.from_pylist(rows, schema=fields))
            total += len(group)
    return total


def read(path: Path) -> Iterator[Numbered]:
    """Yield the records of a file in order; a line that is no JSON object comes as its fault.

    Raises:
        OSError: It cannot be read.
        InvalidArgument: It is no file of the form that its name says.
    """
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
        return
    with path.open("rb") as raw:
        try:
            for number, line in enumerate(_decompressing(path, raw), 1):
                if line.strip():
                    yield _parsed(number, line)
        except (gzip.BadGzipFile, EOFError, zstandard.ZstdError) as error:
            raise InvalidArgument(f"{path}: {error}", reason="UNREADABLE_FILE") from error


def _decompressing(path: Path, raw: IO[bytes]) -> Iterable[bytes]:
    match path.suffix:
        case ".gz":
            return gzip.GzipFile(fileobj=raw)
        case ".zst":
            return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw))
        case _:
            return raw


def _parsed(number: int, line: bytes) -> Numbered:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # the latter where lists are nested without end
        return Numbered(number, None, f"The line is no JSON: {error}.")
    if not isinstance(record, dict):
        return Numbered(number, None, f"The line is no JSON object but a {type(record).__name__}.")
    return Numbered(number, record, "")


def _read_parquet(path: Path) -> Iterator[Numbered]:
    parquet = _parquet()
    import pyarrow as pa  # noqa: PLC0415 - see above

    numbers = count(1)
    try:
        with parquet.ParquetFile(path) as file:
            for group in file.iter_batches(ROW_GROUP):
                for record in group.to_pylist(maps_as_pydicts="strict"):
                    yield Numbered(next(numbers), record, "")
    except pa.ArrowException as error:
        raise InvalidArgument(f"{path}: {error}", reason="UNREADABLE_FILE") from error
