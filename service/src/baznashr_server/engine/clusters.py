"""Clusters as stars: who is at the centre, and who takes over when the centre goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from baznashr.types import Cluster, Policy
from baznashr_server import failpoints
from baznashr_server.engine.bodies import BodyCache
from baznashr_server.engine.corpus import NOT_INDEXED, WITH_BANDS, WITH_PASSAGES, LoadedCorpus, entry_of
from baznashr_server.engine.records import member_from_row
from baznashr_server.engine.writer import Changes
from baznashr_server.limits import MAX_TAKEOVER
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store


def seniority(row: DocumentRow, policy: Policy) -> tuple[bool, int, int, str]:
    """Return the order in which documents have a claim to be canonical: publish time, source rank, id.

    Unknown times come last, and among them the arrival counts.
    """
    ranks = policy.source_ranks
    rank = ranks.index(row.source) if row.source in ranks else len(ranks)
    return row.published is None, row.time, rank, row.id


def join(
    store: Store, corpus: LoadedCorpus, row: DocumentRow, repeats: Callable[[DocumentRow, DocumentRow], bool]
) -> None:
    """Let a new member take over as canonical where its claim is the better one and all others repeat it directly.

    Args:
        repeats: Whether the first of two documents repeats the second. The first MAX_TAKEOVER members are asked.
    """
    cluster = store.cluster(row.cluster)
    if cluster is None or cluster.pinned:
        return
    canonical = store.document_at(cluster.canonical)
    if canonical is not None and seniority(row, corpus.policy) >= seniority(canonical, corpus.policy):
        return
    others = (member for member in store.members(row.cluster, MAX_TAKEOVER) if member.row != row.row)
    if all(repeats(member, row) for member in others):
        store.update_cluster(cluster.cluster, row.row, pinned=False)


def pin(store: Store, row: DocumentRow) -> None:
    """Let a document that an editor pinned be canonical again after it was replaced; a later pin is left alone."""
    cluster = store.cluster(row.cluster)
    if cluster is not None and not cluster.pinned:
        store.update_cluster(cluster.cluster, row.row, pinned=True)


def found(store: Store, row: DocumentRow) -> int:
    """Make a document the centre of a cluster of its own and return the cluster's number."""
    cluster = store.next_row()
    store.insert_cluster(cluster, row.corpus, row.row)
    store.set_cluster(row.row, cluster)
    return cluster


def stand_in(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow) -> DocumentRow:
    """Let a new exact copy take the place of an older one in the tables of a corpus with a window; return it as it is.

    Of equal texts the newest stays longest in the window, and one of them has to be there as long as any is.
    """
    older = corpus.index.exact(row.digest, pending=True) if corpus.row.window_days else None
    twin = None if older is None else store.document_at(older)
    if twin is None or twin.cluster != row.cluster or twin.time >= row.time:
        return row
    index_as(store, changes, corpus, twin, NOT_INDEXED)
    store.set_indexed(row.row, twin.indexed)
    return row._replace(indexed=twin.indexed)


def leave(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow) -> None:
    """Settle a cluster that *row* is leaving: promote the next copy into the tables, the next member to canonical."""
    heirs = store.heirs(row.cluster, without=row.row)
    if not heirs:
        store.delete_cluster(row.cluster)
        return
    if row.indexed:
        # In a window the newest stays longest, as in `stand_in`.
        copy = store.copy_in(row.cluster, row.digest, without=row.row, newest=bool(corpus.row.window_days))
        if copy is not None and not corpus.index.holds(copy.row, copy.digest):
            index_as(store, changes, corpus, copy, WITH_BANDS)
    cluster = store.cluster(row.cluster)
    if cluster is not None and cluster.canonical == row.row:
        heir = min(heirs, key=lambda member: seniority(member, corpus.policy))
        store.update_cluster(cluster.cluster, heir.row, pinned=False)
        current = store.document_at(heir.row)
        if current is not None and current.indexed == WITH_BANDS:
            index_as(store, changes, corpus, current, WITH_PASSAGES)
    if row.indexed == WITH_PASSAGES:
        _find_again(store, changes, corpus, row)


def _find_again(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow) -> None:
    """Enter the centre into the tables where *row* was the only member that its passages led to.

    Under index policy ORIGINALS it may have been the only one in the tables.
    """
    cluster = store.cluster(row.cluster)
    centre = store.document_at(cluster.canonical) if cluster else None
    if centre is None or store.has_head(row.cluster, without=row.row):
        return
    copy = store.copy_in(row.cluster, centre.digest, without=row.row, indexed=True)
    index_as(store, changes, corpus, copy or centre, WITH_PASSAGES)


def in_window(store: Store, corpus: LoadedCorpus, row: int) -> int | None:
    """Return *row* or, where it has left the window, the member that will lead once it is deleted; None without any."""
    document, earliest = store.document_at(row), corpus.earliest()
    if document is None or document.time >= earliest:
        return row
    heirs = store.heirs(document.cluster, without=row, since=earliest)
    return min(heirs, key=lambda member: seniority(member, corpus.policy)).row if heirs else None


def read(store: Store, row: DocumentRow, limit: int) -> Cluster:
    """Return the cluster of a document with its first members: the canonical one, then in order of arrival."""
    cluster = store.cluster(row.cluster)
    canonical = (store.document_at(cluster.canonical) if cluster else None) or row
    others = [member for member in store.members(row.cluster, limit) if member.row != canonical.row]
    return Cluster(
        cluster_id=canonical.id,
        canonical_id=canonical.id,
        members=tuple(member_from_row(member, canonical) for member in [canonical, *others][:limit]),
        total=store.count_members(row.cluster),
    )


def remove(store: Store, bodies: BodyCache, changes: Changes, corpus: LoadedCorpus, row: DocumentRow) -> None:
    """Delete a document and settle its cluster. The corpus's clock stays where it is, also over a restart."""
    index = corpus.index  # first: tables filled when the row is gone would lack it where that is taken back
    if corpus.newest is not None and min(row.time, row.arrived) >= corpus.newest:
        store.keep_clock(row.corpus, corpus.newest)
    store.delete_document(row.row)
    failpoints.reach("after_delete")
    changes.after_commit += [partial(_count, corpus, -1), partial(bodies.drop, row.row)]
    leave(store, changes, corpus, row)
    # Once what takes its place is there, for checks to find the one or the other.
    if index.holds(row.row, row.digest):
        changes.remove(corpus, entry_of(row))


def _count(corpus: LoadedCorpus, change: int) -> None:
    corpus.documents += change


def index_as(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow, indexed: int) -> None:
    """Enter a stored document into the tables as far as *indexed* says, instead of as far as it is."""
    if corpus.index.holds(row.row, row.digest):
        changes.remove(corpus, entry_of(row))
    store.set_indexed(row.row, indexed)
    current = store.document_at(row.row)
    if current is not None and current.indexed:
        changes.add(corpus, entry_of(current), visible=store.is_durable(current.row))
