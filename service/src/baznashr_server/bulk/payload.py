"""Payloads: what rows were, for their documents to be read again and the kept set to be written."""

from __future__ import annotations

import pyarrow as pa

RAW = pa.schema([pa.field("raw", pa.large_binary())])
"""Of rows of text files, as JSON; those of Parquet files have all their columns."""


def is_raw(payload: pa.Table | pa.RecordBatch) -> bool:
    """Whether rows are of a text file."""
    return bool(payload.schema.equals(RAW))


def without_views(batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
    """Return the same with views of strings and bytes, which Arrow cannot sort yet, as strings and bytes."""
    for at, column in enumerate(batch.schema):
        if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
            kind = pa.large_string() if pa.types.is_string_view(column.type) else pa.large_binary()
            batch = batch.set_column(at, column.name, batch.column(at).cast(kind))
    return batch


def in_microseconds(payload: pa.Table | pa.RecordBatch) -> pa.Table | pa.RecordBatch:
    """Return the same without times in nanoseconds, which Python's types cannot hold."""
    for at, column in enumerate(payload.schema):
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            values = payload.column(at).cast(pa.timestamp("us", kind.tz), safe=False)
            payload = payload.set_column(at, column.name, values)
    return payload
