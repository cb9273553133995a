"""Rows judged and stored in their order, in segments that are files of their own; a kill costs the one that was begun.

The store answers again what it stored before the kill, so the files are the same whether or not there was one.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from baznashr_server.bulk import batches, columns
from baznashr_server.bulk.batches import Answers, Given, Judges
from baznashr_server.bulk.inputs import Interrupted
from baznashr_server.bulk.reading import Reader
from baznashr_server.bulk.spill import Order, in_order
from baznashr_server.store.codec import to_micros

SEGMENT = 32 * batches.SIZE
"""Rows of a segment: what is judged again, at most, after a kill."""
EDGES = ".edges"
VERDICT = columns.ANSWERED.names.index("verdict")


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
        _write(base.with_suffix(EDGES), columns.edge_table(self.edges))
        part = base.with_suffix(".partial")
        _write(part, columns.judged_table(self.rows))
        part.rename(base.with_suffix(".judged"))


def _write(path: Path, table: pa.Table) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)


@dataclass
class Batch:
    documents: list[tuple[Any, ...]]
    """DOCUMENT columns of its rows."""
    size: int
    """Bytes of its rows, as they were read."""
    answers: Callable[[], Answers]


def segments(folder: Path) -> list[Path]:
    """Return the files of judgements of whole segments, in order."""
    return sorted(folder.glob("*.judged"))


def read_segment(path: Path, names: Sequence[str] = columns.JUDGED.names) -> pa.Table:
    """Return the judgements of a segment, their named columns."""
    wanted = [columns.JUDGED.get_field_index(name) for name in names]
    with pa.OSFile(str(path)) as file:
        options = pa.ipc.IpcReadOptions(included_fields=wanted)
        return pa.ipc.open_file(file, options=options).read_all().select(list(names))


def read_edges(path: Path) -> pa.Table:
    """Return the matches of a segment, whose judgements are at *path*."""
    with pa.OSFile(str(path.with_suffix(EDGES))) as file:
        return pa.ipc.open_file(file).read_all()


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
    told: Callable[[Sequence[str], int, int], object]
    """Told of verdicts, of how many rows they and what was refused are, and of the bytes of those."""
    is_stopping: Callable[[], bool]

    @property
    def begins_at(self) -> int:
        """The first row that no whole segment holds."""
        return min(len(segments(self.folder)) * SEGMENT, len(self.order))

    @property
    def is_done(self) -> bool:
        return self.begins_at == len(self.order)

    @property
    def last_judged(self) -> str | None:
        """The id of the last document that a whole segment holds."""
        found = (read_segment(path, ("id",)).column("id") for path in reversed(segments(self.folder)))
        return next((ids[-1].as_py() for ids in found if len(ids)), None)

    def run(self, judges: Judges) -> None:
        """Judge what no whole segment holds yet.

        Raises:
            Interrupted: Asked to stop.
            StoreError: The store cannot be written.
        """
        number = len(segments(self.folder))
        segment, at = Segment(), number * SEGMENT
        for batch in self._answered(judges, at):
            self._take(batch, at, segment)
            at += len(batch.documents)
            if at % SEGMENT == 0 or at == len(self.order):
                segment.write(self.folder, number)
                segment, number = Segment(), number + 1
        if at < len(self.order):
            raise Interrupted

    def _given(self, start: int) -> Iterator[tuple[list[Given], int]]:
        """Yield the documents of a batch, and the bytes of their rows."""
        for rows, parts in in_order(self.runs, self.order, np.arange(start, len(self.order)), batches.SIZE):
            given: list[Given | None] = [None] * rows.size
            for at, payload in parts:
                for place, one in zip(at.tolist(), self.reader.documents(payload), strict=True):
                    micros = None if one.published_at is None else to_micros(one.published_at)
                    given[place] = one.id, one.text, one.title, one.source, one.url, micros
            yield [one for one in given if one is not None], sum(part.payload.nbytes for part in parts)

    def _answered(self, judges: Judges, start: int) -> Iterator[Batch]:
        """Yield batches in order, which can be answered; others are read and judged meanwhile."""
        waiting: deque[Batch] = deque()
        for given, size in self._given(start):
            if len(waiting) >= judges.ahead:
                yield waiting.popleft()
            answers = judges.submit(given)
            documents = [(id_, time, source, title, url, len(text)) for id_, text, title, source, url, time in given]
            waiting.append(Batch(documents, size, answers))
            if self.is_stopping():
                break
        yield from waiting

    def _take(self, batch: Batch, start: int, segment: Segment) -> None:
        answers = batch.answers()
        segment.refused += [
            Refused(start + at, batch.documents[at][0], reason, message) for at, reason, message in answers.refused
        ]
        gone = {at for at, _, _ in answers.refused}
        documents = [one for at, one in enumerate(batch.documents) if at not in gone]
        segment.rows += [document + row for document, row in zip(documents, answers.rows, strict=True)]
        segment.edges += answers.edges
        self.told([row[VERDICT] for row in answers.rows], len(batch.documents), batch.size)
