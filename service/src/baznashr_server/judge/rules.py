"""The rules: from a comparison to a verdict and the reason for it.

Each rule is one line of a table, tried in order; the first that holds decides. The figures they read are shares of
letters covered by shared runs, after the site's lines and second copies were left out, and the numbers that differ
where the wording agrees. docs/judging.md explains them with examples; docs/adr/0006 says how they were chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from baznashr.types import Policy, Thresholds, Verdict
from baznashr_server.judge.comparison import Comparison

PRECEDENCE = tuple(Verdict)
"""`Verdict` lists its members in order of precedence."""

SAME_TEXT = "SAME_TEXT"
TOO_FEW_SHINGLES = "TOO_FEW_SHINGLES"
NOTHING_COMPARABLE = "NOTHING_COMPARABLE"
SIGNATURES_AGREE = "SIGNATURES_AGREE"


OTHER_TITLE = 0.5
"""Similarity of the titles below which they are two."""
OWN_LETTERS = 40
"""Letters without the site's lines below which equal texts are not enough to make equal articles."""
SITE_LETTERS = 160
"""Letters that are taken for a site's lines wherever articles of one source share only their edges."""
SITE_LINE = 45
"""Characters of the mean line below which a longer stretch is one of notices and buttons; paragraphs have more."""
NEW_LEAD, NEW_COVER, NEW_STORED_COVER, NEW_LETTERS = 0.66, 0.92, 0.75, 100
"""A new lead: less than this of the first letters, of the text and of the stored text is covered, and so much is not.
Chosen by reading the stream (docs/reading.md); no labelled copy comes near."""


class Ruling(NamedTuple):
    verdict: Verdict
    reason: str


class Rule(NamedTuple):
    reason: str
    verdict: Verdict
    holds: Callable[[Comparison, Thresholds], bool]


def changed_numbers(x: Comparison) -> int:
    """Return how many numbers are others than in the stored text; a lost decimal mark makes no other number."""
    return len(x.numbers.changed) - x.numbers.respelled


def changed_share(x: Comparison) -> float:
    """Return the share of changed numbers among those that could be compared, 0 where there are none."""
    changed = changed_numbers(x)
    return changed / max(1, changed + x.numbers.same)


def judged_share(x: Comparison) -> float:
    """Return how much of the judged text the stored one covers.

    A phrase that the judged text has twice is covered once only; the set of its shingles tells better then.
    """
    return max(x.judged_cover.share, x.containment)


def least_letters(t: Thresholds, judged: float, stored: float) -> int:
    """Return the letters that shared runs must have, or cover in either of two texts, for any rule to hold.

    Args:
        judged, stored: Letters of the texts.
    """
    share = min(t.template * max(judged, stored), 2 * t.template * judged, t.same_article * stored)
    return min(t.passage_letters, ceil(share))


def _shares_little(x: Comparison, t: Thresholds) -> bool:
    """Whether no rule below could hold; for texts without boilerplate, `least_letters` says the same of a bound."""
    letters = max(x.longest_run, x.judged_cover.letters, x.stored_cover.letters)
    shares_text = x.common_share >= t.template or x.judged_cover.share >= 2 * t.template
    return letters < t.passage_letters and not shares_text and x.stored_cover.share < t.same_article


def _has_other_facts(x: Comparison, t: Thresholds) -> bool:
    # In this order: the numbers of two texts that have little in common are never read.
    broad = x.common_share >= t.template
    if not broad and not (x.judged_cover.share >= 2 * t.template and changed_numbers(x) > 1):
        return False
    return changed_share(x) >= t.numbers_changed


def _shares_only_edges(x: Comparison, _: Thresholds) -> bool:
    same_source = x.judged.source != "" and x.judged.source == x.stored.source
    lesser = max(x.judged_cover.share, x.stored_cover.share) < 0.5
    if not (same_source and x.edges_only and lesser):
        return False
    return x.judged_cover.letters < SITE_LETTERS or x.shared_line < SITE_LINE


def _has_new_lead(x: Comparison, _: Thresholds) -> bool:
    """Whether something else is reported above copied background: what is new stands in lead and title."""
    is_partly_new = (
        x.judged_cover.lead < NEW_LEAD
        and x.judged_cover.share < NEW_COVER
        and x.stored_cover.share < NEW_STORED_COVER
        and x.judged.letters.size - x.judged_cover.letters >= NEW_LETTERS
    )
    if not is_partly_new:
        return False
    titles = x.title_similarity
    return titles is not None and titles < OTHER_TITLE


def _is_covered(x: Comparison, t: Thresholds) -> bool:
    return judged_share(x) >= t.covered


def _is_same_article(x: Comparison, t: Thresholds) -> bool:
    return _is_covered(x, t) and x.stored_cover.share >= t.same_article


def _is_excerpt(x: Comparison, t: Thresholds) -> bool:
    return _is_covered(x, t) and x.judged_cover.letters >= t.passage_letters


def _is_extended(x: Comparison, t: Thresholds) -> bool:
    return x.stored_cover.share >= t.extended and x.stored_cover.letters >= t.passage_letters


def _overlaps(x: Comparison, t: Thresholds) -> bool:
    letters = x.judged_cover.letters
    mostly = letters >= t.passage_letters and max(x.judged_cover.share, x.stored_cover.share) >= 0.5
    return x.longest_run >= t.passage_letters or letters >= 2 * t.passage_letters or mostly


def _overlaps_under_new_lead(x: Comparison, t: Thresholds) -> bool:
    return _has_new_lead(x, t) and _overlaps(x, t)


RULES = (
    Rule(NOTHING_COMPARABLE, Verdict.NEW, _shares_little),
    Rule("OTHER_NUMBERS", Verdict.TEMPLATE, _has_other_facts),
    Rule("SITE_LINES_ONLY", Verdict.NEW, _shares_only_edges),
    Rule("NEW_LEAD", Verdict.OVERLAP, _overlaps_under_new_lead),
    Rule("SAME_ARTICLE_EDITED", Verdict.NEAR_DUPLICATE, _is_same_article),
    Rule("INSIDE_STORED", Verdict.EXCERPT, _is_excerpt),
    Rule("STORED_INSIDE", Verdict.EXTENDED, _is_extended),
    Rule("LONG_PASSAGES", Verdict.OVERLAP, _overlaps),
)


def judge_pair(comparison: Comparison, thresholds: Thresholds) -> Ruling:
    """Return what the judged text is to this one stored text."""
    for rule in RULES:
        if rule.holds(comparison, thresholds):
            return Ruling(rule.verdict, rule.reason)
    return Ruling(Verdict.NEW, NOTHING_COMPARABLE)


def judge_equal(comparison: Comparison) -> Ruling:
    """Return what a text is to a stored one with the same canonical text.

    Where that is a player's notice and little else, two titles make two articles.
    """
    if comparison.judged.letters.size < OWN_LETTERS:
        titles = comparison.title_similarity
        if titles is not None and titles < OTHER_TITLE:
            return Ruling(Verdict.NEW, TOO_FEW_SHINGLES)
    return Ruling(Verdict.EXACT, SAME_TEXT)


def judge_signatures(similarity: float, thresholds: Thresholds) -> Ruling:
    """Return what a text is to a stored one of which only the signature is kept; *similarity* is estimated from it."""
    if similarity >= thresholds.near_duplicate:
        return Ruling(Verdict.NEAR_DUPLICATE, SIGNATURES_AGREE)
    return Ruling(Verdict.NEW, NOTHING_COMPARABLE)


def is_repeated(verdict: Verdict, policy: Policy) -> bool:
    return verdict in policy.repeated_verdicts


def precedence(verdict: Verdict) -> int:
    """Return the rank of a verdict, 0 for the strongest."""
    return PRECEDENCE.index(verdict)
