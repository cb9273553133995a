"""The generated articles of the benchmarks."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from baznashr_server.sketch.fingerprint import fingerprint
from benchmarks.corpus import SHARES, Article, ArticleModel, Kind, equal_length_texts

SIZE = 2000


@pytest.fixture(scope="module")
def model() -> ArticleModel:
    """Return the model under test."""
    return ArticleModel(seed=7)


@pytest.fixture(scope="module")
def articles(model: ArticleModel) -> list[Article]:
    """Return its first articles."""
    return list(islice(model.articles(), SIZE))


def jaccard(one: str, other: str) -> float:
    """Return the exact similarity of two texts' sets of shingles."""
    a, b = fingerprint(one).shingles, fingerprint(other).shingles
    shared = np.intersect1d(a, b, assume_unique=True).size
    return shared / (a.size + b.size - shared)


def test_same_seed_gives_the_same_articles(articles: list[Article]) -> None:
    """An article depends on seed and number alone, not on those made before it."""
    again = ArticleModel(seed=7)
    for index in (SIZE - 1, 0, 17):
        assert again.article(index) == articles[index]
    assert next(again.articles(start=5)) == articles[5]


def test_another_seed_gives_other_articles(articles: list[Article]) -> None:
    """No article of another seed is the same."""
    other = ArticleModel(seed=8)
    assert all(other.article(i).text != articles[i].text for i in range(50))


def test_the_stated_shares_hold(articles: list[Article]) -> None:
    """Each kind comes as often as stated, within four standard deviations."""
    counts = Counter(article.kind for article in articles)
    for kind, share in SHARES.items():
        assert abs(counts[kind] - SIZE * share) < 4 * (SIZE * share * (1 - share)) ** 0.5, counts


def test_lengths_are_those_of_news(articles: list[Article]) -> None:
    """Texts have about 2,000 characters in the mean, with a long tail, in sentences and paragraphs."""
    lengths = np.array([len(article.text) for article in articles])
    assert 1850 < lengths.mean() < 2250
    assert 1350 < np.median(lengths) < 1800
    assert np.percentile(lengths, 95) > 4000
    text = "".join(article.text for article in articles)
    words = text.count(" ")
    assert 20 < words / text.count(". ") < 50
    assert 20 < words / text.count("،") < 50


def test_exact_copies_repeat_an_earlier_new_article(articles: list[Article]) -> None:
    """An exact copy has the text of a new article that came before it."""
    copies = [article for article in articles if article.kind is Kind.EXACT]
    for copy in copies:
        assert copy.origin is not None
        assert copy.origin < copy.number
        assert articles[copy.origin].kind is Kind.NEW
        assert articles[copy.origin].text == copy.text


def test_edited_copies_stay_near_their_origin(articles: list[Article]) -> None:
    """Edited copies differ from their origin, and nearly all have a similarity above 0.6."""
    pairs = [(a, articles[a.origin]) for a in articles if a.kind is Kind.EDITED and a.origin is not None]
    found = np.array([jaccard(copy.text, origin.text) for copy, origin in pairs])
    assert found.max() < 1
    assert np.percentile(found, 5) > 0.6
    assert np.median(found) < 0.95


def test_bulletins_recur_with_other_figures(model: ArticleModel) -> None:
    """The first two bulletins share their wording and differ in figures alone."""
    first, second = islice((a for a in model.articles() if a.kind is Kind.TEMPLATE), 2)
    assert first.text != second.text
    wording = [[word for word in a.text.split() if not word.isdigit()] for a in (first, second)]
    assert wording[0] == wording[1]
    assert len(wording[0]) > 0.5 * len(first.text.split())


def test_new_articles_have_little_in_common(articles: list[Article]) -> None:
    """Unrelated generated articles are about as unlike each other as real ones."""
    new = [a for a in articles if a.kind is Kind.NEW][:200]
    found = [jaccard(one.text, other.text) for one, other in zip(new[::2], new[1::2], strict=True)]
    assert 0.0005 < np.mean(found) < 0.005


def test_texts_are_generated_without_real_ones(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Where the evaluation data is absent, texts of the length asked for are generated, and the line says so."""
    monkeypatch.setenv("BAZNASHR_EVAL_DATA", str(tmp_path))
    texts, line = equal_length_texts(20, 2000, seed=1)
    assert {len(text) for text in texts} == {2000}
    assert len(set(texts)) > 15
    assert line == "20 generated articles (seed 1), 2,000 characters each"
