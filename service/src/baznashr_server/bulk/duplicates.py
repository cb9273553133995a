"""Rows that share an id: those with the same canonical text collapse, of others the one with the smallest digest stays.

What stays depends on what the rows hold and on nothing else.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from baznashr_server.bulk.payload import is_raw
from baznashr_server.bulk.reading import Reader
from baznashr_server.bulk.spill import Order, in_order

GROUP = 512


class Settled(NamedTuple):
    dropped: NDArray[np.bool_]
    """Rows of the order that do not stay."""
    rejected: NDArray[np.bool_]
    """Those of them whose text is another than that of the row that stays."""
    copies: NDArray[np.int32]
    """Rows that each row stands for, itself counted."""


def shared_ids(order: Order) -> NDArray[np.int64]:
    """Return the numbers of the rows whose id another row has too."""
    ids = order.keys.column("id").combine_chunks().dictionary_encode()
    codes = np.asarray(ids.indices if isinstance(ids, pa.DictionaryArray) else ids.chunk(0).indices)
    return np.flatnonzero(np.bincount(codes)[codes] > 1) if codes.size else codes.astype(np.int64)


def settle(folder: Path, order: Order, reader: Reader) -> Settled:
    """Decide which rows stay, by reading those that share an id."""
    dropped, rejected = np.zeros(len(order), np.bool_), np.zeros(len(order), np.bool_)
    copies = np.ones(len(order), np.int32)
    shared = shared_ids(order)
    if not shared.size:
        return Settled(dropped, rejected, copies)
    digests = _digests(folder, order, reader, shared)
    ids = order.keys.column("id").take(pa.array(shared)).to_pylist()
    # Ties in the digest are broken by place in the order, which is by time, and among equal times by the other digests.
    times = order.keys.column("time").take(pa.array(shared)).to_pylist()
    unknown = [time is None for time in times]
    ranked = sorted(
        range(shared.size), key=lambda i: (ids[i], digests[i][0], unknown[i], times[i] or 0, *digests[i][1:])
    )
    first = -1
    for i in ranked:
        if first < 0 or ids[i] != ids[first]:
            first = i
            continue
        dropped[shared[i]] = True
        if digests[i][0] == digests[first][0]:
            copies[shared[first]] += 1
        else:
            rejected[shared[i]] = True
    return Settled(dropped, rejected, copies)


def _digests(folder: Path, order: Order, reader: Reader, rows: NDArray[np.int64]) -> list[tuple[bytes, ...]]:
    """Return of each row the digests of its canonical text, its document and its payload, whose form is its file's."""
    from baznashr_server.sketch.fingerprint import fingerprint  # noqa: PLC0415 - compiles kernels, and is seldom needed

    found: list[tuple[bytes, ...]] = [()] * rows.size
    start = 0
    for group, parts in in_order(folder, order, rows, GROUP):
        for at, payload in parts:
            for place, document, held in zip(at.tolist(), reader.documents(payload), _payloads(payload), strict=True):
                digest = bytes.fromhex(fingerprint(document.text).digest)
                fields = repr((document.title, document.source, document.url, document.text)).encode()
                found[start + place] = digest, _short(fields), _short(held)
        start += group.size
    return found


def _short(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _payloads(payload: pa.Table) -> list[bytes]:
    """Return rows as bytes: columns by name, and their values as Arrow has them, since Python cannot hold them all."""
    if is_raw(payload):
        raws: list[bytes] = payload.column(0).to_pylist()
        return raws
    names = payload.schema.names
    payload = payload.select(sorted(range(len(names)), key=names.__getitem__))
    for at, column in enumerate(payload.schema):
        if pa.types.is_dictionary(column.type):  # whose numbers mean something else in another file
            payload = payload.set_column(at, column.name, payload.column(at).cast(column.type.value_type))
    payload = payload.combine_chunks()
    # Taken and not sliced: a slice may bring bits of its neighbours.
    rows = (payload.take([at]).combine_chunks().to_batches()[0] for at in range(payload.num_rows))
    kinds = f"{payload.schema.names}{payload.schema.types}".encode()
    return [kinds + row.serialize().to_pybytes() for row in rows]
