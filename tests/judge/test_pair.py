"""A pair of which little is looked at is ruled as one that is compared letter by letter."""

import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr.types import Thresholds, Verdict
from baznashr_server.judge.align import most_covered_kernel
from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.comparison import NO_MASK, Mask, compare
from baznashr_server.judge.cover_kernel import COVER
from baznashr_server.judge.pair import TextPair
from baznashr_server.judge.rules import judge_pair
from tests.articles import real_bodies, samples
from tests.judge.parts import STORED, body
from tests.judge.texts import edited, paragraph

EVERYTHING = 1 << 40
shares = st.floats(0, 1)
policies = st.builds(
    Thresholds,
    covered=shares,
    same_article=shares,
    extended=shares,
    numbers_changed=shares,
    template=shares,
    passage_letters=st.integers(0, 200),
)
orders = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.integers(1, 90)), max_size=9)


def check(judged: Body, stored: Body, thresholds: Thresholds) -> bool:
    """Fail where the ruling or the bound is not right; return whether the pair was left uncompared."""
    x = compare(judged, stored)
    pair = TextPair(judged, stored)
    assert pair.ruling(thresholds, same_text=False) == judge_pair(x, thresholds)
    most = most_covered_kernel(judged.letters, judged.table, stored.letters, stored.shingles, EVERYTHING)
    assert max(most, COVER - 1) >= x.longest_run
    assert most >= max(x.judged_cover.letters, x.stored_cover.letters)
    return "comparison" not in pair.__dict__


@given(orders, orders, policies, st.booleans())
@example([("a", 60), ("a", 60), ("", 400)], [("", 300), ("a", 60), ("", 9), ("a", 60)], Thresholds(), False)
@example([("a", 17), ("", 50)], [("", 60), ("a", 17)], Thresholds(passage_letters=17), False)
def test_rulings_are_those_of_the_whole_comparison(
    judged: list[tuple[str, int]], stored: list[tuple[str, int]], thresholds: Thresholds, is_one_source: bool
) -> None:
    """Whatever two texts share, in whatever order and how often, and whatever the policy."""
    source = "خبرگزاری" if is_one_source else ""
    check(body(*judged, source=source), body(*stored, edge=STORED, source=source), thresholds)


@st.composite
def _masks(draw: st.DrawFn, size: int) -> Mask:
    """Return a header and a footer of a text, at most half of it, as boilerplate is."""
    head = draw(st.integers(0, size // 2))
    foot = draw(st.integers(0, size // 2 - head))
    mask = np.zeros(size, np.bool_)
    mask[:head], mask[size - foot :] = True, True
    return mask if head + foot else NO_MASK


@given(orders, orders, policies, st.data())
def test_what_is_left_out_is_asked_for_only_where_it_matters(
    judged_parts: list[tuple[str, int]],
    stored_parts: list[tuple[str, int]],
    thresholds: Thresholds,
    data: st.DataObject,
) -> None:
    """Rulings are those of the whole comparison without the boilerplate, also where that was never asked for."""
    judged, stored = body(*judged_parts), body(*stored_parts, edge=STORED)
    judged_mask = data.draw(_masks(judged.letters.size))
    masks = judged_mask, data.draw(_masks(stored.letters.size)) if judged_mask.size else NO_MASK
    pair = TextPair(judged, stored, lambda: masks)
    assert pair.ruling(thresholds, same_text=False) == judge_pair(compare(judged, stored, *masks), thresholds)


def test_of_strangers_no_boilerplate_is_asked_for() -> None:
    """Two long texts with a phrase in common share too little whatever is left out."""
    judged, stored = body(("", 600), ("a", 30)), body(("", 600), ("a", 30), edge=STORED)
    pair = TextPair(judged, stored, lambda: pytest.fail("asked for"))
    assert pair.ruling(Thresholds(), same_text=False).verdict is Verdict.NEW


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_edited_texts_are_ruled_alike(seed: int, edits: int) -> None:
    """So they are where all that is shared are short runs."""
    rng = random.Random(seed)
    text = paragraph(rng)
    check(prepare(text), prepare(edited(text, rng, edits)), Thresholds())


def test_articles_are_ruled_alike_and_most_strangers_left_uncompared() -> None:
    """Samples are, and real articles; of samples that have nothing to do with each other few are compared."""
    bodies = [prepare(sample["text"], title=sample["title"], source=sample["source"]) for sample in samples()]
    left = [check(one, other, Thresholds()) for one, other in combinations(bodies, 2)]
    assert sum(left) > 0.9 * len(left)
    for one, other in pairwise(map(prepare, real_bodies(60))):
        check(one, other, Thresholds())


def test_what_was_left_uncompared_is_compared_for_a_stricter_policy() -> None:
    """As a shadow policy may be, which rules the same pair."""
    judged, stored = body(("", 400), ("a", 60), ("", 400)), body(("", 400), ("a", 60), ("", 400), edge=STORED)
    pair = TextPair(judged, stored)
    assert pair.ruling(Thresholds(), same_text=False).verdict is Verdict.NEW
    assert "comparison" not in pair.__dict__
    assert pair.ruling(Thresholds(passage_letters=60), same_text=False).verdict is Verdict.OVERLAP
