"""From a prepared text to a judgement: candidates, verification, rules, evidence, cluster.

Judging reads the tables and the store and changes neither. A caller judges in its own thread against what is durable;
the writer then judges again against what has come in between, reusing every comparison already made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from baznashr.types import Judgement, OverrideKind, Verdict
from baznashr_server.engine import clusters
from baznashr_server.engine.bodies import BodyCache, Stored, stored_from_row
from baznashr_server.engine.corpus import LoadedCorpus, Rules
from baznashr_server.engine.findings import (
    MEMBERSHIP,
    Evidence,
    Finding,
    Gathered,
    Outcome,
    new_share,
    reason_for_new,
    ruled,
    signature_similarity,
)
from baznashr_server.engine.left_out import masks
from baznashr_server.engine.observer import Observer, timed
from baznashr_server.engine.precedence import Precedence
from baznashr_server.engine.prepared import Prepared
from baznashr_server.index.lookup import NO_TIME, Candidate, Query, Reach
from baznashr_server.judge.pair import TextPair
from baznashr_server.judge.rules import (
    Ruling,
    is_repeated,
    judge_signatures,
)
from baznashr_server.limits import MAX_CANDIDATES, MAX_MATCHES
from baznashr_server.profile import Profile
from baznashr_server.store.rows import DocumentRow, OverrideRow
from baznashr_server.store.store import Store

OVERRIDDEN = "OVERRIDE"
SETTLED_SHARE = 0.95
"""Share of the judged text in one stored article from which no other is asked."""
ENOUGH_TEMPLATES = 6
"""Reports of one family that an answer names at least."""
REPUBLISHED = 0.8
"""Estimated similarity that a republication reaches and another report of the family does not."""


def _is_settled(last: Finding, templates: int, left: Sequence[Candidate]) -> bool:
    """Whether comparing with the candidates that are *left* could hardly change the verdict.

    So it is once nearly all of the text was found in one stored article, though not where that has much else and
    another is as much like the whole; and in the middle of a family of recurring reports, where a republication of one
    of them would have stood out by its signature.

    Args:
        last: What was found last.
        templates: Reports of a family found so far.
    """
    verdict = last.ruling.verdict
    is_enough = templates >= ENOUGH_TEMPLATES
    if verdict in MEMBERSHIP and last.comparison is not None:
        is_enough = verdict is Verdict.EXACT or last.comparison.judged_cover.share >= SETTLED_SHARE
        if verdict is not Verdict.EXCERPT:
            return is_enough
    return is_enough and all(candidate.estimate < REPUBLISHED for candidate in left)


class Judge:
    def __init__(self, store: Store, bodies: BodyCache, observer: Observer) -> None:
        self._store = store
        self._bodies = bodies
        self._observer = observer
        self.precedence = Precedence()

    @property
    def profile(self) -> Profile:
        return self._store.profile

    def look_up(self, corpus: LoadedCorpus, prepared: Sequence[Prepared], *, pending: bool = False) -> Gathered:
        """Look texts up among what is durable or, where *pending*, among all that is judged by now."""
        earliest, index, rules = corpus.earliest(), corpus.index, corpus.rules
        queries = [Query(one.sketch, one.document.source) for one in prepared]
        with timed(self._observer, "lookup"):
            lookup = index.lookup(queries, _reach(corpus), pending=pending)
        evidence = [Evidence(rules) for _ in prepared]
        for t, candidates in enumerate(lookup.candidates):
            if candidates and lookup.is_telling(t):
                evidence[t].left_out.is_telling = True
        return Gathered(index, earliest, corpus.leads_beyond_window, lookup, evidence)

    def gather(self, corpus: LoadedCorpus, prepared: Sequence[Prepared]) -> Gathered:
        """Look texts up and compare them, for the writer to judge by when their turn comes.

        What it has judged but not yet made durable is found too: it looks again where that was taken back.
        """
        with self.precedence.turn():
            gathered = self.look_up(corpus, prepared, pending=True)
            self._compare_all(corpus, prepared, gathered.lookup.candidates, gathered.evidence)
        return gathered

    def _compare_all(
        self,
        corpus: LoadedCorpus,
        prepared: Sequence[Prepared],
        candidates: Sequence[list[Candidate]],
        evidence: Sequence[Evidence],
    ) -> None:
        self._read(row for some in candidates for row in _near(some))
        for one, some, found in zip(prepared, candidates, evidence, strict=True):
            if some:
                self.precedence.give_way()
                _make_matches(self._findings(corpus, one, some, found))

    def find_again(self, corpus: LoadedCorpus, prepared: Prepared, gathered: Gathered, t: int) -> list[Candidate]:
        """Return text *t*'s candidates, those too that are stored but not durable yet; for the writer's thread alone.

        Of the evidence only those comparisons are left that would come out the same now: what they left out as
        boilerplate still is. Answers then depend on what is stored when the text's turn comes, and not on when it was
        compared.
        """
        evidence = gathered.evidence[t]
        if evidence and evidence.stands(corpus, prepared):
            evidence.left_out.is_telling = False
        else:
            evidence.forget()
        with timed(self._observer, "lookup"):
            text, *_ = gathered.lookup.texts.part(t, t + 1)
            found, _ = corpus.index.find(text, _reach(corpus), pending=True)
        return found[0]

    def judge(
        self,
        corpus: LoadedCorpus,
        prepared: Prepared,
        candidates: list[Candidate],
        evidence: Evidence,
        *,
        override: OverrideRow | None = None,
        stored: bool = False,
    ) -> Outcome:
        """Judge a text against the corpus.

        Args:
            candidates: The stored documents to compare with, best first.
            evidence: Comparisons already made for this text; grows by those made now.
            override: What an editor said of the document.
            stored: Whether the judgement is to say that the document is stored.
        """
        compared = self._findings(corpus, prepared, candidates, evidence)
        self._observer.searched(len(candidates), sum(finding.pair is not None for finding in compared))
        if len(candidates) == MAX_CANDIDATES:
            self._observer.limit_bit("candidates")
        findings = [finding for finding in compared if finding.ruling.verdict is not Verdict.NEW]
        word = None if override is None or override.kind == OverrideKind.PIN_CANONICAL else override
        if word is not None:
            findings = self._overridden(corpus, prepared, findings, word, evidence.rules)
        reason = reason_for_new(prepared, [finding.ruling for finding in compared])
        judgement, cluster = self._decide(corpus, prepared, findings, reason, evidence, stored=stored)
        return Outcome(judgement, cluster, tuple(compared) if word is None else None)

    def repeats(self, corpus: LoadedCorpus, row: DocumentRow, other: DocumentRow) -> bool:
        """Whether a stored document repeats another, both compared directly."""
        if row.digest == other.digest:
            return True
        mine, theirs = (self._bodies.get(one.row) or stored_from_row(one) for one in (row, other))
        judged, stored = mine.body, theirs.body
        if judged is None or stored is None:
            similarity = signature_similarity(mine.signature, theirs.signature)
            return judge_signatures(similarity, corpus.policy.thresholds).verdict in MEMBERSHIP
        pair = TextPair(judged, stored, partial(masks, corpus, judged, stored))
        ruling = pair.ruling(corpus.policy.thresholds, same_text=False)
        return ruling.verdict in MEMBERSHIP

    def _decide(
        self,
        corpus: LoadedCorpus,
        prepared: Prepared,
        findings: list[Finding],
        reason: str,
        evidence: Evidence,
        *,
        stored: bool,
    ) -> tuple[Judgement, int | None]:
        """Return the judgement by the strongest finding, or NEW for *reason*, and the cluster to join."""
        judgement = partial(self._judgement, corpus, prepared, evidence.rules, stored)
        findings.sort(key=lambda finding: finding.order)
        if len(findings) > MAX_MATCHES:
            self._observer.limit_bit("matches")
            findings = findings[:MAX_MATCHES]
        if not findings:
            return judgement(Ruling(Verdict.NEW, reason)), None
        best = findings[0]
        found = None
        if best.ruling.verdict in MEMBERSHIP:
            found = self._centre(corpus, prepared, findings, evidence)
        if found is None:
            return judgement(best.ruling, findings, None, self._canonical(best.row.row)), None
        centre, cluster = found
        if centre.ruling.verdict in MEMBERSHIP and all(finding.row.row != centre.row.row for finding in findings):
            findings = sorted([*findings[: MAX_MATCHES - 1], centre], key=lambda finding: finding.order)
        return judgement(best.ruling, findings, centre.row.id, None), cluster

    def _findings(
        self, corpus: LoadedCorpus, prepared: Prepared, candidates: list[Candidate], evidence: Evidence
    ) -> list[Finding]:
        findings: list[Finding] = []
        if evidence.rules is not (rules := corpus.rules):
            evidence.rules = rules
            for number, known in evidence.items():
                evidence[number] = ruled(known.stored, known.pair, prepared, rules.policy.thresholds)
        rows: set[int] = set()
        templates = 0
        for number, candidate in enumerate(candidates):
            if findings and _is_settled(findings[-1], templates, candidates[number:]):
                break
            row: int | None = candidate.row
            if corpus.leads_beyond_window:
                row = clusters.in_window(self._store, corpus, candidate.row)
            finding = None if row is None else self._find(corpus, prepared, row, evidence)
            if finding is not None and finding.row.row not in rows:
                findings.append(finding)
                rows.add(finding.row.row)
                templates += finding.ruling.verdict is Verdict.TEMPLATE
        return findings

    def _find(self, corpus: LoadedCorpus, prepared: Prepared, row: int, evidence: Evidence) -> Finding | None:
        """Compare with one stored document; None where it was deleted meanwhile."""
        known = evidence.get(row)
        if known is not None:
            return known
        with timed(self._observer, "load"):
            stored = self._stored(row)
            if stored is None:
                return None
            body = self._bodies.body_of(stored)
        judged = body and prepared.body  # made here, a stage of its own
        with timed(self._observer, "verify"):
            pair = None
            if judged is not None and body is not None:
                pair = TextPair(judged, body, partial(evidence.left_out.masks, corpus, prepared, row, body))
            finding = evidence[row] = ruled(stored, pair, prepared, evidence.rules.policy.thresholds)
        return finding

    def _read(self, rows: Iterable[int]) -> None:
        """Read the documents at *rows* that are not at hand yet, all by one query."""
        with timed(self._observer, "load"):
            if missing := self._bodies.missing(rows):
                for row in self._store.texts_at(missing):
                    self._bodies.put(Stored(row))

    def _stored(self, row: int) -> Stored | None:
        """Return the document at *row*; None where it was deleted meanwhile."""
        stored = self._bodies.get(row)
        if stored is None:
            stored = next(map(Stored, self._store.texts_at([row])), None)
            if stored is not None:
                self._bodies.put(stored)
        return stored

    def _centre(
        self, corpus: LoadedCorpus, prepared: Prepared, findings: list[Finding], evidence: Evidence
    ) -> tuple[Finding, int] | None:
        """Return the canonical document of the first cluster, by best match, whose canonical the text repeats.

        Where an editor said what it repeats, it belongs to that one's cluster whatever its canonical document is.
        """
        seen = set()
        for finding in findings:
            if finding.ruling.verdict not in MEMBERSHIP:
                break
            cluster = self._store.cluster_of(finding.row.row)
            if cluster is None or cluster.cluster in seen:
                continue
            seen.add(cluster.cluster)
            if cluster.canonical == finding.row.row:
                return finding, cluster.cluster
            canonical = self._find(corpus, prepared, cluster.canonical, evidence)
            if canonical is not None and canonical.row.time < corpus.earliest():
                return finding, cluster.cluster  # the centre has left the window and is about to be deleted
            is_said = finding.ruling.reason == OVERRIDDEN
            if canonical is not None and (is_said or canonical.ruling.verdict in MEMBERSHIP):
                return canonical, cluster.cluster
        return None

    def _canonical(self, row: int) -> str | None:
        """Return the id of the canonical document of the cluster that the document at *row* belongs to."""
        cluster = self._store.cluster_of(row)
        stored = self._stored(cluster.canonical) if cluster else None
        return stored.row.id if stored else None

    def _overridden(
        self, corpus: LoadedCorpus, prepared: Prepared, findings: list[Finding], override: OverrideRow, rules: Rules
    ) -> list[Finding]:
        target = self._store.document(corpus.row.corpus, override.target_id) if override.target_id else None
        if override.target_id and target is None:  # deleted since
            return findings
        if override.kind == OverrideKind.NOT_REPEAT:
            return [
                replace(finding, ruling=Ruling(Verdict.OVERLAP, OVERRIDDEN))
                if finding.ruling.verdict in MEMBERSHIP and (target is None or self._are_together(finding, target))
                else finding
                for finding in findings
            ]
        if target is None:
            return findings
        forced = Ruling(Verdict.NEAR_DUPLICATE, OVERRIDDEN)
        found = self._find(corpus, prepared, target.row, Evidence(rules))
        others = [
            replace(finding, ruling=Ruling(Verdict.OVERLAP, OVERRIDDEN))
            if finding.ruling.verdict in MEMBERSHIP
            else finding
            for finding in findings
            if finding.row.row != target.row
        ]
        return [replace(found, ruling=forced), *others] if found else others

    def _are_together(self, finding: Finding, target: DocumentRow) -> bool:
        cluster = self._store.cluster_of(finding.row.row)
        return cluster is not None and cluster.cluster == target.cluster

    def _judgement(
        self,
        corpus: LoadedCorpus,
        prepared: Prepared,
        rules: Rules,
        stored: bool,
        ruling: Ruling,
        findings: list[Finding] | None = None,
        canonical: str | None = None,
        related: str | None = None,
    ) -> Judgement:
        findings = findings or []
        comparisons = [x for finding in findings if (x := finding.comparison) is not None]
        return Judgement(
            verdict=ruling.verdict,
            repeated=is_repeated(ruling.verdict, rules.policy),
            reason=ruling.reason,
            document_id=prepared.document.id,
            corpus=corpus.name,
            canonical_id=canonical,
            related_cluster_id=related,
            matches=tuple(finding.match for finding in findings),
            new_share=new_share(prepared.body, ruling, comparisons) if comparisons else _unverified_share(findings),
            self_repetition=prepared.repetition,
            stored=stored,
            profile=self.profile.name,
            policy=rules.version,
            digest=prepared.sketch.digest,
        )


def _reach(corpus: LoadedCorpus) -> Reach:
    earliest = corpus.earliest()
    return Reach(MAX_CANDIDATES, earliest, NO_TIME if corpus.leads_beyond_window else earliest)


def _near(candidates: list[Candidate]) -> list[int]:
    """Return the rows of the candidates that a text is likely to be compared with: the best alone where it is near."""
    most = 1 if candidates and candidates[0].estimate >= REPUBLISHED else ENOUGH_TEMPLATES
    return [candidate.row for candidate in candidates[:most]]


def _make_matches(findings: list[Finding]) -> None:
    """Make the evidence that the answer will show, in the caller's thread."""
    for finding in findings:
        if finding.ruling.verdict is not Verdict.NEW:
            _ = finding.match


def _unverified_share(findings: list[Finding]) -> float:
    return 1.0 - max((finding.estimate for finding in findings), default=0.0)
