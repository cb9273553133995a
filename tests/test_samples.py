"""The sample articles are well formed, and are to each other what they claim to be.

Relations are measured by brute force over sets of letter 8-grams, independently of the service's own code.
"""

import json
import unicodedata
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from baznashr.types import RepetitionKind, Verdict

SAMPLES = Path(__file__).parent / "samples"
ARTICLES: list[dict[str, Any]] = [
    json.loads(line) for line in (SAMPLES / "articles.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_ID = {article["id"]: article for article in ARTICLES}
REPEATED = {Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT}
RELATED = {Verdict.EXTENDED, Verdict.TEMPLATE, Verdict.OVERLAP}
FAULTS = {
    "agency_footer", "agency_header", "arabic_digits", "arabic_letters", "bulletin", "copied_background",
    "decimal_mark_lost", "doubled_body", "doubled_headline", "doubled_paragraph", "edited_second_copy", "extended",
    "formulaic_phrases", "headline_changed", "lost_zwnj", "no_own_words", "no_punctuation", "number_corrected",
    "player_chrome", "presentation_forms", "roundup", "same_event", "shared_chrome_only", "shortened", "single_copy",
    "site_chrome", "small_extension", "stub", "table", "tatweel", "title_in_body_once", "typo", "very_short",
}  # fmt: skip
ARABIC_TO_PERSIAN = str.maketrans("يىكةۀأإؤ", "ییکههااو", "ـ")

every_article = pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article["id"])


def letters(text: str) -> str:
    """Letters and digits alone, Arabic ones as Persian, digits as ASCII."""
    folded = unicodedata.normalize("NFKC", text).translate(ARABIC_TO_PERSIAN).lower()
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in folded if c.isalnum())


@cache
def shingles(article_id: str) -> frozenset[str]:
    text = letters(BY_ID[article_id]["text"])
    return frozenset(text[i : i + 8] for i in range(max(1, len(text) - 7)))


def overlap(later: str, earlier: str) -> tuple[float, float, float]:
    """Jaccard similarity, share of ``later`` in ``earlier``, share of ``earlier`` in ``later``."""
    a, b = shingles(later), shingles(earlier)
    common = len(a & b)
    return common / len(a | b), common / len(a), common / len(b)


def repeated_share(text: str, length: int = 24) -> float:
    """Share of the letters that lie in a run of ``length`` letters seen before in the same text."""
    plain = letters(text)
    seen: set[str] = set()
    covered: set[int] = set()
    for start in range(len(plain) - length + 1):
        run = plain[start : start + length]
        if run in seen:
            covered.update(range(start, start + length))
        seen.add(run)
    return len(covered) / len(plain)


def test_there_are_enough_and_all_differ() -> None:
    """At least forty articles, sixteen of them plain, with ids and texts of their own."""
    assert len(ARTICLES) >= 40
    assert len(BY_ID) == len(ARTICLES) == len({article["text"] for article in ARTICLES})
    plain = [a for a in ARTICLES if a["expect"]["verdict"] == Verdict.NEW and not a["faults"]]
    assert len(plain) >= 16


def test_every_fault_and_every_verdict_is_present() -> None:
    """The tags in use are exactly the known ones, and each verdict and kind is expected somewhere."""
    assert {fault for article in ARTICLES for fault in article["faults"]} == FAULTS
    assert {article["expect"]["verdict"] for article in ARTICLES} == set(Verdict)
    assert {kind for article in ARTICLES for kind in article["expect"]["kinds"]} == set(RepetitionKind)


def test_order_of_ingest_is_order_of_publication() -> None:
    """Times are aware, Tehran's, and do not go back, so the first of a story is also its canonical one."""
    times = [datetime.fromisoformat(article["published_at"]) for article in ARTICLES]
    assert all(time.utcoffset() == timedelta(hours=3, minutes=30) for time in times)
    assert all(before <= after for before, after in pairwise(times))


def test_readme_lists_every_article_once() -> None:
    """The table and the file name the same articles in the same order."""
    rows = (SAMPLES / "README.md").read_text(encoding="utf-8").split("| what it tests |")[1].splitlines()
    listed = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert listed == list(BY_ID)


@every_article
def test_fields_are_valid(article: dict[str, Any]) -> None:
    """Each field has its type, and the ids that a verdict needs name earlier articles."""
    assert set(article) == {"id", "title", "source", "url", "published_at", "text", "expect", "faults"}
    expect = article["expect"]
    assert set(expect) == {"verdict", "also", "canonical_id", "related_id", "kinds", "numbers_changed"}
    verdict = Verdict(expect["verdict"])
    assert all(Verdict(other) in REPEATED and verdict in REPEATED for other in expect["also"])
    assert all(RepetitionKind(kind) for kind in expect["kinds"])
    assert isinstance(expect["numbers_changed"], bool)
    assert letters(article["text"])
    assert article["url"].startswith(f"https://{article['source']}/")

    earlier = list(BY_ID)[: list(BY_ID).index(article["id"])]
    assert (expect["canonical_id"] is not None) == (verdict in REPEATED)
    assert (expect["related_id"] is not None) == (verdict in RELATED)
    target = expect["canonical_id"] or expect["related_id"]
    assert target is None or target in earlier
    if expect["canonical_id"]:
        assert BY_ID[target]["expect"]["canonical_id"] is None


@every_article
def test_relation_is_what_the_verdict_says(article: dict[str, Any]) -> None:
    """Similarity and containments lie where the expected verdict puts them."""
    expect = article["expect"]
    target = expect["canonical_id"] or expect["related_id"]
    if target is None:
        earlier = list(BY_ID)[: list(BY_ID).index(article["id"])]
        limit = 0.45 if "shared_chrome_only" in article["faults"] else 0.05
        assert all(max(overlap(article["id"], other)) < limit for other in earlier)
        return
    similarity, containment, reverse = overlap(article["id"], target)
    match Verdict(expect["verdict"]):
        case Verdict.EXACT:
            assert letters(article["text"]) == letters(BY_ID[target]["text"])
        case Verdict.NEAR_DUPLICATE:
            assert similarity >= 0.7
            assert letters(article["text"]) != letters(BY_ID[target]["text"])
        case Verdict.EXCERPT:
            assert containment >= 0.95
            assert similarity < 0.5
        case Verdict.EXTENDED:
            assert reverse >= 0.95
            assert similarity < 0.5
        case Verdict.TEMPLATE:
            assert 0.3 <= similarity <= 0.75
        case _:
            assert max(containment, reverse) >= 0.3
            assert max(containment, reverse) < 0.8


@every_article
def test_self_repetition_is_as_expected(article: dict[str, Any]) -> None:
    """Doubled texts repeat nearly half of their letters, other faults less, faultless texts little."""
    kinds = set(article["expect"]["kinds"])
    share = repeated_share(article["text"])
    if RepetitionKind.WHOLE_TEXT in kinds:
        assert 0.4 <= share <= 0.5
    elif kinds:
        assert 0.04 <= share < 0.4
    else:
        assert share < 0.25
    if RepetitionKind.HEADLINE in kinds:
        headline = letters(article["title"] or article["text"].splitlines()[0])
        assert letters(article["text"]).count(headline) == 2
