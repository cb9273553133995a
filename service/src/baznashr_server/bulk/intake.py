"""All inputs read once: into sorted runs, rejects, and what is known of each file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from baznashr_server.bulk.duplicates import settle
from baznashr_server.bulk.inputs import Form, Found, Input, Interrupted
from baznashr_server.bulk.progress import Progress
from baznashr_server.bulk.reading import UNREADABLE, Reader, Reject
from baznashr_server.bulk.spill import Order, Runs, merged
from baznashr_server.bulk.state import ORDER, REJECTS, RUNS, State
from baznashr_server.bulk.unpacking import Unreadable, digest_of


class Reading:
    def __init__(
        self,
        state: State,
        reader: Reader,
        found: Found,
        progress: Progress,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._state = state
        self._reader = reader
        self._inputs = found.inputs
        self._closed = found.closed
        self._progress = progress
        self._is_stopping = is_stopping
        self.described: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self.size = 0
        self.letters = 0
        """Characters of the accepted texts but blanks, nearly all of which are letters."""

    def read(self, bytes_a_run: int) -> Order:
        """Return the order of the accepted rows."""
        folder = self._state.path(RUNS)
        with self._state.path(REJECTS).open("w", encoding="utf-8") as rejects:
            for name, fault in self._closed:
                rejects.write(_line(name, Reject(0, "", UNREADABLE, f"Not read: {fault}.")))
            self.counts["unreadable_files"] += len(self._closed)
            with Runs(folder, bytes_a_run) as runs:
                for number, source in enumerate(self._inputs):
                    self._file(number, source, runs, rejects)
                order = merged(runs.finish())
            return self._settle(order, rejects)

    def _file(self, number: int, source: Input, runs: Runs, rejects: Any) -> None:
        digest = sha256()
        accepted = rejected = records = 0
        fault = ""
        try:
            for piece in self._reader.pieces(source, digest):
                runs.add(piece, number)
                for reject in piece.rejects:
                    rejects.write(_line(source.name, reject))
                accepted += len(piece.documents)
                rejected += len(piece.rejects)
                records = piece.records
                self.letters += sum(len(one.text) - one.text.count(" ") for one in piece.documents)
                size = piece.payload.get_total_buffer_size()
                self.size += size
                self._progress.advance(len(piece.documents) + len(piece.rejects), size)
                if self._is_stopping():
                    raise Interrupted
        except Unreadable as error:
            fault = str(error)
            rejects.write(_line(source.name, Reject(0, "", UNREADABLE, f"Not read to its end: {fault}.")))
        is_whole = not fault and source.form is not Form.PARQUET
        self.described.append(
            {
                "name": source.name,
                "form": str(source.form),
                "bytes": source.size,
                "sha256": digest.hexdigest() if is_whole else _digest_of(source.path),
                "records": records,
                "accepted": accepted,
                "rejected": rejected,
                "fault": fault,
            }
        )
        self.counts.update(accepted=accepted, rejected=rejected, unreadable_files=int(bool(fault)))

    def _settle(self, order: Order, rejects: Any) -> Order:
        """Leave out rows that share their id with another that stays."""
        settled = settle(self._state.path(RUNS), order, self._reader)
        for row in np.flatnonzero(settled.rejected).tolist():
            name = self._inputs[order.keys.column("file")[row].as_py()].name
            at, document_id = (order.keys.column(column)[row].as_py() for column in ("row", "id"))
            message = "Another row has the id and another text, whose digest is smaller."
            rejects.write(_line(name, Reject(at, document_id, "DUPLICATE_ID", message)))
        rejected = int(settled.rejected.sum())
        collapsed = settled.dropped & ~settled.rejected
        self.counts.update(collapsed=int(collapsed.sum()), rejected=rejected, duplicate_ids=rejected)
        places = order.keys.filter(pa.array(collapsed)).select(["id", "file", "place"])
        self._state.save_arrays(
            copies=settled.copies[~settled.dropped],
            collapsed_file=places.column("file").to_numpy(),
            collapsed_place=places.column("place").to_numpy(),
            collapsed_id=np.array([one.encode() for one in places.column("id").to_pylist()], np.bytes_),
        )
        kept = order.without(settled.dropped)
        kept.write(self._state.path(ORDER))
        return kept


def _digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; none where it cannot be read."""
    try:
        return digest_of(path)
    except OSError:
        return ""


def _line(name: str, reject: Reject) -> str:
    return json.dumps({"file": name, **reject._asdict()}, ensure_ascii=False) + "\n"
