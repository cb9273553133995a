"""Which passages are boilerplate now: one scan of the passage table, a partition at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.postings import PARTITIONS, upper
from baznashr_server.kernel import kernel

FIELDS = 4
"""Of what a scan finds: tag, documents, row, source key."""


class Crowded(NamedTuple):
    """Passages that too many stories hold, the most widely held first; arrays of one length."""

    tags: NDArray[np.int64]
    """What the table knows a passage by (`tags`)."""
    documents: NDArray[np.int64]
    """How many hold it, of the source where it is one source's; no more than the table keeps under one passage."""
    rows: NDArray[np.int64]
    """The first document that holds it."""
    of_source: NDArray[np.bool_]
    """Whether it is boilerplate of that document's source only; of the whole corpus otherwise."""


def tags(passages: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return what the table knows each of *passages* by: 40 bits, 32 mixed ones above the partition."""
    return (upper(passages) << np.uint64(8) | passages & np.uint64(PARTITIONS - 1)).astype(np.int64)


@kernel
def _slots_from(part, at, slots):  # type: ignore[no-untyped-def]
    """Write the slots under the key of entry *at* to *slots*, as many as fit; return how many, 0 if not the first."""
    key32 = part[at] >> np.uint64(32)
    place = np.int64((key32 * np.uint64(part.size)) >> np.uint64(32))
    while part[place] >> np.uint64(32) != key32:
        place = place + 1 if place + 1 < part.size else 0
    n = 0
    if place == at:
        while part[place] != 0 and n < slots.size:
            if part[place] >> np.uint64(32) == key32:
                slots[n] = np.int64(part[place] & np.uint64(0xFFFFFFFF)) - 1
                n += 1
            place = place + 1 if place + 1 < part.size else 0
    return n


@kernel
def crowded_kernel(arrays, p, rows, sources, limits):  # type: ignore[no-untyped-def]
    """Return int64[n, 4], tag, documents, row and source key of partition *p*'s boilerplate; key 0 is the corpus.

    Args:
        rows, sources: int64[s] and uint32[s], of each slot.
        limits: slots, and slots of one source, from which a passage is boilerplate.
    """
    most, most_of_source = limits
    part = arrays.new[p] if arrays.moved[p] else arrays.old[p]
    out = np.empty((arrays.counts[p] // min(most, most_of_source) + 1, FIELDS), np.int64)
    slots = np.empty(most, np.int64)
    end = 0
    for at in range(part.size):
        n = 0 if part[at] == 0 else _slots_from(part, at, slots)
        if n < min(most, most_of_source):
            continue
        tag = np.int64(part[at] >> np.uint64(32) << np.uint64(8)) | p
        if n >= most:
            out[end] = (tag, n, rows[slots[:n]].min(), 0)
            end += 1
            continue
        for k in range(n):
            source = sources[slots[k]]
            alike = 0
            row = rows[slots[k]]
            is_first = True
            for other in range(n):
                if sources[slots[other]] == source:
                    is_first &= other >= k
                    alike += 1
                    row = min(row, rows[slots[other]])
            if source != 0 and is_first and alike >= most_of_source:
                out[end] = (tag, alike, row, np.int64(source))
                end += 1
    return out[:end]


def most_crowded(found: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return the *limit* most widely held of what was *found*, in an order that the scan's does not matter for."""
    tags, documents, rows, keys = found.T
    return found[np.lexsort((keys, tags, rows, -documents))[:limit]]


def crowded(found: NDArray[np.int64]) -> Crowded:
    tags, documents, rows, keys = found.T
    return Crowded(tags, documents, rows, keys != 0)
