"""A policy on trial: what it would have said of the comparisons that a judgement was made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from baznashr.types import Judgement, Policy, ShadowDifference, Verdict
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.findings import Finding, Outcome
from baznashr_server.engine.observer import Observer
from baznashr_server.judge.rules import NOTHING_COMPARABLE, Ruling, is_repeated


def shadow_difference(judgement: Judgement, compared: Sequence[Finding], policy: Policy) -> ShadowDifference | None:
    """Return how the shadow *policy* judges otherwise; None where it agrees in the verdict and in `repeated`.

    Args:
        judgement: As given by the corpus's own policy.
        compared: All stored documents that the text was compared with.
    """
    ruled = (finding.under(policy.thresholds) for finding in compared)
    best = min((f for f in ruled if f.ruling.verdict is not Verdict.NEW), key=lambda f: f.order, default=None)
    verdict, reason = best.ruling if best else Ruling(Verdict.NEW, NOTHING_COMPARABLE)
    repeated = is_repeated(verdict, policy)
    if (verdict, repeated) == (judgement.verdict, judgement.repeated):
        return None
    matched_id = None if best is None else best.row.id
    if judgement.matches:
        matched_id = judgement.matches[0].document_id
    return ShadowDifference(
        document_id=judgement.document_id,
        matched_id=matched_id,
        verdict=judgement.verdict,
        repeated=judgement.repeated,
        reason=judgement.reason,
        shadow_verdict=verdict,
        shadow_repeated=repeated,
        shadow_reason=reason,
        at=datetime.now(UTC),
    )


def note(corpus: LoadedCorpus, outcome: Outcome, observer: Observer) -> None:
    """Count and keep how the corpus's shadow policy differs; where an editor's word decided, nothing is on trial."""
    trial = corpus.trial
    if trial is None or outcome.compared is None:
        return
    difference = shadow_difference(outcome.judgement, outcome.compared, trial.policy)
    if difference is not None:
        trial.differences.add(difference)
        observer.shadow_differed(difference.verdict, difference.shadow_verdict)
