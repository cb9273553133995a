"""Scores of policies on labelled pairs."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baznashr.errors import InvalidText
from baznashr.types import Document, Policy, Thresholds, Verdict
from baznashr_server.engine import Engine
from baznashr_server.tune.data import Pair
from baznashr_server.tune.scoring import Compared, Score, compare_pairs, groups, interval, score
from tests.tune.conftest import sample_documents

POLICY = Policy()


def test_pairs_are_judged_as_the_engine_compares(compared: list[Compared], tmp_path_factory) -> None:
    """For each pair of the samples the verdict and reason are those of the engine's `compare`."""
    documents = sample_documents()
    with Engine.open(tmp_path_factory.mktemp("data")) as engine:
        for one in compared:
            judgement = engine.compare(documents[one.pair.a], documents[one.pair.b])
            assert one.ruling(POLICY) == (judgement.verdict, judgement.reason)


def test_scores_count_by_hand(compared: list[Compared]) -> None:
    """Hits, false alarms and misses are those counted one by one; pairs labelled unsure do not count."""
    strict = Policy(repeated_verdicts=(Verdict.EXACT, Verdict.TEMPLATE))
    called = [one.ruling(strict).verdict in strict.repeated_verdicts for one in compared]
    labels = [one.pair.repeated for one in compared]
    found = score(compared, strict)
    both = list(zip(labels, called, strict=True))
    assert found == (both.count((True, True)), both.count((False, True)), both.count((True, False)))
    assert min(found) > 0
    unsure = [replace(one, pair=replace(one.pair, repeated=None)) for one in compared]
    assert score([*compared, *unsure], strict) == found


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_f1_is_the_harmonic_mean(hits: int, false_alarms: int, misses: int) -> None:
    """F1 is the harmonic mean of precision and recall, and 0 without a hit."""
    found = Score(hits, false_alarms, misses)
    if hits:
        assert np.isclose(found.f1, 2 / (1 / found.precision + 1 / found.recall))
    else:
        assert found.f1 == 0


def test_where_the_order_is_unknown_one_right_direction_is_enough() -> None:
    """A stub of an article is repeated one way only, so an unordered pair is right under either label."""
    documents = sample_documents()
    verdicts = {}
    for ordered, a, b in [(True, "port", "port-stub"), (True, "port-stub", "port"), (False, "port-stub", "port")]:
        for repeated in (True, False):
            (one,) = compare_pairs([Pair(a, b, ordered, "", repeated)], documents)
            assert isinstance(one, Compared)
            verdicts[ordered, a, repeated] = one.ruling(POLICY).verdict, score([one], POLICY)
    assert verdicts[True, "port", True] == (Verdict.EXCERPT, (1, 0, 0))
    assert verdicts[True, "port-stub", True] == (Verdict.EXTENDED, (0, 0, 1))
    assert verdicts[False, "port-stub", True] == (Verdict.EXCERPT, (1, 0, 0))
    assert verdicts[False, "port-stub", False] == (Verdict.EXTENDED, (0, 0, 0))


def test_without_texts_signatures_decide(compared: list[Compared]) -> None:
    """Scored without texts, only the estimated similarity and its threshold matter."""
    loose = Policy(thresholds=Thresholds(near_duplicate=0.0))
    assert {one.ruling(loose, texts=False).verdict for one in compared} == {Verdict.EXACT, Verdict.NEAR_DUPLICATE}
    impossible = Policy(thresholds=Thresholds(near_duplicate=1.1))
    assert {one.ruling(impossible, texts=False).verdict for one in compared} == {Verdict.EXACT, Verdict.NEW}


def test_articles_that_no_corpus_takes_are_handed_back() -> None:
    """A pair with an empty text gives its error in its place, and the others are compared."""
    documents = {**sample_documents(), "empty": Document("empty", "؟!")}
    first, second = compare_pairs(
        [Pair("metro", "empty", True, "", False), Pair("metro", "metro-part", True, "", True)], documents
    )
    assert isinstance(first, InvalidText)
    assert isinstance(second, Compared)


@given(st.data())
def test_groups_are_stories(compared: list[Compared], data: st.DataObject) -> None:
    """Every pair is in one group, and two groups share no article; the order of the pairs does not matter."""
    drawn = data.draw(st.lists(st.sampled_from(compared), unique_by=id))
    found = groups(drawn)
    assert sorted(map(id, (one for group in found for one in group))) == sorted(map(id, drawn))
    articles = [{name for one in group for name in (one.pair.a, one.pair.b)} for group in found]
    assert sum(map(len, articles)) == len(set().union(*articles))
    for names, group in zip(articles, found, strict=True):
        linked = {group[0].pair.a}
        for _ in group:
            linked |= {name for one in group if {one.pair.a, one.pair.b} & linked for name in (one.pair.a, one.pair.b)}
        assert linked == names


def test_intervals_hold_the_score(compared: list[Compared]) -> None:
    """The interval lies around F1, is wide where there are few stories, and is the same for the same seed."""
    wrong = Policy(repeated_verdicts=(Verdict.EXACT, Verdict.EXCERPT))
    low, high = interval(compared, wrong, seed=1)
    assert 0 < low < score(compared, wrong).f1 < high < 1
    assert interval(compared, wrong, seed=1) == (low, high)
    few = groups(compared)[:4]
    few_low, few_high = interval([one for group in few for one in group], wrong, seed=1)
    assert few_high - few_low > high - low
