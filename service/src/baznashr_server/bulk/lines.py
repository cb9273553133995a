"""Lines and CSV records of files that may be damaged anywhere: what is broken is named, and nothing else is lost."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

MAX_LINE_BYTES = 64 << 20
"""Of one line, or one record of a CSV file: the longest text allowed, escaped, many times over. Longer ones are passed
over unread."""
MAX_RECORD_LINES = 10_000
"""Lines that a quoted CSV field may run over; a quote left open ends there instead of at the end of the file."""
TOO_LONG = None
MARK = "\udcff"
"""Stands for bytes that are not of the encoding; no text holds it, and its UTF-8 is none."""


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error("baznashr-mark", _marked)
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def as_utf8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the same text as UTF-8, without a byte order mark; bytes that are not of the encoding are no UTF-8 after.

    Args:
        encoding: As Python knows it; a byte order mark has more to say.
    """
    source = iter(chunks)
    start = next(source, b"")
    name = next((name for bom, name in BOMS.items() if start.startswith(bom)), codecs.lookup(encoding).name)
    if name in {"utf-8", "utf-8-sig"}:
        yield start.removeprefix(codecs.BOM_UTF8)
        yield from source
    else:
        decoded = codecs.getincrementaldecoder(name)("baznashr-mark")
        for chunk in chain([start], source):
            yield decoded.decode(chunk).encode(errors="surrogatepass")
        yield decoded.decode(b"", final=True).encode(errors="surrogatepass")


def lines(chunks: Iterable[bytes]) -> Iterator[list[bytes | None]]:
    """Yield lines without their ends, some at a time; None stands for one that is too long.

    A line that *chunks* breaks off by an error is not yielded.
    """
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts = chunk.split(b"\n")
        if len(parts) == 1:
            size += len(chunk)
            begun = [*begun, chunk] if size <= MAX_LINE_BYTES else []
            continue
        size += len(parts[0])
        done: list[bytes | None] = [*parts[:-1]]
        done[0] = b"".join([*begun, parts[0]]) if size <= MAX_LINE_BYTES else TOO_LONG
        yield done
        begun, size = [parts[-1]], len(parts[-1])
    if size:
        yield [b"".join(begun) if size <= MAX_LINE_BYTES else TOO_LONG]


class CsvRecord(NamedTuple):
    line: int
    """The first of the record, from 1."""
    cells: list[str] | None
    """Also where only their number is wrong."""
    fault: str


def delimiter_of(header: str) -> str:
    """Return what separates the columns of a header line."""
    return max(",;\t|", key=header.count)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


class _Source:
    """Lines for csv.reader, which asks for one after the other; those of a record that failed can be put back."""

    def __init__(self, blocks: Iterator[list[bytes | None]]) -> None:
        self._blocks = blocks
        self._waiting: deque[bytes | None] = deque()
        self.taken: list[bytes | None] = []
        self.line = 0
        """The last one taken."""
        self.error: Exception | None = None

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        if len(self.taken) > MAX_RECORD_LINES:
            raise csv.Error(f"a quoted field runs over more than {MAX_RECORD_LINES} lines")
        while not self._waiting:
            try:
                self._waiting.extend(next(self._blocks))
            except StopIteration:
                raise
            except Exception as error:  # kept: csv.reader would take what it has for a whole record
                self.error = error
                raise StopIteration from error
        line = self._waiting.popleft()
        self.line += 1
        self.taken.append(line)
        if line is TOO_LONG:
            raise csv.Error(f"the line has more than {MAX_LINE_BYTES} bytes")
        return _decoded(line) + "\n"

    def put_back_all_but_one(self) -> None:
        self._waiting.extendleft(reversed(self.taken[1:]))
        self.line -= len(self.taken) - 1


def csv_records(blocks: Iterator[list[bytes | None]], delimiter: str = "") -> Iterator[CsvRecord]:
    """Yield the records of a CSV file, its header first; bytes that are no UTF-8 become lone surrogates.

    After a record that cannot be read, or has fewer columns than the header, reading goes on at its second line: where
    a quote was left open, the lines after it are records of their own. Between tabs many write quotation marks that
    quote nothing: a line that cannot be read with quoting is read without.

    Raises:
        Whatever *blocks* raises, once all records before were yielded.
    """
    source = _Source(blocks)
    dialect = delimiter
    width = 0
    while True:
        source.taken.clear()
        cells: list[str] | None = None
        fault = ""
        try:
            if not dialect:
                first = next(source)
                dialect = delimiter_of(first)
                source.put_back_all_but_one()
                source._waiting.appendleft(source.taken[0])  # noqa: SLF001 - its other half
                source.line -= 1
                continue
            usual = csv.field_size_limit(MAX_LINE_BYTES)  # the process's, of which this is a guest
            try:
                cells = next(csv.reader(source, delimiter=dialect, strict=True))
            finally:
                csv.field_size_limit(usual)
        except StopIteration:
            break
        except csv.Error as error:
            fault = f"The record is no CSV: {error}."
        if source.error is not None:
            break
        line = source.line - len(source.taken) + 1
        is_torn = bool(fault)
        if cells and len(cells) != (width or len(cells)):
            fault = f"The record has {len(cells)} columns, and the header {width}."
            is_torn = len(cells) < width or dialect == "\t"
        if is_torn:
            source.put_back_all_but_one()
            if dialect == "\t" and (unquoted := _unquoted(source.taken[0], width)):
                cells, fault = unquoted, ""
        if cells or fault:
            width = width or len(cells or ())
            yield CsvRecord(line, cells, fault)
    if source.error is not None:
        raise source.error


def _unquoted(line: bytes | None, width: int) -> list[str] | None:
    """Return the columns of a line between tabs, if it has as many as are due."""
    if line is TOO_LONG:
        return None
    cells = _decoded(line).removesuffix("\r").split("\t")
    return cells if len(cells) == (width or len(cells)) else None
