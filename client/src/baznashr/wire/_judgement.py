"""Judgements and their evidence."""

from __future__ import annotations

from baznashr import types
from baznashr.v1 import judgement_pb2
from baznashr.wire._base import EnumTable

VERDICTS = EnumTable(types.Verdict, judgement_pb2.Verdict, "VERDICT")
_REPETITION_KINDS = EnumTable(types.RepetitionKind, judgement_pb2.RepetitionKind, "REPETITION_KIND")


def _match_to_message(match: types.Match) -> judgement_pb2.Match:
    return judgement_pb2.Match(
        document_id=match.document_id,
        similarity=match.similarity,
        containment=match.containment,
        reverse_containment=match.reverse_containment,
        covered=match.covered,
        numbers_changed=[
            judgement_pb2.NumberChange(old=change.old, new=change.new, context=change.context)
            for change in match.numbers_changed
        ],
        verified=match.verified,
        spans=[
            judgement_pb2.MatchedSpan(
                start=span.start, end=span.end, stored_start=span.stored_start, stored_end=span.stored_end
            )
            for span in match.spans
        ],
        verdict=VERDICTS.number(match.verdict),
        reason=match.reason,
    )


def _match_from_message(message: judgement_pb2.Match) -> types.Match:
    return types.Match(
        document_id=message.document_id,
        similarity=message.similarity,
        containment=message.containment,
        reverse_containment=message.reverse_containment,
        covered=message.covered,
        numbers_changed=tuple(
            types.NumberChange(old=change.old, new=change.new, context=change.context)
            for change in message.numbers_changed
        ),
        verified=message.verified,
        spans=tuple(
            types.MatchedSpan(span.start, span.end, span.stored_start, span.stored_end) for span in message.spans
        ),
        verdict=VERDICTS.member(message.verdict, "verdict"),
        reason=message.reason,
    )


def _self_repetition_to_message(repetition: types.SelfRepetition) -> judgement_pb2.SelfRepetition:
    return judgement_pb2.SelfRepetition(
        share=repetition.share,
        kinds=[_REPETITION_KINDS.number(kind) for kind in repetition.kinds],
        spans=[judgement_pb2.Span(start=span.start, end=span.end) for span in repetition.spans],
    )


def _self_repetition_from_message(message: judgement_pb2.SelfRepetition) -> types.SelfRepetition:
    return types.SelfRepetition(
        share=message.share,
        kinds=tuple(_REPETITION_KINDS.member(kind, "kinds") for kind in message.kinds),
        spans=tuple(types.Span(span.start, span.end) for span in message.spans),
    )


def judgement_to_message(judgement: types.Judgement) -> judgement_pb2.Judgement:
    return judgement_pb2.Judgement(
        verdict=VERDICTS.number(judgement.verdict),
        repeated=judgement.repeated,
        reason=judgement.reason,
        document_id=judgement.document_id,
        corpus=judgement.corpus,
        canonical_id=judgement.canonical_id or "",
        related_cluster_id=judgement.related_cluster_id or "",
        matches=[_match_to_message(match) for match in judgement.matches],
        new_share=judgement.new_share,
        self_repetition=_self_repetition_to_message(judgement.self_repetition),
        replayed=judgement.replayed,
        stored=judgement.stored,
        profile=judgement.profile,
        policy=judgement.policy,
        digest=judgement.digest,
    )


def judgement_from_message(message: judgement_pb2.Judgement) -> types.Judgement:
    return types.Judgement(
        verdict=VERDICTS.member(message.verdict, "verdict"),
        repeated=message.repeated,
        reason=message.reason,
        document_id=message.document_id,
        corpus=message.corpus,
        canonical_id=message.canonical_id or None,
        related_cluster_id=message.related_cluster_id or None,
        matches=tuple(_match_from_message(match) for match in message.matches),
        new_share=message.new_share,
        self_repetition=_self_repetition_from_message(message.self_repetition),
        replayed=message.replayed,
        stored=message.stored,
        profile=message.profile,
        policy=message.policy,
        digest=message.digest,
    )
