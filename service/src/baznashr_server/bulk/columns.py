"""The columns of what a run writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
SPANS = pa.list_(pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())]))
NAMES = pa.dictionary(pa.int32(), pa.string())
"""Few values in many rows."""

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("published_at", TIME),
        pa.field("source", NAMES),
        pa.field("title", pa.string()),
        pa.field("url", pa.string()),
        pa.field("characters", pa.int32()),
    ]
)
"""What was judged."""
ANSWERED = pa.schema(
    [
        pa.field("digest", pa.string()),
        pa.field("verdict", NAMES),
        pa.field("repeated", pa.bool_()),
        pa.field("reason", NAMES),
        pa.field("canonical_id", pa.string()),
        pa.field("related_cluster_id", pa.string()),
        pa.field("match_id", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("containment", pa.float64()),
        pa.field("reverse_containment", pa.float64()),
        pa.field("covered", pa.float64()),
        pa.field("numbers_changed", pa.int32()),
        pa.field("matches", pa.int32()),
        pa.field("new_share", pa.float64()),
        pa.field("repetition_share", pa.float64()),
        pa.field("repetition_kinds", pa.list_(pa.string())),
        pa.field("repetition_spans", SPANS),
    ]
)
"""What the engine answered."""
JUDGED = pa.schema([*DOCUMENT, *ANSWERED])
"""Both, in order; `docs/bulk.md` explains each column."""
SETTLED = pa.schema(
    [
        pa.field("replayed", pa.bool_()),
        pa.field("copies", pa.int32()),
        pa.field("cluster", pa.string()),
        pa.field("cluster_size", pa.int32()),
        pa.field("kept", pa.bool_()),
        pa.field("kept_id", pa.string()),
    ]
)
"""What is known at the end, beside each answer."""
JUDGEMENTS = pa.schema([*JUDGED, *SETTLED])
EDGES = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("matched_id", pa.string()),
        pa.field("verdict", NAMES),
        pa.field("reason", NAMES),
        pa.field("similarity", pa.float64()),
        pa.field("containment", pa.float64()),
        pa.field("reverse_containment", pa.float64()),
        pa.field("covered", pa.float64()),
        pa.field("numbers_changed", pa.int32()),
    ]
)
"""Every match of every answer, best first."""
CLUSTERS = pa.schema(
    [
        pa.field("cluster", pa.string()),
        pa.field("size", pa.int32()),
        pa.field("repeated", pa.int32()),
        pa.field("sources", pa.int32()),
        pa.field("earliest", TIME),
        pa.field("latest", TIME),
        pa.field("kept_id", pa.string()),
        pa.field("members", pa.list_(pa.string())),
    ]
)
"""Clusters of more than one document, the largest first."""


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [() for _ in schema]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def judged_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    return _table(rows, JUDGED)


def edge_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    return _table(rows, EDGES)


def in_terms_of(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return *table* with its columns as *schema* has them."""
    return table.select(schema.names).cast(schema)
