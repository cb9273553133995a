"""Lists of what to remove, as other tools read them.

`datatrove/NNNNNN.remove` is what datatrove's MinhashDedupFilter reads for the task NNNNNN: little-endian uint32 numbers
of documents among those that its reader yields, ascending. `text-dedup/clusters.pickle` is what text-dedup 0.4 saves
with `save_clusters`: a dictionary from the number of each row of the dataset to that of the row kept in its stead. It
is written opcode by opcode, since nothing here imports the module that would also run what it reads.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baznashr_server.bulk.writing import whole

_BATCH = 1000
"""Pairs between two SETITEMS opcodes, as pickle writes them."""


def write_datatrove(folder: Path, names: Sequence[str], file: NDArray[np.int32], place: NDArray[np.int64]) -> None:
    """Write one list for each input file.

    Args:
        file, place: Of the documents to remove: the file's number, and the document's in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.lexsort((place, file))
    file, place = file[order], place[order]
    for number in range(len(names)):
        first, last = np.searchsorted(file, [number, number + 1])
        with whole(folder / f"{number:06d}.remove") as part:
            part.write_bytes(place[first:last].astype("<u4").tobytes())
    with whole(folder / "files.json") as part:
        part.write_text(
            json.dumps({f"{n:06d}.remove": name for n, name in enumerate(names)}, ensure_ascii=False), "utf-8"
        )


def write_text_dedup(path: Path, row: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
    """Write a pickle of the dictionary from *row* to *kept*, both below 2^31."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("wb") as file:
        file.write(b"\x80\x02}")
        for start in range(0, row.size, _BATCH):
            pairs = zip(row[start : start + _BATCH].tolist(), kept[start : start + _BATCH].tolist(), strict=True)
            file.write(b"(" + b"".join(struct.pack("<cici", b"J", a, b"J", b) for a, b in pairs) + b"u")
        file.write(b".")
