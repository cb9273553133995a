"""Second copies inside one text are found whole, and nothing else is called one."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr.types import RepetitionKind, SelfRepetition, Span
from baznashr_server.judge import repetition as module
from baznashr_server.judge.may_double import may_double
from baznashr_server.judge.repetition import MAX_HEADLINE, find_copies, find_repetition, remove_repeats, repeat_kernel
from baznashr_server.sketch.fingerprint import fingerprint
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import SIZE
from baznashr_server.text.canonical import canonicalise, canonicalise_all
from tests.articles import samples, seeds
from tests.judge.texts import edited, paragraph, sentence

WHOLE, PARAGRAPH, HEADLINE = RepetitionKind.WHOLE_TEXT, RepetitionKind.PARAGRAPH, RepetitionKind.HEADLINE
PLAIN = [s["text"] for s in samples() if not s["faults"] and s["expect"]["verdict"] == "NEW" and len(s["text"]) > 700]

blocks = st.lists(st.integers(0, 5), max_size=14).flatmap(
    lambda order: st.lists(st.integers(0, 3), min_size=6 * 40, max_size=6 * 40).map(
        lambda letters: [letter for block in order for letter in letters[40 * block : 40 * block + 20 + 4 * block]]
    )
)


def repetition(text: str, title: str = "") -> SelfRepetition:
    """Return the answer as the engine asks for it; fail where it would not ask and there is something to find."""
    repeats = fingerprint(text).repeats_passages
    (doubles,) = may_double(canonicalise_all([text]), canonicalise_all([title])).tolist()
    answer = find_repetition(text, canonicalise(text), title)
    assert find_repetition(text, canonicalise(text), title, may_repeat=repeats, may_double=doubles) == answer
    return answer


def letters_of(text: str) -> str:
    """Return the canonical letters."""
    return canonicalise(text).text()


def single(text: str, title: str = "") -> str:
    """Return the text without its second copies."""
    return remove_repeats(text, repetition(text, title).spans)


def repeated_letters(letters: list[int], size: int = SIZE) -> list[int]:
    """Return where *size* letters begin that began before, without overlap, by comparing all with all."""
    grams = [tuple(letters[i : i + size]) for i in range(len(letters) - size + 1)]
    return [i for i, gram in enumerate(grams) if gram in grams[: max(0, i - size + 1)]]


@given(blocks | st.lists(st.integers(0, 1), max_size=150))
@example([7] * 200)
@example([1, 2] * 60)
@example([])
def test_runs_are_all_the_repeats(letters: list[int]) -> None:
    """Runs are equal to their sources, apart from them, in order, as long as can be, and leave no repeat outside."""
    array = np.array(letters, np.uint32)
    runs = repeat_kernel(array, hash_24_grams(hash_8_grams(array))).tolist()
    end = 0
    inside: set[int] = set()
    for start, length, source in runs:
        assert start >= end
        assert length >= SIZE
        assert source + length <= start
        assert letters[start : start + length] == letters[source : source + length]
        end = start + length
        assert end == len(letters) or source + length == start or letters[end] != letters[source + length]
        inside |= set(range(start, end))
    assert set(repeated_letters(letters)) <= inside


@given(blocks)
def test_copies_lie_apart_and_in_order(letters: list[int]) -> None:
    """Joined copies are ascending and disjoint, and each has its first copy before it."""
    copies = find_copies(np.array(letters, np.uint32))
    assert all(0 <= copy.first < copy.start < copy.end <= len(letters) for copy in copies)
    assert all(copy.first < copy.first_end < copy.end for copy in copies)
    assert all(one.end <= other.start for one, other in pairwise(copies))


@given(st.integers(0, 2**32), st.integers(1, 8), st.sampled_from(["\n", "\n\n", " ", ""]))
def test_a_text_pasted_twice_is_found_to_the_letter(seed: int, paragraphs: int, between: str) -> None:
    """The second copy of p1 p2 … is one span from first letter to last, half of all letters, and can be cut out."""
    rng = random.Random(seed)
    once = "\n\n".join(paragraph(rng) for _ in range(paragraphs))
    answer = repetition(once + between + once)
    assert answer.kinds == (WHOLE,)
    assert answer.share == 0.5
    start = len(once + between)
    assert answer.spans == (Span(start, start + len(once) - 1),)
    assert letters_of(single(once + between + once)) == letters_of(once)


@pytest.mark.parametrize("text", PLAIN)
def test_a_doubled_article_is_its_single_copy(text: str) -> None:
    """Articles pasted twice or thrice, or doubled after their first paragraph, lose the copies and nothing else."""
    rest = text.split("\n", 1)[1]
    for doubled, share in [(f"{text}\n{text}", 1 / 2), (f"{text}\n{text}\n{text}", 2 / 3), (f"{text}\n{rest}", None)]:
        answer = repetition(doubled)
        assert answer.kinds == (WHOLE,)
        assert answer.share == pytest.approx(share or len(letters_of(rest)) / len(letters_of(doubled)), abs=0.01)
        assert letters_of(single(doubled)) == letters_of(text)
    assert repetition(text) == SelfRepetition()


def test_a_doubled_lead_is_a_paragraph() -> None:
    """A first paragraph pasted twice is a repeated paragraph, however near the top: no headline is that long."""
    leads = [text.split("\n", 1) for text in PLAIN]
    long = [(lead, rest) for lead, rest in leads if len(letters_of(lead)) > MAX_HEADLINE]
    assert long
    for lead, rest in long:
        doubled = f"{lead}\n{lead}\n{rest}"
        assert repetition(doubled).kinds == (PARAGRAPH,)
        assert letters_of(single(doubled)) == letters_of(lead + rest)


@pytest.mark.parametrize("seed", range(12))
def test_a_lightly_edited_second_copy_is_found(seed: int) -> None:
    """A word changed, dropped or put in every few sentences leaves a whole-text copy of nearly half, in few spans."""
    rng = random.Random(seed)
    text = PLAIN[seed % len(PLAIN)]
    second = edited(text, rng, 1 + len(text) // 400)
    answer = repetition(f"{text}\n\n{second}")
    assert answer.kinds == (WHOLE,)
    assert 0.4 <= answer.share <= 0.52
    assert min(span.start for span in answer.spans) >= len(text) - 60
    rest = letters_of(single(f"{text}\n\n{second}"))
    assert rest.startswith(letters_of(text)[:-60])
    assert len(rest) < 1.2 * len(letters_of(text))


@pytest.mark.parametrize("text", PLAIN)
def test_an_edit_inside_a_copy_does_not_part_it(text: str) -> None:
    """A second copy with words changed every hundred letters or so is one span from its first letter to its last."""
    words = text.split(" ")
    words[9:-9:18] = ["دگرگون"] * len(words[9:-9:18])
    second = " ".join(words)
    answer = repetition(f"{text}\n{second}")
    assert answer.kinds == (WHOLE,)
    assert answer.spans == (Span(len(text) + 1, len(text) + len(second)),)


@pytest.mark.parametrize("seed", range(6))
def test_a_repeated_paragraph_is_found_where_it_is(seed: int) -> None:
    """One of several paragraphs, come again, is PARAGRAPH: one span, its letters the share."""
    rng = random.Random(seed)
    parts = [paragraph(rng, 5) for _ in range(7)]
    again = rng.randrange(5)
    text = "\n\n".join([*parts, parts[again], paragraph(rng)])
    answer = repetition(text)
    assert answer.kinds == (PARAGRAPH,)
    [span] = answer.spans
    assert letters_of(text[span.start : span.end]) == letters_of(parts[again])
    assert answer.share == len(letters_of(parts[again])) / len(letters_of(text))


def test_ends_of_sentences_are_looked_for_near_a_copy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a text without any, each letter is read a few times, not once for each of its copies."""
    rng = random.Random("edges")
    parts = ["".join(rng.choices("بپتجچحخدذرزژسشصضطظعغفقکگلمنوهی", k=45)) for _ in range(800)]
    text = " ".join([*parts, *rng.sample(parts[:400], 400)])
    pattern, read = module.SENTENCE_END, 0

    class Counting:
        """The pattern, and how much it was given to read."""

        def search(self, text: str, start: int, end: int) -> object:
            """Search as it does."""
            nonlocal read
            read += end - start
            return pattern.search(text, start, end)

    monkeypatch.setattr(module, "SENTENCE_END", Counting())
    assert repetition(text) == SelfRepetition()
    assert 0 < read < 4 * len(text)


def test_empty_lines_cost_no_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two lines of letters there may be any number of them."""
    asked = []
    search = np.searchsorted
    monkeypatch.setattr(np, "searchsorted", lambda *args: asked.append(1) or search(*args))
    answer = repetition("عنوان خبر امروز تهران بزرگ\n" * 2 + "\n" * 100_000 + "متن")
    assert answer.kinds == (HEADLINE,)
    assert len(asked) < 100


def test_a_headline_on_two_lines_is_found() -> None:
    """A line at the top that repeats the line before it is HEADLINE, below a site's own lines too."""
    rng = random.Random(1)
    headline = sentence(rng, 8)
    for above in ("", "خانه\nسیاست\n"):
        text = f"{above}{headline}\n{headline}\n{paragraph(rng)}\n{paragraph(rng)}"
        answer = repetition(text)
        assert answer.kinds == (HEADLINE,)
        [span] = answer.spans
        assert text[span.start : span.end] == headline[:-1]
        assert span.start == len(above) + len(headline) + 1
        assert letters_of(single(text)) == letters_of(text.replace(headline, "", 1))


def test_a_title_may_stand_in_the_body_once() -> None:
    """The title at the head of the body is no fault; come again, anywhere, it is HEADLINE, and that place is told."""
    rng = random.Random(2)
    title = sentence(rng, 8)
    body = f"{paragraph(rng)}\n{paragraph(rng)}"
    assert repetition(f"{title}\n{body}", title) == SelfRepetition()
    assert repetition(body, title) == SelfRepetition()
    text = f"{title}\n{body}\n{title} {sentence(rng)}"
    answer = repetition(text, title)
    assert answer.kinds == (HEADLINE,)
    [span] = answer.spans
    assert (text[span.start : span.end], span.start) == (title[:-1], text.rindex(title))
    assert answer.share == pytest.approx(len(letters_of(title)) / len(letters_of(text)))


def test_spelling_does_not_hide_a_copy() -> None:
    """A second copy without ZWNJ, in Arabic letters, without punctuation or with harakat is a copy all the same."""
    arabic = str.maketrans("یک", "يك", "\u200c.،؛:")
    for text in PLAIN:
        answer = repetition(text + "\n" + text.translate(arabic))
        assert answer.kinds == (WHOLE,)
        assert answer.share == 0.5


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_texts_without_repeats_have_none(seed: int, sentences: int) -> None:
    """Random sentences, however many, repeat nothing."""
    rng = random.Random(seed)
    assert repetition("\n".join(sentence(rng) for _ in range(sentences))) == SelfRepetition()


@given(st.text(st.characters(), max_size=200), st.text(max_size=40))
@example("", "")
@example("آ", "آ")
@example("\ud800" * 50, "\ud800")
def test_any_text_has_an_answer(text: str, title: str) -> None:
    """Total: spans are ascending, apart and inside the text, and the share is that of their letters."""
    answer = repetition(text, title)
    edges = [edge for span in answer.spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(text) for edge in edges)
    assert (answer == SelfRepetition()) == (not answer.kinds)
    assert isinstance(remove_repeats(text, answer.spans), str)


@given(st.integers(0, 2**32), st.data())
def test_share_is_that_of_the_spans(seed: int, data: st.DataObject) -> None:
    """However paragraphs are mixed, the spans hold all letters that repeat, and the share is theirs."""
    rng = random.Random(seed)
    parts = [paragraph(rng) for _ in range(4)]
    order = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=8))
    text = "\n\n".join(parts[i] for i in order)
    answer = repetition(text)
    inside = sum(len(letters_of(text[span.start : span.end])) for span in answer.spans)
    assert answer.share == pytest.approx(inside / len(letters_of(text)))
    repeats = len(letters_of(text)) - sum(len(letters_of(parts[i])) for i in set(order))
    # A copy may begin or end some letters early or late, where the letters beside both copies happen to agree.
    assert repeats <= inside <= repeats + 2 * len(order)
    assert (WHOLE in answer.kinds) == (inside >= 0.35 * len(letters_of(text)))


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample["id"])
def test_samples_have_the_kinds_they_should(sample: dict) -> None:
    """Every sample article has its expected kinds: formulas of speech, tables and notices have none."""
    assert {str(kind) for kind in repetition(sample["text"], sample["title"]).kinds} == set(sample["expect"]["kinds"])


def test_seeds_have_the_kinds_they_should() -> None:
    """The doubled article is found whole, two doubled headlines are found, two articles have nothing."""
    texts = seeds()
    answers = [repetition(text) for text in texts]
    assert [answer.kinds for answer in answers] == [(WHOLE,), (), (), (HEADLINE,), (HEADLINE,)]
    doubled = answers[0]
    assert doubled.share >= 0.4
    once = single(texts[0])
    assert repetition(once) == SelfRepetition()
    assert len(letters_of(once)) / len(letters_of(texts[0])) == pytest.approx(1 - doubled.share)
    for text in texts[3:]:
        assert repetition(single(text)) == SelfRepetition()
