"""Stored texts made ready for comparison, kept as long as there is room."""

from __future__ import annotations

import json
from collections import OrderedDict
from threading import Lock

import numpy as np

from baznashr_server.engine.records import self_repetition_from_json
from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.repetition import Copy
from baznashr_server.store.codec import decompress
from baznashr_server.store.rows import DocumentRow
from baznashr_server.text.canonical import Canonical, canonicalise

MAX_BYTES = 64 << 20
"""Some 1,500 articles: those that the stream repeats at the moment."""


def body_from_row(row: DocumentRow) -> Body | None:
    """Make a stored text ready, without the second copies that were found when it came; None where none is kept."""
    if row.text is None:
        return None
    text = decompress(row.text)
    canonical = canonicalise(text)
    return prepare(text, canonical, _copies(row, canonical), title=row.title, source=row.source)


def _copies(row: DocumentRow, canonical: Canonical) -> tuple[Copy, ...]:
    if '"kinds":[]' in row.judgement:  # as in nearly all; a quotation mark inside a value would be escaped
        return ()
    spans = self_repetition_from_json(json.loads(row.judgement)["self_repetition"]).spans
    edges = np.searchsorted(canonical.offsets, [(span.start, span.end) for span in spans]).reshape(-1, 2)
    return tuple(Copy(start, end, start, end) for start, end in edges.tolist())


class BodyCache:
    """Least recently used bodies by row, bounded in bytes. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._bodies: OrderedDict[int, Body] = OrderedDict()
        self._lock = Lock()

    def get(self, row: int) -> Body | None:
        with self._lock:
            body = self._bodies.get(row)
            if body is not None:
                self._bodies.move_to_end(row)
            return body

    def put(self, row: int, body: Body) -> None:
        with self._lock:
            if row in self._bodies:
                return
            self._bodies[row] = body
            self._bytes += body.memory_bytes
            while self._bytes > self._max_bytes:
                _, dropped = self._bodies.popitem(last=False)
                self._bytes -= dropped.memory_bytes

    def drop(self, row: int) -> None:
        with self._lock:
            body = self._bodies.pop(row, None)
            if body is not None:
                self._bytes -= body.memory_bytes
