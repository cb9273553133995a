"""The canonical form `fa-1`: total, idempotent, traceable, and blind to everything that is not wording."""

import random
import re
import runpy
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import unicodedata2 as ucd
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.text.canonical import CODE_SPACE, canonicalise, canonicalise_all
from tests.articles import ROOT, real_bodies, samples

ZWNJ = "\u200c"
PERSIAN = "آابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیئأؤء"
ARABIC = "".join(map(chr, [*range(0x600, 0x700), *range(0x750, 0x780), *range(0x8A0, 0x900)]))
FORMS = "".join(map(chr, [*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)]))
DIGITS = "0123456789۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩"
MARKS = "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0653\u0654"
PUNCTUATION = ".،؛:؟!«»()[]{}…-–—/\\|*\"'%٪٫٬&#@+=~_"
INVISIBLE = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2069\ufeff\u00ad\u0640\u061c"
BLANK = " \t\n\r\u00a0\u2003\u2028\u3000\u0000"
HONORIFICS = "\ufdfa\ufdfb"
"""Dropped whole, as hazm does, where NFKC spells them out."""

LETTER_SWAPS = {"ی": "يىې", "ک": "كڪ", "ه": "ةۀەھہ", "ا": "أإآٱ", "و": "ؤ"}
DIGIT_SWAPS = {
    ascii_: persian + arabic for ascii_, persian, arabic in zip("0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩", strict=True)
}

persian_texts = st.text(
    st.sampled_from(PERSIAN * 3 + " " * 40 + ZWNJ * 10 + DIGITS + PUNCTUATION + "\nabcXYZ"), max_size=120
)
wild_texts = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from(ARABIC + FORMS + MARKS + INVISIBLE), max_size=60
)


def canonical(text: str) -> str:
    """Return the canonical letters of *text*."""
    return canonicalise(text).text()


@cache
def every_code_point() -> str:
    """Return all of Unicode as one text."""
    return "".join(map(chr, range(CODE_SPACE)))


@cache
def expansions() -> list[str]:
    """Return the canonical form of each code point, read off the form of all of them by its offsets."""
    form = canonicalise(every_code_point())
    parts = [""] * CODE_SPACE
    for letter, offset in zip(form.text(), form.offsets.tolist(), strict=True):
        parts[offset] += letter
    return parts


@cache
def articles() -> list[str]:
    """Return the samples and some real articles."""
    return [sample["text"] for sample in samples()] + real_bodies(150)


def check_invariance(change: Callable[[str, random.Random], str]) -> None:
    """Fail where *change* alters the canonical form of an article."""
    rng = random.Random(1)
    for text in articles():
        assert canonical(change(text, rng)) == canonical(text)


def sprinkle(text: str, characters: str, rng: random.Random) -> str:
    """Insert some of *characters* at random places."""
    return "".join(char + (rng.choice(characters) if rng.random() < 0.2 else "") for char in text)


@given(persian_texts | wild_texts)
@example("")
@example("\ud800 متن \udfff")
@example("ﷲ﷼﷽ﷺ")
@example("각힣")
def test_idempotent(text: str) -> None:
    """The canonical form of a canonical form is itself, and every letter of it came from a letter of the text."""
    form = canonicalise(text)
    assert canonical(form.text()) == form.text()
    assert form.letters.size == form.offsets.size
    assert (np.diff(form.offsets.astype(np.int64)) >= 0).all()
    rebuilt = [(letter, at) for at, char in enumerate(text) for letter in canonical(char)]
    assert list(zip(form.text(), form.offsets.tolist(), strict=True)) == rebuilt


def test_articles_are_idempotent_and_traceable() -> None:
    """On whole articles too: each letter is one of those that the code point at its offset stands for, in order."""
    parts = expansions()
    for text in articles():
        form = canonicalise(text)
        assert canonical(form.text()) == form.text()
        rebuilt = [(letter, at) for at, char in enumerate(text) for letter in parts[ord(char)]]
        assert list(zip(form.text(), form.offsets.tolist(), strict=True)) == rebuilt


def test_every_code_point_is_idempotent() -> None:
    """All 1,114,112 code points, lone surrogates included, have a form, and it is its own."""
    form = canonical(every_code_point())
    assert canonical(form) == form
    alone = random.Random(2).sample(range(CODE_SPACE), 2000)
    assert [canonical(chr(code)) for code in alone] == [expansions()[code] for code in alone]


@pytest.mark.parametrize("normalisation", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_code_point_is_normalisation_blind(normalisation: str) -> None:
    """A code point and what Unicode normalisation makes of it have one form; only honorific marks differ, by choice."""
    parts = expansions()
    differing = [
        hex(code)
        for code, part in enumerate(parts)
        if (changed := ucd.normalize(normalisation, chr(code))) != chr(code)
        and chr(code) not in HONORIFICS
        and "".join(parts[ord(c)] for c in changed) != part
    ]
    assert not differing


@pytest.mark.parametrize("normalisation", ["NFC", "NFD", "NFKC", "NFKD"])
@given(text=persian_texts | wild_texts)
@example(text="ا\u0653ی\u0654ه\u0654و\u0654")
def test_normalisation_blind(normalisation: str, text: str) -> None:
    """Texts composed, decomposed and mixed have one form."""
    text = re.sub(f"[{HONORIFICS}]", "", text)
    assert canonical(ucd.normalize(normalisation, text)) == canonical(text)


def test_only_letters_and_digits_stay() -> None:
    """No form holds a mark, a space, a capital, an Arabic digit or a letter that folds to a Persian one."""
    kept = set("".join(expansions()))
    assert not kept & set(BLANK + INVISIBLE + MARKS + PUNCTUATION + HONORIFICS)
    assert not kept & set("يىكةأإآؤئء٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹ABCÀ")
    assert kept >= set("ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی0123456789abc")
    assert {ucd.category(char)[0] for char in kept} <= {"L", "N"}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("می‌کنند", "میکنند"),
        ("می کنند", "میکنند"),
        ("كِتابــهاي", "کتابهای"),
        ("ﻻ ﷲ ﷼", "لااللهریال"),
        ("مسألة مؤثّر، شیء", "مسالهموثرشی"),
        ("پیامبر ﷺ", "پیامبر"),
        ("۱٬۲۳۴٫۵ و ٦٧", "12345و67"),
        ("iPhone Straße ①", "iphonestrasse1"),
        ("😀🇮🇷 !؟", ""),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_known_forms(text: str, form: str) -> None:
    """Forms that people can check by reading."""
    assert canonical(text) == form


def test_gaps_do_not_count() -> None:
    """ZWNJ, space, line break and nothing at all between words or their parts are alike."""
    gaps = ["", " ", ZWNJ, "\n", "\u00a0", "\u200d", " \u200f"]
    check_invariance(lambda text, rng: re.sub(rf"[\s{ZWNJ}]", lambda _: rng.choice(gaps), text))


def test_invisible_characters_do_not_count() -> None:
    """Tatweel, direction marks, soft hyphens and byte-order marks may stand anywhere."""
    check_invariance(lambda text, rng: sprinkle(text, INVISIBLE, rng))


def test_marks_do_not_count() -> None:
    """Harakat, superscript alef and combining hamza and madda may stand on any letter, or be taken off."""
    check_invariance(lambda text, rng: sprinkle(text, MARKS, rng))
    check_invariance(lambda text, _: re.sub(f"[{MARKS}]", "", text))


def test_punctuation_does_not_count() -> None:
    """Punctuation may be put anywhere, or be taken out."""
    check_invariance(lambda text, rng: sprinkle(text, PUNCTUATION, rng))
    check_invariance(lambda text, _: re.sub(f"[{re.escape(PUNCTUATION)}]", "", text))


def test_arabic_spelling_does_not_count() -> None:
    """Arabic, Urdu and Kurdish twins of a Persian letter, and digits of either script, are the letter and the digit."""
    swaps = LETTER_SWAPS | DIGIT_SWAPS

    def swapped(text: str, rng: random.Random) -> str:
        return "".join(rng.choice(swaps[char] + char) if char in swaps else char for char in text)

    check_invariance(swapped)
    check_invariance(lambda text, rng: swapped("".join(str(ucd.digit(c)) if c in DIGITS else c for c in text), rng))


def test_presentation_forms_do_not_count() -> None:
    """Letters and ligatures as pasted from a PDF are the letters they show."""
    forms = defaultdict(list)
    for form in FORMS:
        letters = ucd.normalize("NFKC", form)
        if letters != form and letters.isalpha():
            forms[letters].append(form)
    sequences = re.compile("|".join(sorted(map(re.escape, forms), key=len, reverse=True)))
    assert {1, 2, 3, 4} <= {len(letters) for letters in forms}
    check_invariance(lambda text, rng: sequences.sub(lambda m: rng.choice([*forms[m[0]], m[0]]), text))


@pytest.fixture(scope="module")
def hazm() -> Callable[[str], str]:
    """Return hazm's normaliser as DESIGN has it; its import takes two to three seconds."""
    from hazm import Normalizer

    return Normalizer(decrease_repeated_chars=False).normalize


def test_hazm_leaves_the_form_of_articles(hazm: Callable[[str], str]) -> None:
    """Articles that went through hazm's normaliser have the form they had before."""
    for text in articles():
        assert canonical(hazm(text)) == canonical(text)


@given(text=persian_texts | st.text(st.sampled_from(PERSIAN + " " * 20 + ARABIC + FORMS + PUNCTUATION), max_size=60))
def test_hazm_leaves_the_form_of_any_text(hazm: Callable[[str], str], text: str) -> None:
    """Random words, marks and digits too."""
    assert canonical(hazm(text)) == canonical(text)


def test_hazm_leaves_the_form_of_every_arabic_character(hazm: Callable[[str], str]) -> None:
    """Every character of the Arabic blocks, between letters and alone."""
    differing = [
        hex(ord(char))
        for char in ARABIC + FORMS + DIGITS
        for text in (char, f"ب{char}ب", f"بر {char} ما")
        if canonical(hazm(text)) != canonical(text)
    ]
    assert not differing


@pytest.mark.parametrize("literal", ["(ﷰ|ﷹ)", "ﻵ|ﻶ|ﻷ|ﻸ|ﻹ|ﻺ|ﻻ|ﻼ"])
def test_hazm_reads_two_patterns_as_literal_text(hazm: Callable[[str], str], literal: str) -> None:
    """The one difference: hazm replaces these two strings, meant as patterns, where they stand letter by letter.

    No text holds them, and a form that depends on neighbours to follow them would be worth less.
    """
    assert canonical(hazm(literal)) != canonical(literal)


def test_table_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed table is what its generator makes."""
    monkeypatch.setattr(sys, "argv", ["build_canonical_table.py", "--check"])
    assert runpy.run_path(str(ROOT / "tooling" / "build_canonical_table.py"))["main"]() == 0


@given(st.lists(persian_texts | wild_texts, min_size=1, max_size=6))
@example(["", "ﷲ" * 9, "", "یک", "﷽﷽"])
def test_texts_together_are_as_texts_alone(texts: list[str]) -> None:
    """The forms of many texts, ligatures that outgrow them included, are the forms of each."""
    together = canonicalise_all(texts)
    for t, text in enumerate(texts):
        for one, other in zip(together.of(t), canonicalise(text), strict=True):
            np.testing.assert_array_equal(one, other)
