"""What a comparison measures is what brute force finds, and its spans point at the same words in both originals."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr.types import MatchedSpan
from baznashr_server.judge.body import prepare
from baznashr_server.judge.comparison import SPAN_GAP, Comparison, compare, matched_spans, number_changes
from baznashr_server.judge.cover_kernel import COVER
from baznashr_server.limits import MAX_NUMBER_CHANGES
from baznashr_server.sketch.shingles import SIZE
from baznashr_server.text.canonical import canonicalise
from tests.articles import real_bodies, samples
from tests.judge.parts import STORED, Part, body, compared, own, shared, spaced
from tests.judge.texts import edited, paragraph

ZWNJ = "\u200c"
orders = st.lists(st.sampled_from("abcdef"), max_size=7)


def of(judged: str, stored: str, titles: tuple[str, str] = ("", "")) -> Comparison:
    """Compare two texts."""
    return compare(prepare(judged, title=titles[0]), prepare(stored, title=titles[1]))


def shingles(letters: str) -> set[str]:
    """Return the set of 8-grams."""
    return {letters[i : i + 8] for i in range(len(letters) - 7)}


def letters_of(text: str) -> str:
    """Return the canonical letters."""
    return canonicalise(text).text()


def check_shares(x: Comparison) -> None:
    """Fail where similarity or a containment is not that of the two sets of shingles."""
    judged, stored = (shingles("".join(map(chr, side.letters))) for side in (x.judged, x.stored))
    common = len(judged & stored)
    assert x.similarity == common / max(1, len(judged | stored))
    assert x.containment == common / max(1, len(judged))
    assert x.reverse_containment == common / max(1, len(stored))


def laid_out(order: list[str], edge: str, seed: int) -> str:
    """Return paragraphs by name, with ZWNJ and line breaks at random, and own ones of 40 letters between some."""
    rng = random.Random(f"{edge} {seed}")
    lines = []
    for place, name in enumerate(order):
        if rng.random() < 0.4:
            lines.append(spaced(own(edge, 40, (seed, place))))
        words = spaced(shared(name, 30 + 10 * "abcdef".index(name))).split()
        lines.append("".join(word + rng.choice([" ", ZWNJ, "\n", "، "]) for word in words))
    return "\n".join(lines)


@given(st.integers(0, 2**32), st.integers(0, 6))
def test_shares_are_those_of_the_sets(seed: int, edits: int) -> None:
    """Exact, for texts that share nothing, a part, or all but some words."""
    rng = random.Random(seed)
    first, second, third = (paragraph(rng, rng.randrange(1, 4)) for _ in range(3))
    check_shares(of(first + second, edited(second, rng, edits) + third))
    check_shares(of(first, third))


def test_shares_of_real_articles_are_those_of_the_sets() -> None:
    """So they are for real articles, and for samples and the articles they go back to."""
    by_id = {sample["id"]: sample for sample in samples()}
    for sample in samples():
        other = sample["expect"]["canonical_id"] or sample["expect"]["related_id"]
        if other:
            check_shares(of(sample["text"], by_id[other]["text"]))
    for first, second in pairwise(real_bodies(30)):
        check_shares(of(first, second))


def check_spans(x: Comparison) -> tuple[MatchedSpan, ...]:
    """Fail where spans are out of order, overlap, leave their texts, or do not begin and end alike."""
    spans = matched_spans(x)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    for span in spans:
        assert 0 <= span.start < span.end <= len(x.judged.text)
        assert 0 <= span.stored_start < span.stored_end <= len(x.stored.text)
        mine = letters_of(x.judged.text[span.start : span.end])
        theirs = letters_of(x.stored.text[span.stored_start : span.stored_end])
        assert (mine[0], mine[-1]) == (theirs[0], theirs[-1])
    return spans


@given(orders, orders, st.integers(0, 2**32))
@example(list("abc"), list("cba"), 1)
@example(list("aba"), list("ab"), 1)
@example(list("aa"), list("aaa"), 1)
@example([], list("a"), 1)
@example(list("aab"), list("bab"), 382214712)
def test_spans_point_at_equal_stretches(judged: list[str], stored: list[str], seed: int) -> None:
    """However paragraphs are reordered and repeated, each span holds the same letters in both originals.

    But for what stands between two stretches that are merged: up to 24 letters, or less than a shingle of both.
    """
    x = of(laid_out(judged, "ل", seed), laid_out(stored, STORED, seed))
    spans = check_spans(x)
    covered = ""
    for span in spans:
        mine = letters_of(x.judged.text[span.start : span.end])
        theirs = letters_of(x.stored.text[span.stored_start : span.stored_end])
        assert mine == theirs or 0 < abs(len(mine) - len(theirs)) < SPAN_GAP + SIZE
        covered += mine
    for name in set(judged) & set(stored):
        assert shared(name, 30 + 10 * "abcdef".index(name)) in letters_of(x.judged.text)
    held = sum(30 + 10 * "abcdef".index(name) for name in set(judged) & set(stored))
    assert len(covered) >= held
    assert len(covered) >= x.judged_cover.letters - 6 * len(spans)


@given(st.integers(0, 2**32), st.integers(0, 12))
def test_spans_of_edited_texts_are_merged_and_in_order(seed: int, edits: int) -> None:
    """Spans of an edited text lie apart, begin and end alike, and hold all that runs of eighteen letters cover."""
    rng = random.Random(seed)
    stored = paragraph(rng, 12)
    x = of(edited(stored, rng, edits), stored)
    spans = check_spans(x)
    for one, other in pairwise(spans):
        gap = len(letters_of(x.judged.text[one.end : other.start]))
        stored_gap = len(letters_of(x.stored.text[one.stored_end : other.stored_start]))
        assert max(gap, stored_gap) > 24 or other.stored_start < one.stored_end - 8
    inside = sum(len(letters_of(x.judged.text[span.start : span.end])) for span in spans)
    assert inside >= sum(length for _, _, length in x.runs.tolist() if length >= COVER) - 8 * len(x.runs)


def test_spans_of_samples_point_at_equal_stretches() -> None:
    """The evidence of every sample that goes back to another begins and ends with the same letters in both."""
    by_id = {sample["id"]: sample for sample in samples()}
    pairs = [(s["text"], s["expect"]["canonical_id"] or s["expect"]["related_id"]) for s in samples()]
    for text, other in pairs:
        if other:
            assert check_spans(of(text, by_id[other]["text"])) or len(letters_of(text)) < 80


def test_a_changed_word_does_not_part_a_span() -> None:
    """A gap of 24 letters is merged into one span, one of 25 in either text is not."""
    for gap, other_gap, count in [(24, 24, 1), (24, 1, 1), (25, 24, 2), (24, 25, 2), (0, 25, 2)]:
        x = compared([("a", 60), ("", gap), ("b", 60)], [("a", 60), ("", other_gap), ("b", 60)])
        assert len(matched_spans(x)) == count, (gap, other_gap)


@pytest.mark.parametrize(
    ("judged", "stored", "shares", "leads"),
    [
        ([("a", 100), ("", 300)], [("a", 100), ("", 100)], (1 / 4, 1 / 2), (100 / 150, 100 / 150)),
        ([("", 300), ("a", 100)], [("a", 100)], (1 / 4, 1), (0, 1)),
        ([("", 140), ("a", 60)], [("", 200), ("a", 60)], (60 / 200, 60 / 260), (10 / 150, 0)),
        ([("a", 50), ("", 7), ("b", 43)], [("a", 50), ("", 6), ("b", 43)], (93 / 100, 1), (93 / 100, 1)),
        ([("a", 17), ("", 83)], [("a", 17)], (0, 0), (0, 0)),
        ([("", 100)], [("", 100)], (0, 0), (0, 0)),
    ],
)
def test_cover_and_lead_are_shares_of_letters(
    judged: list[Part | str], stored: list[Part | str], shares: tuple[float, float], leads: tuple[float, float]
) -> None:
    """Letters in runs, short gaps bridged, over all letters and over the first 150."""
    x = compared(judged, stored)
    assert (x.judged_cover.share, x.stored_cover.share) == pytest.approx(shares)
    assert (x.judged_cover.lead, x.stored_cover.lead) == pytest.approx(leads)
    assert x.common_share == pytest.approx(min(shares))


@pytest.mark.parametrize(
    ("judged", "stored", "changed"),
    [
        ("نرخ رشد ۳٫۵ درصد اعلام شده است", "نرخ رشد ۳۵ درصد اعلام شده است", [("۳۵", "۳٫۵")]),
        ("نرخ رشد 3.5 درصد اعلام شده است", "نرخ رشد ۳٫۵ درصد اعلام شده است", []),
        ("جلسه چهارم دادگاه برگزار شد", "جلسه سوم دادگاه برگزار شد", [("سوم", "چهارم")]),
        ("دیدار روز دوشنبه برگزار می‌شود", "دیدار روز جمعه برگزار می‌شود", [("جمعه", "دوشنبه")]),
        ("گزارش آبان ماه منتشر شد", "گزارش مهر ماه منتشر شد", [("مهر", "آبان")]),
        ("در این حادثه سه نفر زخمی شدند", "در این حادثه پنج نفر زخمی شدند", [("پنج", "سه")]),
        ("در این حادثه ۲۲ نفر زخمی شدند", "در این حادثه ۲ نفر زخمی شدند", [("۲", "۲۲")]),
        ("در این حادثه ۲ نفر زخمی شدند", "در این حادثه ۲۲ نفر زخمی شدند", [("۲۲", "۲")]),
        ("در این حادثه ۱۲ نفر زخمی شدند", "در این حادثه ۱۲۵ نفر زخمی شدند", [("۱۲۵", "۱۲")]),
        ("در این حادثه ۲۲۰۰۰ نفر زخمی شدند", "در این حادثه ۲۰۰۰ نفر زخمی شدند", [("۲۰۰۰", "۲۲۰۰۰")]),
        ("در این حادثه ۳ نفر زخمی شدند", "در این حادثه سه نفر زخمی شدند", []),
        ("بهای هر سکه ۴۵٬۲۰۰٬۰۰۰ تومان بود", "بهای هر سکه ۴۵۲۰۰۰۰۰ تومان بود", []),
        ("بهای هر سکه ۴۵٬۲۰۰٬۰۰۰ تومان بود", "بهای هر سکه ۴۴٬۹۰۰٬۰۰۰ تومان بود", [("۴۴٬۹۰۰٬۰۰۰", "۴۵٬۲۰۰٬۰۰۰")]),
    ],
)
def test_changed_numbers_are_told_as_written(judged: str, stored: str, changed: list[tuple[str, str]]) -> None:
    """Old and new as either text writes them: equal letters may be unequal numbers, unequal letters equal ones."""
    x = of(*(f"{spaced(shared('a', 60))}\n{line}.\n{spaced(shared('b', 60))}" for line in (judged, stored)))
    changes = number_changes(x, MAX_NUMBER_CHANGES)
    assert [(change.old, change.new) for change in changes] == changed
    for change in changes:
        assert change.new in change.context
        assert change.context in " ".join(x.judged.text.split())
    assert len(x.numbers.changed) + x.numbers.same == 1


def test_no_more_numbers_are_told_than_asked_for() -> None:
    """The first ones are told, all are counted."""
    judged, stored = (" ".join(f"{spaced(shared(f'{i}', 40))} {i + base}" for i in range(30)) for base in (100, 500))
    x = of(judged, stored)
    assert len(x.numbers.changed) == 30
    assert [change.new for change in number_changes(x, 4)] == ["100", "101", "102", "103"]


def test_numbers_of_unlike_texts_are_not_held_against_each_other() -> None:
    """Where the wording differs there is no place at which two numbers could differ."""
    x = compared([("", 300), "125", ("", 300)], [("", 300), "250", ("", 300)])
    assert (len(x.numbers.changed), x.numbers.same) == (0, 0)


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("", "بازگشایی موزه فرش", None),
        ("فرش", "بازگشایی موزه فرش", None),
        ("بازگشایی موزه فرش", "بازگشایي‌موزه فرش!", 1),
    ],
)
def test_titles_are_compared_by_their_shingles(one: str, other: str, similarity: float | None) -> None:
    """None where either has too little of a title; spelling does not matter."""
    assert of("الف", "ب", (one, other)).title_similarity == similarity


def test_unlike_titles_share_what_their_sets_share() -> None:
    """Jaccard similarity of the two titles' sets."""
    one, other = "استاندار از آغاز بازسازی بازار خبر داد", "بازسازی بازار آغاز شد"
    mine, theirs = shingles(letters_of(one)), shingles(letters_of(other))
    assert of("الف", "ب", (one, other)).title_similarity == len(mine & theirs) / len(mine | theirs) > 0


def test_what_is_left_out_is_in_no_span() -> None:
    """Site lines and second copies are compared with nothing, so no span holds them."""
    notice = "مرورگر شما از ویدئو پشتیبانی نمی‌کند"
    judged, stored = (f"{spaced(shared('a', 90))}\n{notice}\n{spaced(own(edge, 90, 0))}" for edge in ("ل", STORED))
    x = of(judged, stored)
    assert x.judged_cover.letters == 90
    [span] = matched_spans(x)
    assert letters_of(judged[span.start : span.end]) == shared("a", 90)
    assert not re.search("مرورگر", judged[span.start : span.end])


def test_masked_letters_do_not_count() -> None:
    """Letters known for boilerplate count neither as covered nor as a text's own, but in the common share."""
    judged, stored = body(("head", 100), ("", 100)), body(("head", 100), ("", 300), edge=STORED)
    masks = [side.letters[:] != -1 for side in (judged, stored)]
    for mask in masks:
        mask[100:] = False
    x = compare(judged, stored, *masks)
    assert (x.judged_cover.share, x.judged_cover.letters, x.longest_run) == (0, 0, 0)
    assert x.common_share == 100 / 400
    half = compare(judged, stored, masks[0])
    assert (half.judged_cover.share, half.stored_cover.share) == (0, 100 / 400)
