"""Rows judged and stored in their order, in segments that are files of their own; a kill costs the one that was begun.

The store answers again what it stored before the kill, so the files are the same whether or not there was one.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from baznashr.errors import BaznashrError, StoreError
from baznashr.types import Document, Judgement
from baznashr_server.bulk import columns
from baznashr_server.bulk.reading import Reader
from baznashr_server.bulk.spill import Order, in_order
from baznashr_server.engine import Engine
from baznashr_server.limits import MAX_BATCH_DOCUMENTS

SEGMENT = 16 * MAX_BATCH_DOCUMENTS
"""Rows of a segment: what is judged again, at most, after a kill."""
AHEAD = 2
"""Batches that wait for the writer while the next is prepared."""
NOT_THE_DOCUMENTS_FAULT = {"READ_ONLY", "SHUTTING_DOWN", "INTERNAL", "OVERLOADED"}
_PLACE = re.compile(r"documents\[(\d+)\]\.?(.*)")


class Interrupted(Exception):
    """Asked to stop; what was judged stays."""


@dataclass(frozen=True)
class Refused:
    row: int
    """In the order."""
    id: str
    reason: str
    message: str


@dataclass
class Segment:
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    edges: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def write(self, folder: Path, number: int) -> None:
        """Write the files of a segment; the one of judgements comes last and says that the segment is whole."""
        base = folder / f"{number:06d}"
        refused = [vars(one) for one in self.refused]
        base.with_suffix(".refused").write_text(json.dumps(refused, ensure_ascii=False), "utf-8")
        pq.write_table(columns.edge_table(self.edges), base.with_suffix(".edges"), compression="lz4")
        part = base.with_suffix(".partial")
        pq.write_table(columns.judged_table(self.rows), part, compression="lz4")
        part.rename(base.with_suffix(".judged"))


@dataclass
class Batch:
    documents: list[tuple[int, Document]]
    """With their rows of the order, but those refused."""
    refused: list[Refused] = field(default_factory=list)
    answers: Future[list[Judgement]] | None = None


def segments(folder: Path) -> list[Path]:
    """Return the files of judgements of whole segments, in order."""
    return sorted(folder.glob("*.judged"))


def refused(folder: Path) -> list[Refused]:
    """Return the rows that the engine refused, in order."""
    found = (json.loads(path.with_suffix(".refused").read_text("utf-8")) for path in segments(folder))
    return [Refused(**one) for some in found for one in some]


@dataclass
class Judging:
    reader: Reader
    folder: Path
    runs: Path
    order: Order
    told: Callable[[Sequence[Judgement], int], object]
    """Told of judgements and of the bytes of their texts."""
    is_stopping: Callable[[], bool]
    known: NDArray[np.bool_] | None = None
    """Of the order: whether the store had the document before the run; None where it had none."""

    @property
    def begins_at(self) -> int:
        """The first row that no whole segment holds."""
        return min(len(segments(self.folder)) * SEGMENT, len(self.order))

    @property
    def is_done(self) -> bool:
        return self.begins_at == len(self.order)

    def run(self, engine: Engine, corpus: str) -> None:
        """Judge what no whole segment holds yet.

        Raises:
            Interrupted: Asked to stop.
            StoreError: The store cannot be written.
        """
        number = len(segments(self.folder))
        segment, at = Segment(), number * SEGMENT
        for batch in self._answered(engine, corpus, at):
            at += len(batch.documents) + len(batch.refused)
            self._take(batch, segment)
            if at % SEGMENT == 0 or at == len(self.order):
                segment.write(self.folder, number)
                segment, number = Segment(), number + 1
        if at < len(self.order):
            raise Interrupted

    def _documents(self, start: int) -> Iterator[list[Document]]:
        for parts in in_order(self.runs, self.order, start, MAX_BATCH_DOCUMENTS):
            placed: list[tuple[int, Document]] = []
            for at, payload in parts:
                placed.extend(zip(at.tolist(), self.reader.documents(payload), strict=True))
            placed.sort(key=lambda one: one[0])
            yield [document for _, document in placed]

    def _answered(self, engine: Engine, corpus: str, start: int) -> Iterator[Batch]:
        """Yield batches in order with their answers; the next are prepared while the writer stores those before.

        A batch with a document that the store had before may be refused, and must be answered before the next follows.
        """
        waiting: deque[Batch] = deque()
        at = start
        for documents in self._documents(start):
            batch = Batch(list(enumerate(documents, at)))
            is_known = self.known is not None and bool(self.known[at : at + len(documents)].any())
            at += len(documents)
            while waiting and (is_known or len(waiting) >= AHEAD):
                yield waiting.popleft()
            self._submit(engine, corpus, batch, wait=is_known)
            waiting.append(batch)
            if self.is_stopping():
                break
        yield from waiting

    def _submit(self, engine: Engine, corpus: str, batch: Batch, *, wait: bool) -> None:
        while batch.documents:
            try:
                batch.answers = engine.submit([document for _, document in batch.documents], corpus)
                if wait:
                    batch.answers.result()
                return
            except StoreError:
                raise
            except BaznashrError as error:
                place = _PLACE.match(error.field)
                if place is None or error.reason in NOT_THE_DOCUMENTS_FAULT:
                    raise
                row, document = batch.documents.pop(int(place[1]))
                where = f"{place[2]}: " if place[2] else ""
                batch.refused.append(Refused(row, document.id, error.reason, where + error.message))

    def _take(self, batch: Batch, segment: Segment) -> None:
        judgements = batch.answers.result() if batch.documents and batch.answers else []
        size = 0
        for (_, document), judgement in zip(batch.documents, judgements, strict=True):
            segment.rows.append(columns.judged_row(document, judgement))
            segment.edges.extend(columns.edge_rows(judgement))
            size += len(document.text.encode())
        segment.refused.extend(batch.refused)
        self.told(judgements, size)
