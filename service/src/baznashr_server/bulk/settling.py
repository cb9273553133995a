"""What can be said once all rows were judged: clusters as they are in the end, and which documents are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baznashr_server.bulk.columns import JUDGED
from baznashr_server.bulk.judging import read_segment, segments
from baznashr_server.bulk.options import Keep

NEEDED = ("id", "canonical_id", "verdict", "repeated", "characters", "source", "published_at", "repetition_spans")
SAME_ARTICLE = ("EXACT", "NEAR_DUPLICATE")
"""Verdicts of what may stand for its cluster; an excerpt is a part of the article and may not."""


@dataclass(frozen=True)
class Judged:
    """NEEDED columns of all judgements in order, but for `characters`, of which those of second copies are taken."""

    table: pa.Table

    @classmethod
    def read(cls, folder: Path) -> Judged:
        tables = [_once(read_segment(path, NEEDED)) for path in segments(folder)]
        empty = _once(JUDGED.empty_table().select(list(NEEDED)))
        return cls(pa.concat_tables(tables or [empty]).unify_dictionaries().combine_chunks())

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> pa.Array:
        column = self.table.column(name)
        return column.chunk(0) if column.num_chunks == 1 else pa.array([], column.type)


def _once(table: pa.Table) -> pa.Table:
    """Return the judgements with the characters of each text that it does not repeat, in place of the spans it does."""
    spans = table.column("repetition_spans").combine_chunks()
    of, found = pc.list_parent_indices(spans).to_numpy(), pc.list_flatten(spans)
    lengths = pc.subtract(found.field("end"), found.field("start")).to_numpy()
    repeated = np.bincount(of, lengths, minlength=table.num_rows).astype(np.int32)
    at = table.schema.get_field_index("characters")
    once = pc.subtract(table.column(at), pa.array(repeated))
    return table.set_column(at, "characters", once).drop_columns(["repetition_spans"])


@dataclass(frozen=True)
class Settlement:
    """Of each judged row, in order."""

    cluster: pa.Array
    """Names: the id of the canonical document, as it is in the end."""
    number: NDArray[np.int64]
    """Of the cluster: rows of one cluster have the same."""
    size: NDArray[np.int32]
    """Documents of this run in the cluster."""
    kept: NDArray[np.bool_]
    kept_id: pa.Array
    """The document of its cluster that is kept."""


def _founders(judged: Judged) -> tuple[NDArray[np.int64], list[str]]:
    """Return the row of the document that each row's cluster began with; those outside have numbers after the rows'.

    An answer names the canonical document of its moment, which belonged to the cluster then: following those names
    leads to the first.
    """
    ids, canonical = judged.column("id"), judged.column("canonical_id")
    parent = np.arange(len(judged), dtype=np.int64)
    named = np.flatnonzero(canonical.is_valid().to_numpy(zero_copy_only=False))
    names = canonical.take(pa.array(named))
    rows = pc.index_in(names, value_set=ids)
    inside = rows.is_valid().to_numpy(zero_copy_only=False)
    parent[named[inside]] = rows.drop_null().to_numpy()
    outside = names.filter(pa.array(~inside)).dictionary_encode()
    parent[named[~inside]] = len(judged) + outside.indices.to_numpy()
    parent = np.concatenate([parent, np.arange(len(judged), len(judged) + len(outside.dictionary))])
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent, outside.dictionary.to_pylist()
        parent = further


def settle(
    judged: Judged, keep: Keep, source_ranks: Sequence[str], canonical_of: Callable[[str], str] | None
) -> Settlement:
    """Name each row's cluster and choose what is kept.

    Args:
        canonical_of: The canonical document, in the end, of the cluster that a document belongs to; None where it is
            that with which the cluster began.
    """
    rows = len(judged)
    parent, outside = _founders(judged)
    founder = parent[:rows]
    members = np.bincount(founder, minlength=parent.size)
    ids = judged.column("id")
    named = pa.concat_arrays([ids, pa.array(outside, pa.string())])
    centre = np.arange(parent.size, dtype=np.int64)
    if canonical_of is not None:
        asked = np.unique(founder[(members[founder] > 1) | (founder >= rows)])
        final = pa.array([canonical_of(name) for name in named.take(pa.array(asked)).to_pylist()], pa.string())
        known = pc.index_in(final, value_set=named)
        fresh = final.filter(known.is_null()).unique()
        named = pa.concat_arrays([named, fresh])
        centre[asked] = pc.index_in(final, value_set=named).to_numpy()
        # Answers may name one cluster of the other store by the canonical documents of two moments.
        _, first, which = np.unique(centre[asked], return_index=True, return_inverse=True)
        one = np.arange(parent.size)
        one[asked] = asked[first][which]
        founder = one[founder]
    size = np.bincount(founder, minlength=parent.size)[founder]
    centre_of = centre[founder]
    keeper = _keepers(judged, keep, source_ranks, founder, centre_of)
    repeated = judged.column("repeated").to_numpy(zero_copy_only=False)
    own = np.arange(rows)
    # Whoever is no repeat stays, but for the cluster's centre where another member is preferred.
    kept = (keeper == own) | ~(repeated | (centre_of == own) | (founder == own))
    return Settlement(
        cluster=named.take(pa.array(centre_of)),
        number=founder,
        size=size.astype(np.int32),
        kept=kept,
        kept_id=named.take(pa.array(np.where(kept, own, keeper))),
    )


def _keepers(
    judged: Judged,
    keep: Keep,
    source_ranks: Sequence[str],
    founder: NDArray[np.int64],
    centre: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return of each row the one kept of its cluster: its centre, where that is the best or is no row of this run.

    Only what is the same article as the centre is better.
    """
    rows = len(judged)
    if keep is Keep.EARLIEST:
        return centre
    if keep is Keep.LONGEST:
        claim = -judged.column("characters").to_numpy().astype(np.int64)
    else:
        claim = _ranks(judged, source_ranks)
    own = np.arange(rows)
    same = pc.is_in(judged.column("verdict").cast(pa.string()), value_set=pa.array(SAME_ARTICLE)).to_numpy(False)
    order = np.lexsort((own, centre != own, claim, ~(same | (centre == own)), founder))
    first = np.concatenate([[True], np.diff(founder[order]) != 0]) if rows else np.empty(0, np.bool_)
    best = np.full(int(founder.max(initial=-1)) + 1, -1, np.int64)
    best[founder[order][first]] = order[first]
    return np.where(centre < rows, best[founder], centre)


def _ranks(judged: Judged, source_ranks: Sequence[str]) -> NDArray[np.int64]:
    source = judged.column("source")
    rank: Mapping[str, int] = {name: number for number, name in enumerate(source_ranks)}
    of_code = np.array([rank.get(name, len(rank)) for name in source.dictionary.to_pylist()], np.int64)
    return of_code[source.indices.to_numpy()] if len(source) else np.empty(0, np.int64)
