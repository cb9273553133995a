"""Texts that repeat themselves: told, cut to their single copy, and the same article as it."""

import pytest

from baznashr.types import RepetitionKind, SelfRepetition, Verdict
from baznashr_server.engine import Engine
from baznashr_server.text.canonical import canonicalise
from tests.articles import samples
from tests.engine.conftest import Shelf
from tests.judge.parts import shared, text

ONCE = f"{text(('first', 300))}.\n{text(('second', 400))}."
FAULTY = [sample for sample in samples() if sample["expect"]["kinds"]]


def letters_of(body: str) -> str:
    """Return the canonical letters."""
    return canonicalise(body).text()


def test_second_copies_are_cut_out(shared_engine: Engine) -> None:
    """However often the article comes, its single copy is left; a text without repeats comes back as it is."""
    for body in (f"{ONCE}\n{ONCE}", f"{ONCE}\n\n{ONCE}\n\n{ONCE}"):
        assert letters_of(shared_engine.remove_repeats(body)) == letters_of(ONCE)
    odd = f"  {ONCE}\n\n\n\n{shared('end', 30)} "
    assert shared_engine.remove_repeats(odd) == odd


@pytest.mark.parametrize("sample", FAULTY, ids=lambda sample: sample["id"])
def test_what_is_left_repeats_nothing(shared_engine: Engine, sample: dict) -> None:
    """The single copy of every sample with repeats is told to have none, and cutting again changes nothing."""
    once = shared_engine.remove_repeats(sample["text"])
    assert len(once) < len(sample["text"])
    assert shared_engine.check(once).self_repetition == SelfRepetition()
    assert shared_engine.remove_repeats(once) == once


@pytest.mark.parametrize("order", [0, 1])
def test_a_doubled_article_and_its_single_copy_are_one_article(shelf: Shelf, order: int) -> None:
    """Whichever comes first the other is its edited copy, wholly covered, and only the doubled one has a fault."""
    forms = [ONCE, f"{ONCE}\n{ONCE}"]
    first, second = (shelf.put(forms[order], "a"), shelf.put(forms[1 - order], "b"))
    assert first.verdict is Verdict.NEW
    assert (second.verdict, second.canonical_id, second.new_share) == (Verdict.NEAR_DUPLICATE, "a", 0)
    doubled = (first, second)[1 - order]
    assert doubled.self_repetition.kinds == (RepetitionKind.WHOLE_TEXT,)
    assert doubled.self_repetition.share == 0.5
    assert (first, second)[order].self_repetition == SelfRepetition()


@pytest.mark.parametrize("sample", FAULTY, ids=lambda sample: sample["id"])
def test_samples_and_their_single_copies_are_one_article(shelf: Shelf, sample: dict) -> None:
    """Of samples, too, with all kinds of repeats, stored either way round."""
    once = shelf.engine.remove_repeats(sample["text"])
    shelf.put(sample["text"], "as it came")
    assert shelf.check(once).canonical_id == "as it came"
    shelf.delete("as it came")
    shelf.put(once, "once")
    assert shelf.check(sample["text"]).canonical_id == "once"


def test_an_excerpt_of_a_doubled_article_is_one(shelf: Shelf) -> None:
    """A paragraph that the stored article has twice is still only a part of it."""
    shelf.put(f"{ONCE}\n{ONCE}", "a")
    judgement = shelf.check(text(("first", 300)))
    assert (judgement.verdict, judgement.canonical_id) == (Verdict.EXCERPT, "a")
