"""Public values to and from what the rows hold."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from baznashr.types import (
    ClusterMember,
    Corpus,
    Document,
    IndexPolicy,
    Judgement,
    Match,
    NumberChange,
    Override,
    OverrideKind,
    Policy,
    RepetitionKind,
    SelfRepetition,
    Span,
    Thresholds,
    Verdict,
)
from baznashr_server.store.codec import decompress, from_micros
from baznashr_server.store.rows import CorpusRow, DocumentRow, OverrideRow


def to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def policy_to_json(policy: Policy) -> str:
    return json.dumps(asdict(policy), ensure_ascii=False, sort_keys=True)


def policy_from_json(text: str) -> Policy:
    value = json.loads(text)
    known = {field.name for field in fields(Thresholds)}
    return Policy(
        thresholds=Thresholds(**{name: x for name, x in value["thresholds"].items() if name in known}),
        repeated_verdicts=tuple(map(Verdict, value["repeated_verdicts"])),
        index_policy=IndexPolicy(value["index_policy"]),
        source_ranks=tuple(value["source_ranks"]),
    )


def policy_version(row: CorpusRow) -> str:
    """Return the revision and a digest of the policy, so that equal policies can be told from different ones."""
    return f"{row.policy_revision}-{blake2b(row.policy.encode(), digest_size=4).hexdigest()}"


def corpus_from_row(row: CorpusRow) -> Corpus:
    return Corpus(
        name=row.name,
        window_days=row.window_days,
        keep_text=row.keep_text,
        policy=policy_from_json(row.policy),
        policy_version=policy_version(row),
        created_at=from_micros(row.created),
        shadow_policy=None if row.shadow_policy is None else policy_from_json(row.shadow_policy),
    )


def document_from_row(row: DocumentRow) -> Document:
    return Document(
        id=row.id,
        text=decompress(row.text) if row.text is not None else "",
        title=row.title,
        source=row.source,
        url=row.url,
        published_at=None if row.published is None else from_micros(row.published),
        labels=json.loads(row.labels),
    )


def override_from_row(row: OverrideRow) -> Override:
    return Override(
        document_id=row.document_id,
        kind=OverrideKind(row.kind),
        target_id=row.target_id,
        note=row.note,
        created_at=from_micros(row.created),
    )


def _match_to_json(match: Match) -> dict[str, Any]:
    return {
        "document_id": match.document_id,
        "similarity": round(match.similarity, 6),
        "containment": round(match.containment, 6),
        "reverse_containment": round(match.reverse_containment, 6),
        "covered": round(match.covered, 6),
        "numbers_changed": match.numbers_changed,
        "verified": match.verified,
        "verdict": match.verdict.value,
        "reason": match.reason,
    }


def judgement_to_json(judgement: Judgement) -> str:
    """Write what a retry is answered with: everything but the spans of matches, which `compare` finds again."""
    if judgement.matches or judgement.self_repetition.kinds:
        return _to_json(judgement)
    return _without_evidence(
        judgement.repeated,
        judgement.reason,
        judgement.canonical_id,
        judgement.related_cluster_id,
        judgement.new_share,
        judgement.policy,
    )


@lru_cache(64)
def _without_evidence(
    repeated: bool, reason: str, canonical_id: str | None, related_cluster_id: str | None, share: float, policy: str
) -> str:
    """Write what is the same for most new texts."""
    return _to_json(
        Judgement(
            verdict=Verdict.NEW,
            repeated=repeated,
            reason=reason,
            canonical_id=canonical_id,
            related_cluster_id=related_cluster_id,
            new_share=share,
            policy=policy,
        )
    )


def _to_json(judgement: Judgement) -> str:
    return to_json(
        {
            "repeated": judgement.repeated,
            "reason": judgement.reason,
            "canonical_id": judgement.canonical_id,
            "related_cluster_id": judgement.related_cluster_id,
            "matches": [_match_to_json(match) for match in judgement.matches],
            "new_share": round(judgement.new_share, 6),
            "self_repetition": self_repetition_to_json(judgement.self_repetition),
            "policy": judgement.policy,
        }
    )


def self_repetition_to_json(repetition: SelfRepetition) -> dict[str, Any]:
    return {
        "share": round(repetition.share, 6),
        "kinds": [kind.value for kind in repetition.kinds],
        "spans": [[span.start, span.end] for span in repetition.spans],
    }


def self_repetition_from_json(value: Any) -> SelfRepetition:
    return SelfRepetition(
        share=value["share"],
        kinds=tuple(map(RepetitionKind, value["kinds"])),
        spans=tuple(Span(start, end) for start, end in value["spans"]),
    )


def judgement_from_row(row: DocumentRow, corpus: str, profile: str, *, replayed: bool) -> Judgement:
    value = json.loads(row.judgement)
    matches = tuple(
        Match(
            **{
                **match,
                "verdict": Verdict(match["verdict"]),
                "numbers_changed": tuple(NumberChange(**change) for change in match["numbers_changed"]),
            }
        )
        for match in value["matches"]
    )
    return Judgement(
        verdict=Verdict(row.verdict),
        repeated=value["repeated"],
        reason=value["reason"],
        document_id=row.id,
        corpus=corpus,
        canonical_id=value["canonical_id"],
        related_cluster_id=value["related_cluster_id"],
        matches=matches,
        new_share=value["new_share"],
        self_repetition=self_repetition_from_json(value["self_repetition"]),
        replayed=replayed,
        stored=True,
        profile=profile,
        policy=value["policy"],
        digest=row.digest.hex(),
    )


def _similarity(row: DocumentRow, canonical: DocumentRow) -> float:
    """Return what was told when one of the two was judged against the other; 0 where neither was."""
    for judged, other in ((row, canonical), (canonical, row)):
        for match in judgement_from_row(judged, "", "", replayed=False).matches:
            if match.document_id == other.id:
                return match.similarity
    return 0.0


def member_from_row(row: DocumentRow, canonical: DocumentRow) -> ClusterMember:
    """Return what a cluster's page shows of a document; its similarity with the canonical one is as of judging."""
    similarity = 1.0 if row.row == canonical.row else _similarity(row, canonical)
    return ClusterMember(
        document_id=row.id,
        verdict=Verdict(row.verdict),
        similarity=similarity,
        source=row.source,
        published_at=None if row.published is None else from_micros(row.published),
    )
