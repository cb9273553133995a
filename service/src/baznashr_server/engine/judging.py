"""From a prepared text to a judgement: candidates, verification, rules, evidence, cluster.

Judging reads the tables and the store and changes neither. A caller judges in its own thread against what is durable;
the writer then judges again against what has come in between, reusing every comparison already made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Judgement, Match, OverrideKind, Thresholds, Verdict
from baznashr_server.engine.bodies import BodyCache, body_from_row
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.observer import Observer, timed
from baznashr_server.engine.prepared import Prepared
from baznashr_server.index.corpus_index import MIN_SHINGLES, Candidate
from baznashr_server.judge.body import Body
from baznashr_server.judge.boilerplate import boilerplate_mask
from baznashr_server.judge.comparison import NO_MASK, Comparison, Mask, compare, matched_spans, number_changes
from baznashr_server.judge.cover_kernel import COVER
from baznashr_server.judge.rules import (
    NOTHING_COMPARABLE,
    SAME_TEXT,
    TOO_FEW_SHINGLES,
    Ruling,
    is_repeated,
    judge_equal,
    judge_pair,
    judge_signatures,
    precedence,
)
from baznashr_server.limits import MAX_CANDIDATES, MAX_MATCHES, MAX_NUMBER_CHANGES
from baznashr_server.profile import FA_1
from baznashr_server.store.codec import signature_from_blob
from baznashr_server.store.rows import DocumentRow, OverrideRow
from baznashr_server.store.store import Store

MEMBERSHIP = (Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT)
"""Verdicts that make a document a member of the matched document's cluster."""
OVERRIDDEN = "OVERRIDE"
SETTLED_SHARE = 0.95
"""Share of the judged text in one stored article from which no other is asked."""
ENOUGH_TEMPLATES = 6
"""Reports of one family that an answer names at least."""
REPUBLISHED = 0.8
"""Estimated similarity that a republication reaches and another report of the family does not."""


def match_of(document_id: str, ruling: Ruling, x: Comparison) -> Match:
    """Return the evidence of a comparison. Equal texts are wholly in each other, whatever was left out to compare."""
    exact = ruling.verdict is Verdict.EXACT
    return Match(
        document_id=document_id,
        similarity=1.0 if exact else x.similarity,
        containment=1.0 if exact else x.containment,
        reverse_containment=1.0 if exact else x.reverse_containment,
        covered=1.0 if exact else x.judged_cover.share,
        numbers_changed=number_changes(x, MAX_NUMBER_CHANGES),
        spans=matched_spans(x),
        verdict=ruling.verdict,
        reason=ruling.reason,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """A stored document, what it has in common with the judged text, and what the rules say of the two."""

    row: DocumentRow
    ruling: Ruling
    similarity: float
    comparison: Comparison | None
    """None where no text is kept."""

    @property
    def order(self) -> tuple[float, ...]:
        shared = self.comparison.judged_cover.share if self.comparison else self.similarity
        return (
            precedence(self.ruling.verdict),
            -round(shared, 3),
            -round(self.similarity, 3),
            self.row.time,
            self.row.row,
        )

    def under(self, thresholds: Thresholds) -> Finding:
        """Return what the rules say under other thresholds; the same text is the same under all."""
        if self.ruling.verdict is Verdict.EXACT:
            return self
        if self.comparison is None:
            return replace(self, ruling=judge_signatures(self.similarity, thresholds))
        return replace(self, ruling=judge_pair(self.comparison, thresholds))

    def match(self) -> Match:
        x = self.comparison
        if x is None:
            return Match(
                document_id=self.row.id,
                similarity=self.similarity,
                containment=self.similarity,
                reverse_containment=self.similarity,
                verified=False,
                verdict=self.ruling.verdict,
                reason=self.ruling.reason,
            )
        return match_of(self.row.id, self.ruling, x)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    judgement: Judgement
    cluster: int | None
    """The cluster the document belongs to; None where it heads its own."""
    compared: tuple[Finding, ...] | None
    """Everything the text was compared with; None where an editor's word decided."""


class Evidence(dict[int, tuple[DocumentRow, Comparison | None]]):
    """Comparisons already made for one judged text, by row; rows never change."""

    mask: Mask | None = None
    """The judged text's boilerplate, as the corpus knew it when the first comparison was made."""


def verify(
    judged: Body, stored: Body, masks: tuple[Mask, Mask], *, same_text: bool, thresholds: Thresholds
) -> tuple[Ruling, Comparison]:
    """Compare two texts, but for the letters of their *masks*, and let the rules speak."""
    comparison = compare(judged, stored, *masks)
    return judge_equal(comparison) if same_text else judge_pair(comparison, thresholds), comparison


def reason_for_new(prepared: Prepared, rulings: list[Ruling]) -> str:
    """Return why a text is new: a rule that said so, the lack of letters, or else that nothing comes near."""
    if prepared.fingerprint.shingle_sequence.size < MIN_SHINGLES:
        return TOO_FEW_SHINGLES
    said = (ruling.reason for ruling in rulings if ruling.verdict is Verdict.NEW)
    return next((reason for reason in said if reason != NOTHING_COMPARABLE), NOTHING_COMPARABLE)


def signature_similarity(signature: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Return the share of equal values, an estimate of the Jaccard similarity."""
    return float(np.count_nonzero(signature == other) / signature.size)


def new_share(judged: Body, ruling: Ruling, comparisons: list[Comparison]) -> float:
    """Return the share of the judged letters that no comparison's long runs cover."""
    if ruling.verdict is Verdict.EXACT:
        return 0.0
    if not comparisons or not judged.letters.size:
        return 1.0
    covered = np.zeros(judged.letters.size, np.bool_)
    for comparison in comparisons:
        for start, _, length in comparison.runs.tolist():
            if length >= COVER:
                covered[start : start + length] = True
    return 1.0 - float(covered.mean())


def _is_settled(findings: list[Finding], following: Candidate) -> bool:
    """Whether comparing with the *following* candidate, the best that is left, could hardly change the verdict.

    So it is once nearly all of the text was found in one stored article; and in the middle of a family of recurring
    reports, where a republication of one of them would have stood out by its signature.
    """
    if not findings:
        return False
    last = findings[-1]
    if last.ruling.verdict in MEMBERSHIP and last.comparison is not None:
        return last.ruling.verdict is Verdict.EXACT or last.comparison.judged_cover.share >= SETTLED_SHARE
    templates = sum(finding.ruling.verdict is Verdict.TEMPLATE for finding in findings)
    return templates >= ENOUGH_TEMPLATES and following.estimate < REPUBLISHED


class Judge:
    def __init__(self, store: Store, bodies: BodyCache, observer: Observer) -> None:
        self._store = store
        self._bodies = bodies
        self._observer = observer

    def gather(self, corpus: LoadedCorpus, prepared: Prepared) -> Evidence:
        """Compare a text with what is durable, for the writer to judge by when its turn comes."""
        evidence = Evidence()
        self._findings(corpus, prepared, self._candidates(corpus, prepared, pending=False), evidence)
        return evidence

    def judge(
        self,
        corpus: LoadedCorpus,
        prepared: Prepared,
        evidence: Evidence,
        *,
        pending: bool,
        override: OverrideRow | None = None,
    ) -> Outcome:
        """Judge a text against the corpus.

        Args:
            evidence: Comparisons already made for this text; grows by those made now.
            pending: Also see what the writer has stored but not yet made durable; for the writer's thread alone.
            override: What an editor said of the document.
        """
        candidates = self._candidates(corpus, prepared, pending=pending)
        compared = self._findings(corpus, prepared, candidates, evidence)
        self._observer.searched(len(candidates), sum(finding.comparison is not None for finding in compared))
        findings = [finding for finding in compared if finding.ruling.verdict is not Verdict.NEW]
        word = None if override is None or override.kind == OverrideKind.PIN_CANONICAL else override
        if word is not None:
            findings = self._overridden(corpus, prepared, findings, word)
        reason = reason_for_new(prepared, [finding.ruling for finding in compared])
        judgement, cluster = self._decide(corpus, prepared, findings, reason, evidence)
        return Outcome(judgement, cluster, tuple(compared) if word is None else None)

    def repeats(self, corpus: LoadedCorpus, row: DocumentRow, other: DocumentRow) -> bool:
        """Whether a stored document repeats another, both compared directly."""
        if row.digest == other.digest:
            return True
        judged, stored = self._body(row), self._body(other)
        if judged is None or stored is None:
            similarity = signature_similarity(signature_from_blob(row.signature), signature_from_blob(other.signature))
            return judge_signatures(similarity, corpus.policy.thresholds).verdict in MEMBERSHIP
        masks = self.mask(corpus, judged), self.mask(corpus, stored)
        ruling, _ = verify(judged, stored, masks, same_text=False, thresholds=corpus.policy.thresholds)
        return ruling.verdict in MEMBERSHIP

    def _decide(
        self, corpus: LoadedCorpus, prepared: Prepared, findings: list[Finding], reason: str, evidence: Evidence
    ) -> tuple[Judgement, int | None]:
        """Return the judgement by the strongest finding, or NEW for *reason*, and the cluster to join."""
        findings.sort(key=lambda finding: finding.order)
        if len(findings) > MAX_MATCHES:
            self._observer.limit_bit("matches")
            findings = findings[:MAX_MATCHES]
        if not findings:
            return self._judgement(corpus, prepared, Ruling(Verdict.NEW, reason)), None
        best = findings[0]
        cluster, canonical, related = None, None, None
        if best.ruling.verdict in MEMBERSHIP:
            cluster, canonical = self._membership(corpus, prepared, findings, evidence)
        if cluster is None:
            related = self._canonical(best.row.cluster)
        return self._judgement(corpus, prepared, best.ruling, findings, canonical, related), cluster

    def _candidates(self, corpus: LoadedCorpus, prepared: Prepared, *, pending: bool) -> list[Candidate]:
        """Return the stored documents to compare with, best first; an equal text alone where there is one."""
        earliest = corpus.earliest()
        made = prepared.fingerprint
        with timed(self._observer, "lookup"):
            exact = corpus.index.exact(made.digest_bytes, pending=pending, earliest=earliest)
            if exact is not None:
                return [Candidate(exact, 1.0, 0)]
            candidates = corpus.index.candidates(
                made,
                limit=MAX_CANDIDATES,
                pending=pending,
                source=prepared.document.source,
                earliest=earliest,
            )
        if len(candidates) == MAX_CANDIDATES:
            self._observer.limit_bit("candidates")
        return candidates

    def _findings(
        self, corpus: LoadedCorpus, prepared: Prepared, candidates: list[Candidate], evidence: Evidence
    ) -> list[Finding]:
        findings: list[Finding] = []
        for candidate in candidates:
            if _is_settled(findings, candidate):
                break
            finding = self._find(corpus, prepared, candidate.row, evidence)
            if finding is not None:
                findings.append(finding)
        return findings

    def _find(self, corpus: LoadedCorpus, prepared: Prepared, row_number: int, evidence: Evidence) -> Finding | None:
        """Compare with one stored document; None where it was deleted meanwhile."""
        known = evidence.get(row_number)
        if known is None:
            with timed(self._observer, "load"):
                row = self._store.document_at(row_number)
                if row is None:
                    return None
                body = self._body(row)
            comparison = None
            if body is not None:
                judged = prepared.body
                with timed(self._observer, "verify"):
                    if evidence.mask is None:
                        evidence.mask = self.mask(corpus, judged)
                    stored_mask = self.mask(corpus, body) if evidence.mask.size else NO_MASK
                    comparison = compare(judged, body, evidence.mask, stored_mask)
            known = evidence[row_number] = (row, comparison)
        row, comparison = known
        thresholds = corpus.policy.thresholds
        same_text = row.digest == prepared.fingerprint.digest_bytes
        if comparison is not None:
            ruling = judge_equal(comparison) if same_text else judge_pair(comparison, thresholds)
            return Finding(row, ruling, comparison.similarity, comparison)
        signature = signature_from_blob(row.signature)
        similarity = signature_similarity(signature, prepared.fingerprint.signature)
        ruling = Ruling(Verdict.EXACT, SAME_TEXT) if same_text else judge_signatures(similarity, thresholds)
        return Finding(row, ruling, similarity, None)

    def mask(self, corpus: LoadedCorpus, body: Body) -> Mask:
        """Return the letters of a body that the corpus has learned to be boilerplate by now."""
        passages, _ = body.passages
        return boilerplate_mask(body, corpus.index.boilerplate(passages, body.source))

    def _body(self, row: DocumentRow) -> Body | None:
        body = self._bodies.get(row.row)
        if body is None:
            body = body_from_row(row)
            if body is not None:
                self._bodies.put(row.row, body)
        return body

    def _membership(
        self, corpus: LoadedCorpus, prepared: Prepared, findings: list[Finding], evidence: Evidence
    ) -> tuple[int | None, str | None]:
        """Return the first cluster, by best match, whose canonical document the text repeats itself, and its id."""
        seen = set()
        for finding in findings:
            if finding.ruling.verdict not in MEMBERSHIP:
                break
            cluster = self._store.cluster(finding.row.cluster)
            if cluster is None or cluster.cluster in seen:
                continue
            seen.add(cluster.cluster)
            if cluster.canonical == finding.row.row:
                return cluster.cluster, finding.row.id
            canonical = self._find(corpus, prepared, cluster.canonical, evidence)
            if canonical is not None and canonical.row.time < corpus.earliest():
                return cluster.cluster, finding.row.id  # the centre has left the window and is about to be deleted
            if canonical is not None and canonical.ruling.verdict in MEMBERSHIP:
                return cluster.cluster, canonical.row.id
        return None, None

    def _canonical(self, cluster_number: int) -> str | None:
        cluster = self._store.cluster(cluster_number)
        row = self._store.document_at(cluster.canonical) if cluster else None
        return row.id if row else None

    def _overridden(
        self, corpus: LoadedCorpus, prepared: Prepared, findings: list[Finding], override: OverrideRow
    ) -> list[Finding]:
        target = self._store.document(corpus.row.corpus, override.target_id) if override.target_id else None
        if override.kind == OverrideKind.NOT_REPEAT:
            spared = target.cluster if target else None
            return [
                replace(finding, ruling=Ruling(Verdict.OVERLAP, OVERRIDDEN))
                if finding.ruling.verdict in MEMBERSHIP and (target is None or finding.row.cluster == spared)
                else finding
                for finding in findings
            ]
        if target is None:
            return findings
        forced = Ruling(Verdict.NEAR_DUPLICATE, OVERRIDDEN)
        found = self._find(corpus, prepared, target.row, Evidence())
        others = [
            replace(finding, ruling=Ruling(Verdict.OVERLAP, OVERRIDDEN))
            if finding.ruling.verdict in MEMBERSHIP
            else finding
            for finding in findings
            if finding.row.row != target.row
        ]
        return [replace(found, ruling=forced), *others] if found else others

    def _judgement(
        self,
        corpus: LoadedCorpus,
        prepared: Prepared,
        ruling: Ruling,
        findings: list[Finding] | None = None,
        canonical: str | None = None,
        related: str | None = None,
    ) -> Judgement:
        findings = findings or []
        comparisons = [finding.comparison for finding in findings if finding.comparison is not None]
        return Judgement(
            verdict=ruling.verdict,
            repeated=is_repeated(ruling.verdict, corpus.policy),
            reason=ruling.reason,
            document_id=prepared.document.id,
            corpus=corpus.name,
            canonical_id=canonical,
            related_cluster_id=related,
            matches=tuple(finding.match() for finding in findings),
            new_share=new_share(prepared.body, ruling, comparisons) if comparisons else _unverified_share(findings),
            self_repetition=prepared.repetition.answer,
            profile=FA_1.name,
            policy=corpus.policy_version,
            digest=prepared.fingerprint.digest,
        )


def _unverified_share(findings: list[Finding]) -> float:
    return 1.0 - max((finding.similarity for finding in findings), default=0.0)
