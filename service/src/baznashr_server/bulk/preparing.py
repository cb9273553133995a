"""Batches made ready to be judged, all that needs no store: done in a process of its own, or where they are judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from baznashr.errors import BaznashrError
from baznashr.types import Document
from baznashr_server.bulk.batches import Given
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import Prepared, prepare_documents
from baznashr_server.engine.records import self_repetition_from_json, self_repetition_to_json
from baznashr_server.judge.repetition import NOTHING
from baznashr_server.profile import Profile
from baznashr_server.sketch.fingerprint import DIGEST_BYTES, Sketch
from baznashr_server.sketch.signature import NUM_PERM
from baznashr_server.store.codec import array_to_blob, from_micros

_PLACE = re.compile(r"documents\[(\d+)\]\.?(.*)")
SILENCE = Silence()


def fault(error: BaznashrError) -> tuple[int, str] | None:
    """Return which document of a batch an error is about, and what to tell of it; None where it is about none."""
    place = _PLACE.match(error.field)
    return place and (int(place[1]), (f"{place[2]}: " if place[2] else "") + error.message)


@dataclass(eq=False)
class Ready:
    """A batch that can be judged."""

    prepared: list[Prepared]
    places: list[int]
    """Of those, in the batch."""
    refused: list[tuple[int, str, str]]
    """Place in the batch, reason and message of the others."""

    def refuse(self, error: BaznashrError) -> None:
        """Leave out the document that an error is about; raise the error where it is about none."""
        found = fault(error)
        if found is None:
            raise error
        at, message = found
        self.leave_out(at, error.reason, message)

    def leave_out(self, at: int, reason: str, message: str) -> None:
        """Refuse the document *at* this place among those prepared."""
        self.refused.append((self.places.pop(at), reason, message))
        del self.prepared[at]


def prepare(given: Sequence[Given], profile: Profile) -> Ready:
    """Validate, fingerprint and compress documents; those that cannot be are refused."""
    documents = [_document(one) for one in given]
    places = list(range(len(documents)))
    refused: list[tuple[int, str, str]] = []
    while documents:
        try:
            return Ready(prepare_documents(documents, SILENCE, profile, "documents", are_kept=True), places, refused)
        except BaznashrError as error:
            found = fault(error)
            if found is None:
                raise
            at, message = found
            refused.append((places.pop(at), error.reason, message))
            del documents[at]
    return Ready([], [], refused)


def _document(given: Given) -> Document:
    id_, text, title, source, url, micros = given
    time = None if micros is None else from_micros(micros)
    return Document(id=id_, text=text, title=title, source=source, url=url, published_at=time)


def dump(ready: Ready) -> tuple[Any, bytes]:
    """Return a batch as what JSON can hold and bytes: what it takes to judge it, and no more."""
    rows, texts = [], []
    for one in ready.prepared:
        document, sketch = one.document, one.sketch
        frame, text = one.frame or b"", document.text.encode()
        told = self_repetition_to_json(one.repetition) if one.repetition.kinds else None
        given = document.id, document.title, document.source, document.url, one.published
        rows.append((*given, len(text), len(frame), sketch.size, sketch.passages.size, told))
        texts += [text, frame, sketch.digest_bytes]
    arrays = [array_to_blob(one.sketch.signature) for one in ready.prepared]
    arrays += [array_to_blob(one.sketch.passages) for one in ready.prepared]
    return (rows, ready.places, ready.refused), b"".join(texts + arrays)


def load(value: Any, body: bytes) -> Ready:
    """Return the batch that `dump` gave *value* and *body* of."""
    rows, places, refused = value
    values = _cut(body, [size for row in rows for size in (row[5], row[6], DIGEST_BYTES)])
    texts, frames, digests = values[::3], values[1::3], values[2::3]
    arrays, split = memoryview(body)[sum(map(len, values)) :], 4 * NUM_PERM * len(rows)
    # Copied, since kernels would be compiled anew for arrays that begin at any byte.
    signatures = np.frombuffer(arrays[:split], "<u4").reshape(-1, NUM_PERM).copy()
    passages = np.frombuffer(arrays[split:], "<u8").copy()
    prepared = []
    start = 0
    for row, text, frame, digest, signature in zip(rows, texts, frames, digests, signatures, strict=True):
        id_, title, source, url, published, text_bytes, _, size, count, told = row
        document = _document((id_, text.decode(), title, source, url, published))
        sketch = Sketch(size, signature, passages[start : start + count], digest)
        start += count
        repetition = NOTHING if told is None else self_repetition_from_json(told)
        prepared.append(Prepared(document, text_bytes, sketch, repetition, published, SILENCE, frame or None))
    return Ready(prepared, places, list(map(tuple, refused)))


def _cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    ends = list(accumulate(sizes, initial=0))
    return [data[start:end] for start, end in pairwise(ends)]
