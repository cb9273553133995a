"""Stored documents as far as texts are compared with them, kept as long as there is room."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Span
from baznashr_server.engine.records import self_repetition_from_json
from baznashr_server.judge.body import Body, prepare
from baznashr_server.store.codec import decompress, signature_from_blob
from baznashr_server.store.rows import DocumentRow, TextRow

MAX_BYTES = 64 << 20
"""Some 1,500 articles: those that the stream repeats at the moment."""
ROW_BYTES = 1024
BYTES_A_LETTER = 28
"""Of a body with its table, and of the text it came from."""


@dataclass(eq=False)
class Stored:
    """A stored document, without what may change: to which cluster it belongs, and how far it is in the tables."""

    row: TextRow

    @cached_property
    def body(self) -> Body | None:
        """The text made ready, without the second copies that were found when it came; None where none is kept."""
        row = self.row
        if row.text is None:
            return None
        copies: tuple[Span, ...] = ()
        if '"kinds":[]' not in row.judgement:  # as in nearly all; a quotation mark inside a value would be escaped
            copies = self_repetition_from_json(json.loads(row.judgement)["self_repetition"]).spans
        return prepare(decompress(row.text), copies, title=row.title, source=row.source)

    @cached_property
    def signature(self) -> NDArray[np.uint32]:
        return signature_from_blob(self.row.signature)

    @property
    def memory_bytes(self) -> int:
        """An estimate that counts the body as made."""
        return ROW_BYTES + BYTES_A_LETTER * self.row.letters


def stored_from_row(row: DocumentRow, body: Body | None = None) -> Stored:
    """Return what is compared of a document, whose *body* may be at hand already."""
    stored = Stored(
        TextRow(
            row.row, row.id, row.digest, row.time, row.letters, row.source, row.title, row.text, row.signature,
            row.judgement,
        )
    )  # fmt: skip
    if body is not None:
        stored.body = body
    return stored


class BodyCache:
    """Least recently used documents by row, bounded in bytes. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._stored: OrderedDict[int, Stored] = OrderedDict()
        self._lock = Lock()

    def get(self, row: int) -> Stored | None:
        with self._lock:
            stored = self._stored.get(row)
            if stored is not None:
                self._stored.move_to_end(row)
            return stored

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Return those of *rows* that are not kept, each once."""
        with self._lock:
            return [row for row in dict.fromkeys(rows) if row not in self._stored]

    def put(self, stored: Stored) -> None:
        row = stored.row.row
        with self._lock:
            if row in self._stored:
                return
            self._stored[row] = stored
            self._bytes += stored.memory_bytes
            while self._bytes > self._max_bytes:
                _, dropped = self._stored.popitem(last=False)
                self._bytes -= dropped.memory_bytes

    def drop(self, row: int) -> None:
        with self._lock:
            stored = self._stored.pop(row, None)
            if stored is not None:
                self._bytes -= stored.memory_bytes
