"""What a corpus has learned to be boilerplate, as the first document that holds it writes it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Boilerplate
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.index.crowding import tags
from baznashr_server.sketch.passages import SIZE, winnow
from baznashr_server.store.codec import decompress, passages_from_blob
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store
from baznashr_server.text.canonical import canonicalise

PASSAGES_A_STRETCH = 64
"""Passages read for each stretch asked for: as many as 1,600 letters have, more than any header or footer."""


def read(store: Store, corpus: LoadedCorpus, limit: int) -> tuple[Boilerplate, ...]:
    """Return the *limit* most widely held stretches, the most widely held first."""
    found = corpus.index.crowded_passages(limit * PASSAGES_A_STRETCH)
    held: dict[tuple[int, bool], dict[int, int]] = defaultdict(dict)
    for tag, documents, row, of_source in zip(*(array.tolist() for array in found), strict=True):
        held[row, of_source][tag] = documents
    stretches: list[Boilerplate] = []
    # The examples come in the order of what they hold most widely: no later one has a stretch among the first *limit*.
    for (number, of_source), passages in list(held.items())[:limit]:
        row = store.document_at(number)
        if row is not None:
            stretches += _stretches(row, passages, row.source if of_source else "")
    return tuple(sorted(stretches, key=lambda stretch: -stretch.documents)[:limit])


def _stretches(row: DocumentRow, held: dict[int, int], source: str) -> list[Boilerplate]:
    """Return the stretches of a document that passages make, given with how many documents hold each, by their tags."""
    passages = passages_from_blob(row.passages).astype(np.uint64)
    text = "" if row.text is None else decompress(row.text)
    places, starts, ends = _places(text) if text else (np.arange(passages.size),) * 3
    own = tags(passages)
    listed = np.flatnonzero(np.isin(own, list(held)))
    if not listed.size:
        return []
    return [
        Boilerplate(
            text=text[starts[run[0]] : ends[run[-1]]],
            documents=max(held[tag] for tag in own[run].tolist()),
            source=source,
            document_id=row.id,
        )
        for run in np.split(listed, np.flatnonzero(np.diff(places[listed]) > 1) + 1)
    ]


def _places(text: str) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]:
    """Return where the distinct passages of a text are, in text order.

    These are their numbers among all its passages, and where they start and end in code points.
    """
    letters, offsets = canonicalise(text)
    passages, starts = winnow(letters)
    _, first = np.unique(passages, return_index=True)
    places = np.sort(first)
    starts = starts[places]
    return places, offsets[starts], offsets[starts + SIZE - 1] + np.uint32(1)
