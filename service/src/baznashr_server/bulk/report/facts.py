"""Sums over all judgements, row group by row group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from baznashr.types import RepetitionKind, Verdict
from baznashr_server.bulk.report.words import NO_SOURCE, STORED_BEFORE

BINS = 25
"""Of the similarity histogram."""
EDITED = 4
"""Edited copies kept of each verdict."""
EDITED_VERDICTS = (Verdict.NEAR_DUPLICATE.value, Verdict.EXCERPT.value)
BATCH = 1 << 16
Row = dict[str, Any]


@dataclass
class Facts:
    articles: int = 0
    repeated: int = 0
    kept: int = 0
    characters: int = 0
    undated: int = 0
    repeated_of: Counter[str] = field(default_factory=Counter)
    """By source."""
    self_repeating: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By source and verdict."""
    days: Counter[tuple[date, str]] = field(default_factory=Counter)
    similarities: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """By verdict: int64[BINS] of the best match's similarity."""
    edited: dict[str, list[tuple[float, str, str]]] = field(default_factory=dict)
    """By verdict: similarity, id and best match of repeated articles, the least similar first."""
    kinds: Counter[str] = field(default_factory=Counter)
    faulty: dict[str, dict[str, tuple[float, str]]] = field(default_factory=dict)
    """By kind of self-repetition and source: share and id of the article with the largest share."""
    families: list[list[str]] = field(default_factory=list)
    """Ids of recurring reports, in order, each after the one it is nearest to; the largest family first."""
    flows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Repeated articles by source and by the source of their cluster's canonical article."""


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some rows at a time, dictionary columns as strings."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=list(columns)):
            table = pa.Table.from_batches([batch])
            for place, one in enumerate(table.schema):
                if pa.types.is_dictionary(one.type):
                    table = table.set_column(place, one.name, table.column(place).cast(pa.string()))
            yield table.select(columns)


def _named(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(pc.fill_null(column, ""), ""), NO_SOURCE, column)


def _add(counter: Counter[Any], table: pa.Table, keys: list[str]) -> None:
    grouped = table.group_by(keys).aggregate([([], "count_all")])
    columns = [grouped.column(key).to_pylist() for key in keys]
    names = columns[0] if len(keys) == 1 else zip(*columns, strict=True)
    for name, count in zip(names, grouped.column("count_all").to_pylist(), strict=True):
        counter[name] += count


def gather(path: Path, zone: str) -> Facts:
    """Read all judgements of the file at *path*; days begin at midnight in the time zone *zone*."""
    facts = Facts()
    linked: list[pa.Table] = []
    related: list[pa.Table] = []
    columns = (
        "id", "published_at", "source", "characters", "verdict", "repeated", "reason", "similarity", "cluster", "kept",
        "match_id", "related_cluster_id", "repetition_share", "repetition_kinds",
    )  # fmt: skip
    for raw in batches(path, columns):
        table = raw.set_column(2, "source", _named(raw.column("source")))
        facts.articles += table.num_rows
        facts.repeated += pc.sum(table.column("repeated")).as_py() or 0
        facts.kept += pc.sum(table.column("kept")).as_py() or 0
        facts.characters += pc.sum(table.column("characters")).as_py() or 0
        _add(facts.verdicts, table, ["verdict"])
        _add(facts.reasons, table, ["verdict", "reason"])
        _add(facts.sources, table, ["source", "verdict"])
        _add_days(facts, table, zone)
        _add_similarities(facts, table)
        _add_faulty(facts, table)
        repeats = table.filter(table.column("repeated"))
        _add(facts.repeated_of, repeats, ["source"])
        _add_edited(facts, repeats)
        # Whoever came to head its cluster republishes nobody.
        members = repeats.filter(pc.not_equal(repeats.column("id"), repeats.column("cluster")))
        linked.append(members.select(["source", "cluster"]))
        reports = table.filter(pc.equal(table.column("verdict"), Verdict.TEMPLATE.value))
        related.append(reports.select(["id", "related_cluster_id"]))
    facts.families = _families(related)
    _add_flows(facts, linked, path)
    return facts


def _add_edited(facts: Facts, repeats: pa.Table) -> None:
    columns = ["similarity", "id", "match_id"]
    known = repeats.filter(pc.and_(pc.is_valid(repeats.column("similarity")), pc.is_valid(repeats.column("match_id"))))
    for verdict in EDITED_VERDICTS:
        some = known.filter(pc.equal(known.column("verdict"), verdict)).select(columns)
        least = some.take(pc.sort_indices(some, [("similarity", "ascending"), ("id", "ascending")])[:EDITED])
        rows = zip(*(column.to_pylist() for column in least.columns), strict=True)
        facts.edited[verdict] = sorted([*facts.edited.get(verdict, ()), *rows])[:EDITED]


def _add_days(facts: Facts, table: pa.Table, zone: str) -> None:
    dated = table.filter(pc.is_valid(table.column("published_at")))
    facts.undated += table.num_rows - dated.num_rows
    times = pc.local_timestamp(dated.column("published_at").cast(pa.timestamp("us", zone)))
    days = pc.cast(times, pa.date32(), safe=False)
    _add(facts.days, pa.table({"day": days, "verdict": dated.column("verdict")}), ["day", "verdict"])


def _add_similarities(facts: Facts, table: pa.Table) -> None:
    known = table.filter(pc.is_valid(table.column("similarity")))
    values = known.column("similarity").to_numpy()
    verdicts = np.array(known.column("verdict").to_pylist(), object)
    for verdict in dict.fromkeys(verdicts.tolist()):
        counted = np.histogram(values[verdicts == verdict], BINS, (0, 1))[0]
        facts.similarities[verdict] = facts.similarities.get(verdict, np.zeros(BINS, np.int64)) + counted


def _add_faulty(facts: Facts, table: pa.Table) -> None:
    # Kinds and not the share: a phrase may come twice without being a fault.
    some = table.filter(pc.greater(pc.list_value_length(table.column("repetition_kinds")), 0))
    facts.self_repeating += some.num_rows
    columns = ("repetition_kinds", "source", "repetition_share", "id")
    for kinds, source, share, id_ in zip(*(some.column(name).to_pylist() for name in columns), strict=True):
        facts.kinds.update(kinds)
        worst = facts.faulty.setdefault(next(kind.value for kind in RepetitionKind if kind.value in kinds), {})
        if source not in worst or (-share, id_) < (-worst[source][0], worst[source][1]):
            worst[source] = (share, id_)


def _families(tables: list[pa.Table]) -> list[list[str]]:
    """Put together the reports that lead to each other by what they are nearest to."""
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while (above := root.get(name, name)) != name:
            root[name] = root.get(above, above)
            name = above
        return name

    members: dict[str, list[str]] = {}
    pairs = [
        pair
        for table in tables
        for pair in zip(table.column("id").to_pylist(), table.column("related_cluster_id").to_pylist(), strict=True)
        if pair[1] is not None
    ]
    for one, other in pairs:
        root[top(one)] = top(other)
    for name in dict.fromkeys(name for one, other in pairs for name in (other, one)):
        members.setdefault(top(name), []).append(name)
    return sorted(members.values(), key=lambda family: (-len(family), family[0]))


def _add_flows(facts: Facts, linked: list[pa.Table], path: Path) -> None:
    if not linked:
        return
    repeats = pa.concat_tables(linked)
    wanted = pc.unique(repeats.column("cluster"))
    found, sources = [], []
    for table in batches(path, ("id", "source")):
        some = table.filter(pc.is_in(table.column("id"), value_set=wanted))
        found.append(some.column("id"))
        sources.append(_named(some.column("source")))
    ids = pa.chunked_array([chunk for column in found for chunk in column.chunks], pa.string()).combine_chunks()
    names = pa.chunked_array([chunk for column in sources for chunk in column.chunks], pa.string()).combine_chunks()
    origin = names.take(pc.index_in(repeats.column("cluster").combine_chunks(), value_set=ids))
    table = pa.table({"source": repeats.column("source"), "origin": pc.fill_null(origin, STORED_BEFORE)})
    _add(facts.flows, table, ["source", "origin"])


def rows_of(path: Path, ids: Sequence[str], columns: Sequence[str]) -> dict[str, Row]:
    """Return the named columns of the rows with these ids."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, Row] = {}
    for table in batches(path, ("id", *columns)):
        some = table.filter(pc.is_in(table.column("id"), value_set=wanted))
        found.update((row["id"], row) for row in some.to_pylist())
    return found
