"""The judgement of two texts alone."""

from __future__ import annotations

from functools import partial

from baznashr.types import Judgement, Verdict
from baznashr_server.engine.corpus import LoadedCorpus, Rules
from baznashr_server.engine.findings import MEMBERSHIP, match_of, new_share, reason_for_new
from baznashr_server.engine.judging import Judge
from baznashr_server.engine.left_out import masks
from baznashr_server.engine.prepared import Prepared
from baznashr_server.judge.pair import TextPair
from baznashr_server.judge.rules import is_repeated


def compare_texts(earlier: Prepared, later: Prepared, judge: Judge, corpus: LoadedCorpus | None) -> Judgement:
    """Return what *later* is to *earlier*, with all evidence, by the policy and the boilerplate of *corpus*."""
    rules = corpus.rules if corpus else Rules()
    bodies = later.body, earlier.body
    same_text = earlier.sketch.digest_bytes == later.sketch.digest_bytes
    pair = TextPair(*bodies, partial(masks, corpus, *bodies)) if corpus else TextPair(*bodies)
    ruling, comparison = pair.ruling(rules.policy.thresholds, same_text=same_text), pair.comparison
    earlier_id = earlier.document.id
    is_member = ruling.verdict in MEMBERSHIP
    match = match_of(earlier_id, ruling, comparison)
    related = earlier_id if not is_member and ruling.verdict is not Verdict.NEW else ""
    return Judgement(
        verdict=ruling.verdict,
        repeated=is_repeated(ruling.verdict, rules.policy),
        reason=reason_for_new(later, [ruling]) if ruling.verdict is Verdict.NEW else ruling.reason,
        document_id=later.document.id,
        corpus=corpus.name if corpus else "",
        canonical_id=(earlier_id or None) if is_member else None,
        related_cluster_id=related or None,
        matches=(match,),
        new_share=new_share(later.body, ruling, [comparison]),
        self_repetition=later.repetition,
        profile=judge.profile.name,
        policy=rules.version,
        digest=later.sketch.digest,
    )
