"""Stored documents as far as texts are compared with them, kept as long as there is room."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from sys import getsizeof
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Span
from baznashr_server.engine.records import self_repetition_from_json
from baznashr_server.judge.body import Body, prepare
from baznashr_server.store.codec import decompress, signature_from_blob
from baznashr_server.store.rows import DocumentRow, TextRow

MAX_BYTES = 64 << 20
"""Some 1,900 articles made ready: those that the stream repeats at the moment; of others the compressed text."""
ROW_BYTES = 1024
BYTES_A_LETTER = 18
"""Of a body without its table, and of the text it came from."""


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
        """An estimate that counts the body once it is made."""
        made = BYTES_A_LETTER * self.row.letters if "body" in self.__dict__ else 0
        return ROW_BYTES + len(self.row.text or b"") + getsizeof(self.row.judgement) + made


def stored_from_row(row: DocumentRow, body: Body | None = None) -> Stored:
    """Return what is compared of a document, whose *body* may be at hand already."""
    stored = Stored(
        TextRow(
            row.row, row.id, row.digest, row.time, row.letters, row.source, row.title, row.text, row.signature,
            row.judgement,
        )
    )  # fmt: skip
    if body is not None:
        body.drop_table()
        stored.body = body
    return stored


class BodyCache:
    """Least recently used documents by row, bounded in bytes. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[int, tuple[Stored, int]] = OrderedDict()
        """With the bytes that each is counted for."""
        self._lock = Lock()

    def get(self, row: int) -> Stored | None:
        with self._lock:
            kept = self._kept.get(row)
            if kept is None:
                return None
            self._kept.move_to_end(row)
            return kept[0]

    def body_of(self, stored: Stored) -> Body | None:
        """Return a document's text made ready, and count it once it is made."""
        is_made = "body" in stored.__dict__
        body = stored.body
        if not is_made:
            self.put(stored)
        return body

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Return those of *rows* that are not kept, each once."""
        with self._lock:
            return [row for row in dict.fromkeys(rows) if row not in self._kept]

    def put(self, stored: Stored) -> None:
        """Keep a document, or count again what it takes."""
        row, size = stored.row.row, stored.memory_bytes
        with self._lock:
            _, before = self._kept.pop(row, (stored, 0))
            self._kept[row] = stored, size
            self._bytes += size - before
            while self._bytes > self._max_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._bytes -= dropped

    def drop(self, row: int) -> None:
        with self._lock:
            _, size = self._kept.pop(row, (None, 0))
            self._bytes -= size

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0
