"""What a comparison with one stored document brings to a judgement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Judgement, Match, Thresholds, Verdict
from baznashr_server.engine.bodies import Stored
from baznashr_server.engine.corpus import LoadedCorpus, Rules
from baznashr_server.engine.left_out import LeftOut
from baznashr_server.engine.prepared import Prepared
from baznashr_server.index.candidates import MIN_LETTERS
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.index.lookup import Lookup
from baznashr_server.judge.body import Body
from baznashr_server.judge.comparison import Comparison, matched_spans, number_changes
from baznashr_server.judge.cover_kernel import covered_share_kernel
from baznashr_server.judge.pair import TextPair
from baznashr_server.judge.rules import (
    NOTHING_COMPARABLE,
    SAME_TEXT,
    TOO_FEW_SHINGLES,
    Ruling,
    judge_signatures,
    precedence,
)
from baznashr_server.limits import MAX_NUMBER_CHANGES
from baznashr_server.store.rows import TextRow

MEMBERSHIP = (Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT)
"""Verdicts that make a document a member of the matched document's cluster."""


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


@dataclass(frozen=True, eq=False)
class Finding:
    """A stored document, what it has in common with the judged text, and what the rules say of the two."""

    stored: Stored
    ruling: Ruling
    pair: TextPair | None
    """None where no text is kept."""
    estimate: float = 0.0
    """Of the similarity, by the signatures; where no text is kept."""
    same_text: bool = False
    """Whether both texts are one in canonical form."""

    @property
    def row(self) -> TextRow:
        return self.stored.row

    @property
    def comparison(self) -> Comparison | None:
        return self.pair.comparison if self.pair else None

    @property
    def order(self) -> tuple[float, ...]:
        x = self.comparison
        shared, similarity = (x.judged_cover.share, x.similarity) if x else (self.estimate, self.estimate)
        return (
            precedence(self.ruling.verdict),
            -round(shared, 3),
            -round(similarity, 3),
            self.row.time,
            self.row.row,
        )

    def under(self, thresholds: Thresholds) -> Finding:
        """Return what the rules say under other thresholds; the same text is the same under all."""
        if self.ruling.verdict is Verdict.EXACT:
            return self
        if self.pair is None:
            return replace(self, ruling=judge_signatures(self.estimate, thresholds))
        return replace(self, ruling=self.pair.ruling(thresholds, same_text=self.same_text))

    @cached_property
    def match(self) -> Match:
        x = self.comparison
        if x is None:
            return Match(
                document_id=self.row.id,
                similarity=self.estimate,
                containment=self.estimate,
                reverse_containment=self.estimate,
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


class Evidence(dict[int, Finding]):
    """Comparisons already made for one judged text, by row; rows never change."""

    rules: Rules
    """Under which the findings were ruled; the corpus's when the text was last compared."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self.rules = rules

    @cached_property
    def left_out(self) -> LeftOut:
        return LeftOut()

    @property
    def watched(self) -> tuple[NDArray[np.uint64], ...]:
        left_out: LeftOut | None = self.__dict__.get("left_out")
        return left_out.watched if left_out else ()

    def forget(self) -> None:
        self.clear()
        self.__dict__.pop("left_out", None)

    def stands(self, corpus: LoadedCorpus, prepared: Prepared) -> bool:
        """Whether all that was left out of the comparisons made is what would be left out now."""
        return self.left_out.stands(corpus, prepared, {row: x.pair.stored for row, x in self.items() if x.pair})


@dataclass(slots=True, eq=False)
class Gathered:
    """What was found for the texts of one call among what was durable then."""

    index: CorpusIndex
    earliest: int
    leads_beyond_window: bool
    """Of the corpus, then, as the window's edge above."""
    lookup: Lookup
    evidence: list[Evidence]
    """By text."""

    def outdated(self, corpus: LoadedCorpus) -> list[bool]:
        """Return for each text whether the writer has to look it up, and what it was compared with, again.

        So it is where something came or went since that could be found, or could turn a passage into boilerplate.
        """
        if corpus.index is not self.index:
            return [True] * len(self.evidence)
        watched = [evidence.watched for evidence in self.evidence]
        may_find_more, may_find_less = self.index.is_outdated(self.lookup, watched)
        return [
            more or (may_find_less and bool(candidates))
            for more, candidates in zip(may_find_more, self.lookup.candidates, strict=True)
        ]

    def has_left(self, corpus: LoadedCorpus, t: int) -> bool:
        """Whether the window's edge may have passed what was found for text *t*, or moved back."""
        earliest = corpus.earliest()
        if corpus.leads_beyond_window != self.leads_beyond_window or earliest < self.earliest:
            return True
        if earliest == self.earliest:
            return False
        return self.leads_beyond_window or any(one.time < earliest for one in self.lookup.candidates[t])


def ruled(stored: Stored, pair: TextPair | None, prepared: Prepared, thresholds: Thresholds) -> Finding:
    """Return what the rules say of a text and a stored document."""
    same_text = stored.row.digest == prepared.sketch.digest_bytes
    if pair is not None:
        return Finding(stored, pair.ruling(thresholds, same_text=same_text), pair, same_text=same_text)
    similarity = signature_similarity(stored.signature, prepared.sketch.signature)
    ruling = Ruling(Verdict.EXACT, SAME_TEXT) if same_text else judge_signatures(similarity, thresholds)
    return Finding(stored, ruling, None, similarity)


def reason_for_new(prepared: Prepared, rulings: list[Ruling]) -> str:
    """Return why a text is new: a rule that said so, the lack of letters, or else that nothing comes near."""
    if prepared.sketch.size < MIN_LETTERS:
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
    runs = comparisons[0].runs if len(comparisons) == 1 else np.concatenate([x.runs for x in comparisons])
    return 1.0 - float(covered_share_kernel(runs, judged.letters.size))  # type: ignore[no-untyped-call]
