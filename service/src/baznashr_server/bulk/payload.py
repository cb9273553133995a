"""Payloads: what rows were, for their documents to be read again and the kept set to be written."""

from __future__ import annotations

import pyarrow as pa

RAW = pa.schema([pa.field("raw", pa.large_binary())])
"""Of rows of text files, as JSON; those of Parquet files have all their columns."""


def is_raw(payload: pa.Table | pa.RecordBatch) -> bool:
    """Whether rows are of a text file."""
    return bool(payload.schema.equals(RAW))


def in_microseconds(payload: pa.Table | pa.RecordBatch) -> pa.Table | pa.RecordBatch:
    """Return the same without times in nanoseconds, which Python's types cannot hold."""
    for at, column in enumerate(payload.schema):
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            values = payload.column(at).cast(pa.timestamp("us", kind.tz), safe=False)
            payload = payload.set_column(at, column.name, values)
    return payload
