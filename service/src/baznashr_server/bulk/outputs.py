"""The tables that a run leaves: judgements, clusters, edges and duplicates."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from baznashr_server.bulk.columns import CLUSTERS, EDGES, JUDGEMENTS, TIME, in_terms_of
from baznashr_server.bulk.judging import read_edges, read_segment, segments
from baznashr_server.bulk.settling import Judged, Settlement
from baznashr_server.bulk.writing import whole

CLUSTERS_A_GROUP = 4096
UNKNOWN = np.iinfo(np.int64)
DUPLICATES = (
    "id", "kept_id", "cluster", "verdict", "reason", "similarity", "containment", "new_share", "source", "published_at",
    "url", "title",
)  # fmt: skip
_TABLE = """
CREATE TABLE duplicates(
    id TEXT PRIMARY KEY, kept_id TEXT NOT NULL, cluster TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
    similarity REAL, containment REAL, new_share REAL, source TEXT, published_at TEXT, url TEXT, title TEXT
) WITHOUT ROWID;
"""


def write_judgements(
    path: Path, folder: Path, settlement: Settlement, copies: NDArray[np.int32], replayed: NDArray[np.bool_]
) -> None:
    start = 0
    with whole(path) as part, pq.ParquetWriter(part, JUDGEMENTS, compression="zstd") as writer:
        for source in segments(folder):
            table = read_segment(source)
            rows = slice(start, start + table.num_rows)
            settled: dict[str, Any] = {
                "replayed": pa.array(replayed[rows]),
                "copies": pa.array(copies[rows]),
                "cluster": settlement.cluster[rows],
                "cluster_size": pa.array(settlement.size[rows]),
                "kept": pa.array(settlement.kept[rows]),
                "kept_id": settlement.kept_id[rows],
            }
            for name, column in settled.items():
                table = table.append_column(name, column)
            if table.num_rows:
                writer.write_table(in_terms_of(table, JUDGEMENTS), row_group_size=table.num_rows)
            start = rows.stop


def write_edges(path: Path, folder: Path) -> None:
    with whole(path) as part, pq.ParquetWriter(part, EDGES, compression="zstd") as writer:
        for source in segments(folder):
            table = read_edges(source)
            if table.num_rows:
                writer.write_table(in_terms_of(table, EDGES), row_group_size=table.num_rows)


def write_clusters(path: Path, judged: Judged, settlement: Settlement) -> int:
    """Write the clusters of more than one document, the largest first, by name where equal; return how many."""
    rows = np.flatnonzero(settlement.size > 1)
    number = settlement.number[rows]
    rows = rows[np.argsort(number, kind="stable")]
    number = settlement.number[rows]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(number) != 0])) if rows.size else np.empty(0, np.int64)
    ends = np.append(starts[1:], rows.size)
    names = settlement.cluster.take(pa.array(rows[starts]))
    order = pc.sort_indices(
        pa.table({"size": ends - starts, "cluster": names}),
        sort_keys=[("size", "descending"), ("cluster", "ascending")],
    ).to_numpy()
    sizes = (ends - starts)[order]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    firsts = offsets[:-1]
    members = rows[np.repeat(starts[order] - firsts, sizes) + np.arange(rows.size)]
    repeated = judged.column("repeated").to_numpy(zero_copy_only=False)[members]
    times = judged.column("published_at").cast(pa.int64()).take(pa.array(members))
    earliest, latest = (
        _of_each(ufunc, pc.fill_null(times, unknown).to_numpy(), firsts)
        for ufunc, unknown in ((np.minimum, UNKNOWN.max), (np.maximum, UNKNOWN.min))
    )
    undated = earliest == UNKNOWN.max
    columns: list[pa.Array] = [
        names.take(pa.array(order)),
        pa.array(sizes, pa.int32()),
        pa.array(_of_each(np.add, repeated.astype(np.int32), firsts), pa.int32()),
        pa.array(_distinct(judged.column("source").indices.to_numpy()[members], sizes), pa.int32()),
        pa.array(earliest, pa.int64(), mask=undated).cast(TIME),
        pa.array(latest, pa.int64(), mask=undated).cast(TIME),
        settlement.kept_id.take(pa.array(members[firsts])),
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), judged.column("id").take(pa.array(members))),
    ]
    with whole(path) as part, pq.ParquetWriter(part, CLUSTERS, compression="zstd") as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=CLUSTERS), row_group_size=CLUSTERS_A_GROUP)
    return int(order.size)


def _of_each(ufunc: np.ufunc, values: NDArray[Any], firsts: NDArray[np.int64]) -> NDArray[Any]:
    """Reduce *values* group by group; none is empty."""
    return ufunc.reduceat(values, firsts) if firsts.size else values[:0]


def _distinct(values: NDArray[np.int32], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many different *values* each group of these sizes has."""
    group = np.repeat(np.arange(sizes.size), sizes)
    pairs = np.unique(np.stack([group, values]), axis=1)
    return np.bincount(pairs[0], minlength=sizes.size)


def _duplicates(judgements: Path) -> Iterator[list[tuple[Any, ...]]]:
    with pq.ParquetFile(judgements) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=[*DUPLICATES, "kept"])
            table = table.filter(pc.invert(table.column("kept"))).select(DUPLICATES)
            columns = table.to_pydict()
            columns["published_at"] = [t.isoformat() if t else None for t in columns["published_at"]]
            yield list(zip(*columns.values(), strict=True))


def write_duplicates(folder: Path, judgements: Path) -> int:
    """Write the documents that are not kept as a CSV file and as a SQLite database; return how many."""
    total = 0
    with (
        whole(folder / "duplicates.csv") as listed,
        whole(folder / "duplicates.sqlite") as database,
        listed.open("w", encoding="utf-8", newline="") as lines,
        closing(sqlite3.connect(database, isolation_level=None)) as connection,
    ):
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(DUPLICATES)
        connection.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_TABLE}")
        connection.execute("BEGIN")
        for rows in _duplicates(judgements):
            writer.writerows(rows)
            connection.executemany(f"INSERT INTO duplicates VALUES({', '.join('?' * len(DUPLICATES))})", rows)
            total += len(rows)
        connection.execute("CREATE INDEX duplicates_by_cluster ON duplicates(cluster)")
        connection.execute("COMMIT")
    return total
