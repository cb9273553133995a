"""A site's lines are found however they are spelled, and nothing is taken from articles that mention their words."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr_server.judge.body import prepare
from baznashr_server.judge.chrome import MAX_FIELD, MAX_LIST_LINE, MAX_LIST_LINES, MAX_TAIL
from baznashr_server.judge.chrome_phrases import ENDS, FIELDS, LISTS, NOTICES
from baznashr_server.sketch.shingles import SIZE
from baznashr_server.text.canonical import canonicalise
from tests.articles import samples
from tests.judge.parts import own, shared, spaced

ARTICLE = spaced(shared("article", 300))
MORE = spaced(shared("more", 300))
SPELLINGS = {
    "as listed": lambda phrase: phrase,
    "no ZWNJ": lambda phrase: phrase.replace("\u200c", ""),
    "no spaces": lambda phrase: re.sub(r"[\s\u200c]", "", phrase),
    "ZWNJ as spaces": lambda phrase: phrase.replace("\u200c", " "),
    "Arabic letters": lambda phrase: phrase.translate(str.maketrans("یک", "يك")),
    "no punctuation": lambda phrase: re.sub(r"[^\w\s\u200c]", "", phrase),
    "hard-wrapped": lambda phrase: phrase.replace(" ", "\n"),
    "tatweel": lambda phrase: phrase.replace("ن", "نـ"),
    "spaced out": lambda phrase: phrase.replace(" ", "  \u200f"),
}
WITH_CHROME = {"agency_header", "agency_footer", "site_chrome", "player_chrome"}
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS)


def kept(text: str) -> str:
    """Return the letters of *text* that are compared."""
    return "".join(map(chr, prepare(text).letters))


def letters_of(*texts: str) -> str:
    """Return the canonical letters."""
    return canonicalise("\n".join(texts)).text()


def test_phrases_are_long_enough_to_be_found() -> None:
    """They are looked up by their first eight letters, and none is listed under two roles."""
    listed = [letters_of(phrase) for phrases in (NOTICES, FIELDS, LISTS, ENDS) for phrase in phrases]
    assert min(map(len, listed)) >= SIZE
    roles = [{letters_of(phrase) for phrase in phrases} for phrases in (NOTICES, FIELDS, LISTS, ENDS)]
    assert sum(map(len, roles)) == len(set().union(*roles))


@every_spelling
def test_notices_go_wherever_they_stand(spelling: str) -> None:
    """Each notice goes from before, inside and below an article, which stays whole."""
    for notice in NOTICES:
        line = SPELLINGS[spelling](notice)
        assert kept(f"{line}\n{ARTICLE} {line} {MORE}\n{line}") == letters_of(ARTICLE, MORE), notice


@every_spelling
def test_fields_take_the_rest_of_their_line(spelling: str) -> None:
    """A code, a date, a count or tags go with what they say, and the lines beside stay."""
    for field in FIELDS:
        name = SPELLINGS[spelling](field)
        if "\n" not in name:
            assert kept(f"{ARTICLE}\n{name}: ۱۴۰۳-۵۲۱ گزگز\n{MORE}") == letters_of(ARTICLE, MORE), field


def test_fields_inside_sentences_stay() -> None:
    """A field's words in the middle of a line, or at the head of one too long to be a field, are the article's."""
    for field in FIELDS:
        inside = f"{ARTICLE}\nبه گفته او {field} را باید نوشت\n{MORE}"
        assert kept(inside) == letters_of(inside)
        name = letters_of(field)
        for rest, taken in [(MAX_FIELD - len(name), True), (MAX_FIELD - len(name) + 1, False)]:
            long = f"{ARTICLE}\n{field} {own('ل', rest, 0)}\n{MORE}"
            assert (kept(long) == letters_of(ARTICLE, MORE)) is taken
            assert (kept(long) == letters_of(long)) is not taken


@every_spelling
def test_lists_take_the_headlines_below(spelling: str) -> None:
    """A list of other articles goes with its headlines, and the article goes on after a line too long for one."""
    headlines = "\n".join(own("ل", 40, place) for place in range(5))
    for heading in LISTS:
        name = SPELLINGS[spelling](heading)
        if "\n" not in name:
            assert kept(f"{ARTICLE}\n{name}\n{headlines}\n{MORE}") == letters_of(ARTICLE, MORE), heading
            assert kept(f"{ARTICLE}\n{name}: {own('ل', 40, 0)}\n{MORE}") == letters_of(ARTICLE, MORE), heading


def test_lists_inside_sentences_stay() -> None:
    """A list's words inside a line, or at the head of a paragraph, are the article's."""
    for heading in LISTS:
        for inside in (f"از مردم خواست {heading} و بنویسند", f"{heading} {own('ل', MAX_LIST_LINE, 0)}"):
            text = f"{ARTICLE}\n{inside}\n{MORE}"
            assert kept(text) == letters_of(text)


def test_lists_have_an_end() -> None:
    """No more than so many lines go, however short those are that follow."""
    lines = [own("ل", 30, place) for place in range(40)]
    text = "\n".join([ARTICLE, LISTS[0], *lines])
    assert kept(text) == letters_of(ARTICLE, *lines[MAX_LIST_LINES:])


@every_spelling
def test_what_is_below_the_end_mark_goes(spelling: str) -> None:
    """With the mark goes the rest: codes, links, credits; all of the article above stays."""
    for mark in ENDS:
        end = SPELLINGS[spelling](mark)
        for tail in ("", "/", "/۲۳۱۴", f"\n{own('ل', 200, 0)}"):
            assert kept(f"{ARTICLE}\n{end}{tail}") == letters_of(ARTICLE), (mark, tail)
            assert kept(f"{ARTICLE} {end}{tail}") == letters_of(ARTICLE), (mark, tail)


def test_a_second_article_below_an_end_mark_stays() -> None:
    """What is longer than the article above it, or than any footer, is no footer; nor is there an article above it."""
    short, long = spaced(own("ل", 310, 0)), spaced(own("ل", MAX_TAIL + 1, 0))
    assert kept(f"{ARTICLE}\n{ENDS[0]}\n{short}") == letters_of(ARTICLE, short)
    many = spaced(shared("many", MAX_TAIL + 200))
    assert kept(f"{many}\n{ENDS[0]}\n{long}") == letters_of(many, long)
    assert kept(f"{ENDS[0]}\n{ARTICLE}") == letters_of(ARTICLE)


@pytest.mark.parametrize("sentence", ["در {} خود نوشت که راه باز است", "نویسنده در\u200c{} از همه سپاس‌گزاری کرد"])
def test_an_end_that_is_only_spoken_of_ends_nothing(sentence: str) -> None:
    """«در پایان پیام خود نوشت» belongs to the article, and so does what follows."""
    for mark in ENDS:
        text = f"{ARTICLE}\n{sentence.format(mark)}.\n{MORE[:100]}"
        assert kept(text) == letters_of(text), mark


def test_an_article_may_end_in_the_letters_of_a_preposition() -> None:
    """«… پدر» and then the mark on its own line, or after a full stop, is an end."""
    for text in (f"{ARTICLE} پدر\n{ENDS[0]}/", f"{ARTICLE} پدر. {ENDS[0]}"):
        assert kept(text) == letters_of(ARTICLE, "پدر")


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample["id"])
def test_samples_without_site_lines_stay_whole(sample: dict) -> None:
    """Every article without site lines is compared to the last letter; of the others most is."""
    share = len(kept(sample["text"])) / len(letters_of(sample["text"]))
    if WITH_CHROME & set(sample["faults"]):
        assert share >= 0.6
    else:
        assert share == 1


CHROME = [s["text"] for s in samples() if WITH_CHROME & set(s["faults"])]


@given(st.sampled_from(CHROME), st.sampled_from(sorted(set(SPELLINGS) - {"hard-wrapped"})))
def test_spelling_does_not_change_what_goes(text: str, spelling: str) -> None:
    """However a whole article is spelled, the same letters of it are compared."""
    respelled = "\n".join(SPELLINGS[spelling](line) for line in text.split("\n"))
    assert kept(respelled) == kept(text)


@given(st.lists(st.sampled_from([*NOTICES, *FIELDS, *LISTS, *ENDS, "\n", " ", "گ", ARTICLE]), max_size=12).map("".join))
def test_any_text_keeps_a_subsequence(text: str) -> None:
    """Total: whatever phrases stand in whatever order, what is kept comes from the text, in order, with its offsets."""
    made = prepare(text)
    letters, offsets = canonicalise(text)
    assert (np.diff(made.offsets.astype(np.int64)) >= 0).all()
    places = np.searchsorted(offsets, made.offsets)
    np.testing.assert_array_equal(letters[places], made.letters)
