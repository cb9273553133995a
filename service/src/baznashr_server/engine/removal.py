"""Deletion of all documents that a filter matches, in pieces."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import cast

import numpy as np

from baznashr.errors import InvalidArgument
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.changes import DeleteRows
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.limits import EXPIRY_BATCH
from baznashr_server.store.codec import to_micros
from baznashr_server.store.store import Store

_EARLIEST, _END = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Filter:
    """All that is given must hold. Times are those of publication or, where that is unknown, of arrival."""

    source: str | None
    published_before: datetime | None
    """Exclusive."""
    published_after: datetime | None
    """Inclusive."""

    def __post_init__(self) -> None:
        times = {"published_before": self.published_before, "published_after": self.published_after}
        if self.source is None and not any(times.values()):
            raise InvalidArgument(
                "A filter must say something; delete_corpus empties a corpus.", reason="INVALID_FIELD", field="source"
            )
        for field, time in times.items():
            if time is not None and time.utcoffset() is None:
                raise InvalidArgument("The time has no time zone.", reason="INVALID_FIELD", field=field)

    def rows(self, store: Store, corpus: int) -> list[int]:
        earliest = _EARLIEST if self.published_after is None else to_micros(self.published_after)
        end = _END if self.published_before is None else to_micros(self.published_before)
        return store.matching(corpus, self.source, earliest, end)


def delete_matching(
    store: Store, bodies: BodyCache, corpus: LoadedCorpus, wanted: Filter, submit: Callable[..., Future[object]]
) -> int:
    """Delete what matches now, a batch at a time, each atomic; return how many were deleted.

    A document that replaces one of them meanwhile, under the same id, is another document and stays.
    """
    rows = wanted.rows(store, corpus.row.corpus)
    batches = batched(rows, EXPIRY_BATCH)
    return sum(cast("int", submit(DeleteRows(store, bodies, corpus, batch), bulk=True).result()) for batch in batches)
