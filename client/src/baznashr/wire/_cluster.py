"""Clusters and overrides."""

from __future__ import annotations

from baznashr import types
from baznashr.v1 import cluster_pb2
from baznashr.wire._base import EnumTable, build, time_from_message, time_to_message
from baznashr.wire._judgement import VERDICTS

_OVERRIDE_KINDS = EnumTable(types.OverrideKind, cluster_pb2.OverrideKind, "OVERRIDE_KIND")


def cluster_to_message(cluster: types.Cluster) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        cluster_id=cluster.cluster_id,
        canonical_id=cluster.canonical_id,
        members=[
            cluster_pb2.ClusterMember(
                document_id=member.document_id,
                verdict=VERDICTS.number(member.verdict),
                similarity=member.similarity,
                source=member.source,
                published_at=time_to_message(member.published_at, "published_at"),
            )
            for member in cluster.members
        ],
        total=cluster.total,
    )


def cluster_from_message(message: cluster_pb2.Cluster) -> types.Cluster:
    return types.Cluster(
        cluster_id=message.cluster_id,
        canonical_id=message.canonical_id,
        members=tuple(
            types.ClusterMember(
                document_id=member.document_id,
                verdict=VERDICTS.member(member.verdict, "verdict"),
                similarity=member.similarity,
                source=member.source,
                published_at=time_from_message(member, "published_at"),
            )
            for member in message.members
        ),
        total=message.total,
    )


def override_to_message(override: types.Override) -> cluster_pb2.Override:
    return build(
        cluster_pb2.Override,
        document_id=override.document_id,
        kind=_OVERRIDE_KINDS.number(override.kind, "kind"),
        target_id=override.target_id or "",
        note=override.note,
        created_at=time_to_message(override.created_at, "created_at"),
    )


def override_from_message(message: cluster_pb2.Override) -> types.Override:
    return types.Override(
        document_id=message.document_id,
        kind=_OVERRIDE_KINDS.member(message.kind, "kind"),
        target_id=message.target_id or None,
        note=message.note,
        created_at=time_from_message(message, "created_at"),
    )
