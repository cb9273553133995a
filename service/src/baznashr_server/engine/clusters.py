"""Clusters as stars: who is at the centre, and who takes over when the centre goes."""

from __future__ import annotations

from collections.abc import Iterable

from baznashr.types import Policy
from baznashr_server.engine.corpus import NOT_INDEXED, WITH_PASSAGES, LoadedCorpus, entry_of
from baznashr_server.engine.writer import Changes
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store


def seniority(row: DocumentRow, policy: Policy) -> tuple[bool, int, int, str]:
    """Return the order in which documents have a claim to be canonical: publish time, source rank, id.

    Unknown times come last, and among them the arrival counts.
    """
    ranks = policy.source_ranks
    rank = ranks.index(row.source) if row.source in ranks else len(ranks)
    return row.published is None, row.time, rank, row.id


def join(store: Store, corpus: LoadedCorpus, row: DocumentRow) -> None:
    """Let a new member take over as canonical where its claim is the better one."""
    cluster = store.cluster(row.cluster)
    if cluster is None or cluster.pinned:
        return
    canonical = store.document_at(cluster.canonical)
    if canonical is None or seniority(row, corpus.policy) < seniority(canonical, corpus.policy):
        store.update_cluster(cluster.cluster, row.row, pinned=False)


def remove(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow) -> None:
    """Delete a document; promote the next copy into the tables and the next member to canonical."""
    if row.row in corpus.index:
        changes.remove(corpus, entry_of(row))
    store.delete_document(row.row)
    changes.after_commit.append(lambda: _count(corpus, -1))
    members = store.members(row.cluster, limit=-1)
    if not members:
        store.delete_cluster(row.cluster)
        return
    if row.indexed:
        copy = next((member for member in members if member.digest == row.digest), None)
        if copy is not None and copy.row not in corpus.index:
            _index_as(store, changes, corpus, copy, row.indexed)
    cluster = store.cluster(row.cluster)
    if cluster is not None and cluster.canonical == row.row:
        heir = _senior(members, corpus.policy)
        store.update_cluster(cluster.cluster, heir.row, pinned=False)
        current = store.document_at(heir.row)
        if current is not None and current.indexed not in {NOT_INDEXED, WITH_PASSAGES}:
            _index_as(store, changes, corpus, current, WITH_PASSAGES)


def _count(corpus: LoadedCorpus, change: int) -> None:
    corpus.documents += change


def _senior(members: Iterable[DocumentRow], policy: Policy) -> DocumentRow:
    return min(members, key=lambda member: seniority(member, policy))


def _index_as(store: Store, changes: Changes, corpus: LoadedCorpus, row: DocumentRow, indexed: int) -> None:
    """Enter a stored document into the tables as far as *indexed* says, instead of as far as it is."""
    if row.row in corpus.index:
        changes.remove(corpus, entry_of(row))
    store.set_indexed(row.row, indexed)
    current = store.document_at(row.row)
    if current is not None:
        changes.add(corpus, entry_of(current))
