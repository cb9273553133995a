"""The other half of the transaction: the service said NEW, and the pipeline's own store then failed."""

import random

import pytest

from baznashr import Client, Document, Verdict
from baznashr.pipeline import RepeatGuard
from tests.support.texts import article, light_edit


@pytest.fixture
def client(baznashr_address):
    """A client of a real server."""
    with Client(baznashr_address, timeout=30) as client:
        yield client


def test_trying_again_with_the_same_id_is_no_repeat(client, baznashr_corpus, seed):
    """The id gets its first answer again, also after copies came, so that the article is stored in the end."""
    rng = random.Random(seed)
    original = Document("a", article(rng))
    copy = Document("b", light_edit(rng, original.text))
    with RepeatGuard(client, baznashr_corpus) as guard:
        assert guard.admit(original).store
        assert not guard.admit(copy).store
        again = guard.admit(original)
    assert again.store
    assert (again.judgement.verdict, again.judgement.replayed) == (Verdict.NEW, True)


def test_a_feed_that_starts_over_gives_the_same_answers(client, baznashr_corpus, seed):
    """A pipeline that dies anywhere and starts over yields the same documents, so a store by id ends up right."""
    rng = random.Random(seed)
    texts = [article(rng) for _ in range(60)]
    documents = [Document(f"d{n}", text) for n, text in enumerate(texts + [light_edit(rng, text) for text in texts])]
    stored = {}
    with RepeatGuard(client, baznashr_corpus) as guard:
        for _ in range(5):
            fails_at = rng.randrange(len(stored) + 1)
            for place, document in enumerate(guard.only_new(documents)):
                if place == fails_at:
                    break
                stored[document.id] = document
        for document in guard.only_new(documents):
            stored[document.id] = document
    assert list(stored) == [f"d{n}" for n in range(60)]


def test_taking_it_back_lets_the_copy_in(client, baznashr_corpus, seed):
    """After delete, a copy is NEW; without it, the copy would be a repeat of what the pipeline does not have."""
    rng = random.Random(seed)
    original = Document("a", article(rng))
    copies = [Document(name, light_edit(rng, original.text)) for name in "bc"]
    with RepeatGuard(client, baznashr_corpus) as guard:
        assert guard.admit(original).store
        assert not guard.admit(copies[0]).store
        assert client.delete("a", baznashr_corpus)
        assert client.delete("b", baznashr_corpus)
        assert guard.admit(copies[1]).store
