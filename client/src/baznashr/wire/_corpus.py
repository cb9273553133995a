"""Corpora, their policies and statistics, and the server's status."""

from __future__ import annotations

from dataclasses import asdict

from baznashr import types
from baznashr.v1 import admin_service_pb2, corpus_pb2
from baznashr.wire._base import EnumTable, build, required_time, time_from_message, time_to_message
from baznashr.wire._judgement import VERDICTS

_INDEX_POLICIES = EnumTable(types.IndexPolicy, corpus_pb2.IndexPolicy, "INDEX_POLICY")
_DEFAULT_POLICY = types.Policy()


def corpus_name(name: str) -> str:
    """Return the corpus that a request names; an empty name means the default one."""
    return name or types.DEFAULT_CORPUS


def policy_to_message(policy: types.Policy) -> corpus_pb2.Policy:
    return build(
        corpus_pb2.Policy,
        thresholds=build(corpus_pb2.Thresholds, **asdict(policy.thresholds)),
        repeated_verdicts=corpus_pb2.VerdictSet(
            verdicts=[VERDICTS.number(verdict, "repeated_verdicts") for verdict in policy.repeated_verdicts]
        ),
        index_policy=_INDEX_POLICIES.number(policy.index_policy, "index_policy"),
        source_ranks=policy.source_ranks,
    )


def policy_from_message(message: corpus_pb2.Policy) -> types.Policy:
    """Read a policy; what is unset takes the default."""
    thresholds = types.Thresholds(**{field.name: value for field, value in message.thresholds.ListFields()})
    repeated_verdicts = _DEFAULT_POLICY.repeated_verdicts
    if message.HasField("repeated_verdicts"):
        repeated_verdicts = tuple(
            VERDICTS.member(verdict, "repeated_verdicts") for verdict in message.repeated_verdicts.verdicts
        )
    index_policy = _DEFAULT_POLICY.index_policy
    if message.index_policy != corpus_pb2.INDEX_POLICY_UNSPECIFIED:
        index_policy = _INDEX_POLICIES.member(message.index_policy, "index_policy")
    return types.Policy(
        thresholds=thresholds,
        repeated_verdicts=repeated_verdicts,
        index_policy=index_policy,
        source_ranks=tuple(message.source_ranks),
    )


def corpus_to_message(corpus: types.Corpus) -> corpus_pb2.Corpus:
    return corpus_pb2.Corpus(
        name=corpus.name,
        window_days=corpus.window_days,
        keep_text=corpus.keep_text,
        policy=policy_to_message(corpus.policy),
        policy_version=corpus.policy_version,
        created_at=time_to_message(corpus.created_at, "created_at"),
        shadow_policy=None if corpus.shadow_policy is None else policy_to_message(corpus.shadow_policy),
    )


def corpus_from_message(message: corpus_pb2.Corpus) -> types.Corpus:
    return types.Corpus(
        name=message.name,
        window_days=message.window_days,
        keep_text=message.keep_text,
        policy=policy_from_message(message.policy),
        policy_version=message.policy_version,
        created_at=time_from_message(message, "created_at"),
        shadow_policy=policy_from_message(message.shadow_policy) if message.HasField("shadow_policy") else None,
    )


def shadow_difference_to_message(difference: types.ShadowDifference) -> corpus_pb2.ShadowDifference:
    return corpus_pb2.ShadowDifference(
        document_id=difference.document_id,
        matched_id=difference.matched_id or "",
        verdict=VERDICTS.number(difference.verdict),
        repeated=difference.repeated,
        reason=difference.reason,
        shadow_verdict=VERDICTS.number(difference.shadow_verdict),
        shadow_repeated=difference.shadow_repeated,
        shadow_reason=difference.shadow_reason,
        at=time_to_message(difference.at, "at"),
    )


def shadow_difference_from_message(message: corpus_pb2.ShadowDifference) -> types.ShadowDifference:
    return types.ShadowDifference(
        document_id=message.document_id,
        matched_id=message.matched_id or None,
        verdict=VERDICTS.member(message.verdict, "verdict"),
        repeated=message.repeated,
        reason=message.reason,
        shadow_verdict=VERDICTS.member(message.shadow_verdict, "shadow_verdict"),
        shadow_repeated=message.shadow_repeated,
        shadow_reason=message.shadow_reason,
        at=required_time(message, "at"),
    )


def boilerplate_to_message(boilerplate: types.Boilerplate) -> corpus_pb2.Boilerplate:
    return corpus_pb2.Boilerplate(
        text=boilerplate.text,
        documents=boilerplate.documents,
        source=boilerplate.source,
        document_id=boilerplate.document_id,
    )


def boilerplate_from_message(message: corpus_pb2.Boilerplate) -> types.Boilerplate:
    return types.Boilerplate(
        text=message.text,
        documents=message.documents,
        source=message.source,
        document_id=message.document_id,
    )


def corpus_stats_to_message(stats: types.CorpusStats) -> corpus_pb2.CorpusStats:
    return corpus_pb2.CorpusStats(
        corpus=stats.corpus,
        documents=stats.documents,
        indexed_documents=stats.indexed_documents,
        clusters=stats.clusters,
        verdicts=[
            corpus_pb2.VerdictCount(verdict=VERDICTS.number(types.Verdict(verdict)), documents=documents)
            for verdict, documents in stats.verdicts.items()
        ],
        self_repeating=stats.self_repeating,
        text_bytes=stats.text_bytes,
        stored_bytes=stats.stored_bytes,
        memory_bytes=stats.memory_bytes,
        profile=stats.profile,
        newest_published_at=time_to_message(stats.newest_published_at, "newest_published_at"),
    )


def corpus_stats_from_message(message: corpus_pb2.CorpusStats) -> types.CorpusStats:
    return types.CorpusStats(
        corpus=message.corpus,
        documents=message.documents,
        indexed_documents=message.indexed_documents,
        clusters=message.clusters,
        verdicts={VERDICTS.member(count.verdict, "verdicts").value: count.documents for count in message.verdicts},
        self_repeating=message.self_repeating,
        text_bytes=message.text_bytes,
        stored_bytes=message.stored_bytes,
        memory_bytes=message.memory_bytes,
        profile=message.profile,
        newest_published_at=time_from_message(message, "newest_published_at"),
    )


def server_status_to_message(status: types.ServerStatus) -> admin_service_pb2.ServerStatus:
    return admin_service_pb2.ServerStatus(
        version=status.version,
        profile=status.profile,
        started_at=time_to_message(status.started_at, "started_at"),
        read_only_reason=status.read_only_reason or "",
        corpora=status.corpora,
        documents=status.documents,
        memory_bytes=status.memory_bytes,
    )


def server_status_from_message(message: admin_service_pb2.ServerStatus) -> types.ServerStatus:
    return types.ServerStatus(
        version=message.version,
        profile=message.profile,
        started_at=required_time(message, "started_at"),
        read_only_reason=message.read_only_reason or None,
        corpora=message.corpora,
        documents=message.documents,
        memory_bytes=message.memory_bytes,
    )


def backup_to_message(backup: types.Backup) -> admin_service_pb2.Backup:
    return build(admin_service_pb2.Backup, path=backup.path, size_bytes=backup.size_bytes)


def backup_from_message(message: admin_service_pb2.Backup) -> types.Backup:
    return types.Backup(path=message.path, size_bytes=message.size_bytes)
