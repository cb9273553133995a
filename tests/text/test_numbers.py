"""Numbers, ordinals, weekdays and months are read alike however they are written, and ordinary words are left alone."""

import unicodedata
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr_server.text.canonical import code_points
from baznashr_server.text.number_words import MONTH_NAMES, vocabulary
from baznashr_server.text.numbers import KINDS, number_arrays
from tests.text.reading import as_decimal, read_numbers

ONES = ["", *"یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده چهارده پانزده شانزده هفده هجده نوزده".split()]  # noqa: SIM905
TENS = "  بیست سی چهل پنجاه شصت هفتاد هشتاد نود".split(" ")  # noqa: SIM905
HUNDREDS = " صد دویست سیصد چهارصد پانصد ششصد هفتصد هشتصد نهصد".split(" ")  # noqa: SIM905
SCALES = ((10**12, "تریلیون"), (10**9, "میلیارد"), (10**6, "میلیون"), (10**3, "هزار"))
ALSO_WORDS = {1, 9}
"""«یک» is "a" and «نه» is "no"; alone they are no numbers."""

ZEROS = {"ASCII": "0", "Arabic-Indic": "٠", "Persian": "۰", "fullwidth": "\uff10", "Devanagari": "०"}
SPACINGS = {"space": " ", "zwnj": "\u200c", "no-break space": "\u00a0", "line break": "\n"}


def spelled_parts(value: int) -> list[str]:
    """Spell a positive integer, in the parts that «و» joins."""
    for size, scale in SCALES:
        if value >= size:
            head = " و ".join(spelled_parts(value // size))
            return [f"{head} {scale}", *(spelled_parts(value % size) if value % size else [])]
    parts = [HUNDREDS[value // 100]] if value >= 100 else []
    value %= 100
    if value >= 20:
        parts.append(TENS[value // 10])
        value %= 10
    return [*parts, ONES[value]] if value else parts


def spelled(value: int) -> str:
    """Spell an integer that is not negative."""
    return " و ".join(spelled_parts(value)) if value else "صفر"


def in_script(text: str, zero: str) -> str:
    """Replace the ASCII digits of *text* by those of the script with this zero."""
    return "".join(chr(ord(zero) + int(letter)) if letter in "0123456789" else letter for letter in text)


def values(text: str) -> list[tuple[str, str]]:
    """Read kinds and values."""
    return [(number.kind, number.value) for number in read_numbers(text)]


def one(text: str) -> tuple[str, str]:
    """Read the only number of *text*, which must span all of it."""
    (number,) = read_numbers(text)
    assert (number.start, number.end) == (0, len(text))
    return number.kind, number.value


@given(st.integers(0, 10**9) | st.integers(0, 9999) | st.integers(0, 10**15))
@example(1)
@example(9)
@example(23_400)
@example(1_200_000)
@example(100)
@example(1000)
@example(101)
def test_spelled_cardinals(value: int) -> None:
    """A spelled cardinal has the value of its digits, whatever space parts its words; alone, "a" and "no" have none."""
    if value in ALSO_WORDS:
        assert read_numbers(spelled(value)) == ()
        return
    for spacing in SPACINGS.values():
        assert one(spelled(value).replace(" ", spacing)) == ("number", str(value))


@given(st.integers(1, 999).filter(lambda value: value not in ALSO_WORDS))
def test_words_written_together(value: int) -> None:
    """Below a thousand the words of a cardinal may be written as one, as they are where a ZWNJ was lost."""
    assert one(spelled(value).replace(" ", "")) == ("number", str(value))


@given(st.integers(0, 10**9), st.sampled_from(sorted(ZEROS)))
def test_digit_scripts(value: int, script: str) -> None:
    """Digits have one value in every script, with and without leading zeros."""
    assert one(in_script(str(value), ZEROS[script])) == ("number", str(value))
    assert one(in_script(f"00{value}", ZEROS[script])) == ("number", str(value))


@given(st.integers(1000, 10**12), st.sampled_from("٬,،"), st.sampled_from(sorted(ZEROS)))
def test_thousands_marks(value: int, mark: str, script: str) -> None:
    """Thousands marks before groups of three change nothing."""
    assert one(in_script(f"{value:,}".replace(",", mark), ZEROS[script])) == ("number", str(value))


@given(st.integers(10**6, 10**12), st.sampled_from(".٫"))
def test_points_as_thousands_marks(value: int, mark: str) -> None:
    """Two points before groups of three are thousands marks; one is a decimal point."""
    assert one(f"{value:,}".replace(",", mark)) == ("number", str(value))


@given(st.integers(0, 99_999), st.integers(1, 99), st.sampled_from("٫./,"), st.sampled_from(sorted(ZEROS)))
def test_decimals(whole: int, hundredths: int, mark: str, script: str) -> None:
    """A decimal has one value for every decimal mark and script, and trailing zeros do not count."""
    expected = f"{Decimal(whole * 100 + hundredths).scaleb(-2).normalize():f}"
    assert one(in_script(f"{whole}{mark}{hundredths:02}", ZEROS[script])) == ("number", expected)


@given(st.integers(1000, 10**9), st.integers(1, 9), st.sampled_from([("٬", "٫"), (",", "."), (",", "/"), (".", ",")]))
def test_thousands_and_decimals(whole: int, tenths: int, marks: tuple[str, str]) -> None:
    """Thousands marks and a decimal mark go together."""
    thousands, decimal = marks
    if thousands == "." and whole < 10**6:
        whole += 10**6
    assert one(f"{whole:,}".replace(",", thousands) + decimal + str(tenths)) == ("number", f"{whole}.{tenths}")


@given(st.integers(1, 9999), st.sampled_from(["هزار", "میلیون", "میلیارد"]), st.integers(1, 999))
def test_digits_with_words(count: int, scale: str, rest: int) -> None:
    """Digits and scale words make one number: «۲۳ هزار و ۴۰۰»."""
    size = next(size for size, word in SCALES if word == scale)
    assert one(f"{count} {scale}") == ("number", str(count * size))
    assert one(f"{count}{scale} و {rest}") == ("number", str(count * size + rest))


@given(st.integers(2, 999))
def test_ordinals(value: int) -> None:
    """An ordinal has the value of its cardinal, spelled or in digits, in both endings, spaced or joined."""
    words = spelled(value)
    stem = words[:-2] + "سو" if words.endswith("سه") else words + ("‌ا" if words.endswith("سی") else "")
    for ending in ("م", "مین"):
        assert one(stem + ending) == ("ordinal", str(value))
        assert one((stem + ending).replace(" ", "\u200c")) == ("ordinal", str(value))
        assert one(f"{value}{ending}") == ("ordinal", str(value))
    assert one(f"{value} ام") == ("ordinal", str(value))


@pytest.mark.parametrize("gap", ["", " ", "\u200c"])
def test_weekdays(gap: str) -> None:
    """The seven days are 0 to 6 from Saturday on, in every spelling."""
    days = ["شنبه", *(f"{word}{gap}شنبه" for word in ONES[1:6]), "جمعه"]
    assert [one(day) for day in days] == [("weekday", str(day)) for day in range(7)]
    assert one("آدینه") == ("weekday", "6")


def test_months() -> None:
    """Every month is read in a date, and each name has a value of its own."""
    jalali = "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند".split()  # noqa: SIM905
    gregorian = "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر".split()  # noqa: SIM905
    read = [values(f"۱۲ {month} ۱۴۰۲")[1] for month in (*jalali, *gregorian)]
    assert read == [("month", name) for name in MONTH_NAMES[:24]]
    assert [one(month + "ماه") for month in jalali] == [("month", name) for name in MONTH_NAMES[:12]]


EXAMPLES = [
    ("جلسه سوم دادگاه", "o3"),
    ("جلسه چهارم دادگاه", "o4"),
    ("۲۴ مرداد ۱۴۰۲", "n24 mordad n1402"),
    ("بیست و چهارم مرداد", "o24 mordad"),
    ("۱۴۰۲/۰۵/۲۴ ساعت ۰۸:۳۰", "n1402 n5 n24 n8 n30"),
    ("نشانی 10.0.0.1 و نسخه 1.2.3", "n10 n0 n0 n1 n1 n2 n3"),
    ("۲۰ هزار و ۳۰ هزار تومان", "n20000 n30000"),
    ("دو هزار و پانصد میلیارد", "n2500000000000"),
    ("۵۰۰ هزار میلیارد تومان", "n500000000000000"),
    ("دو میلیون و نیم", "n2500000"),
    ("چهار و نیم میلیون", "n4500000"),
    ("۳٫۵ میلیون", "n3500000"),
    ("یک و نیم درصد، یک‌ونیم درصد، یکونیم درصد", "n1.5 n1.5 n1.5"),
    ("نیم درصد و نیم‌نگاهی", "n0.5"),
    ("یکهزارو پانصد و بیست وسه", "n1523"),
    ("هفته بیست‌ونهم", "o29"),
    ("۹۰۰ هزارتومان", "n900000"),
    ("شش صد نفر و سه هزار و نه صد", "n600 n3900"),
    ("سه و چهار و بیست و سی", "n3 n4 n20 n30"),
    ("دو سه روز", "n2 n3"),
    ("یک نفر گفت یک بار", ""),
    ("یک میلیون نفر", "n1000000"),
    ("نه تنها نه، بلکه نه نفر و بیست و نه", "n9 n29"),
    ("هفته گذشته صدا و هزاره و دولت و سهم", ""),
    ("بی‌بی‌سی و سی‌ان‌ان و ۲۵۰۰ سی‌سی", "n2500"),
    ("سی نفر، سی‌ام آبان، سی و سه پل", "n30 o30 aban n33"),
    ("می‌دهم، نمی دهم، مجلس دهم", "o10"),
    ("نخست‌وزیر در نخستین و اولین سفر اول", "o1 o1 o1"),
    ("امام جمعه و نماز جمعه در روز جمعه", "w6"),
    ("خبرگزاری مهر، مهر و محبت، ۵ مهر، مهر ۱۴۰۱، مهرماه و ماه مهر", "n5 mehr mehr n1401 mehr mehr"),
    ("مه غلیظ، ۵ مه، می‌رود", "n5 may"),
    ("ربیع‌الاول و جمادی الثانی و ذیقعده", "rabi_al_awwal jumada_al_thani dhu_al_qadah"),
    ("چند هزار، ده‌ها نفر، صدها میلیون، هزاران", ""),
    ("۹۸ در صد و صد درصد", "n98 n100"),
    ("چهارمحال و بختیاری و چهار محال", ""),
    ("دوجانبه و سه‌ماهه و سهماهه", "n2 n3 n3"),
    ("در خرداد ۱۴۰۲ هزار نفر", "khordad n1402 n1000"),
    ("۱۲,۱۳۰ و ۱۲،۱۳ و ۱۲٫۵۰۰", "n12130 n12 n13 n12.5"),
    ("یک‌میلیون و ۱۷۹ هزار، یکمیلیون و ۱۷۹ هزار", "n1179000 n1179000"),
    ("دوهزار و پانصد میلیارد، یک‌سوم، یکسوم", "n2500000000000 o3 o3"),
    ("جمعه‌شب، جمعهشب، سهشنبه‌ها", "w6 w6 w3"),
    ("۱-۲ (۳)", "n1 n2 n3"),
    ("https://example.org/2020/05/%D8%AE و ۵", "n5"),
    ("#۲۲_بهمن", "n22 bahman"),
    ("بيست و يكم، سوّم، سـوم، ﺳﻪ", "o21 o3 o3 n3"),
    ("۲۵م، ۲۵‌مین، ۲۵ م", "o25 o25 n25"),
    ("وسه شنبه", "w3"),
    ("روز سه‌شنبه و بیست و سه شنبه", "w3 n20 w3"),
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_examples(text: str, expected: str) -> None:
    """Hard words read as the module says: o3 is an ordinal, n3 a number, w3 a weekday, a name a month."""
    prefix = {"number": "n", "ordinal": "o", "weekday": "w", "month": ""}
    assert " ".join(prefix[kind] + value for kind, value in values(text)) == expected


@given(st.lists(st.sampled_from([text for text, _ in EXAMPLES]), min_size=1, max_size=5))
def test_sentences_are_independent(texts: list[str]) -> None:
    """Sentences that punctuation separates are read as each is alone."""
    assert values(" . ".join(texts)) == [value for text in texts for value in values(text)]


@given(st.lists(st.sampled_from([text for text, _ in EXAMPLES]), min_size=1, max_size=5))
def test_orthography(texts: list[str]) -> None:
    """Arabic letters, harakat, other white space and other digits change no value."""
    text = " . ".join(texts)
    arabic = text.replace("ی", "ي").replace("ک", "ك").replace("ه", "ە")
    marked = "".join(letter + "\u064e" if letter in "بدس" else letter for letter in text)
    digits = "".join(chr(0x660 + int(letter)) if unicodedata.category(letter) == "Nd" else letter for letter in text)
    for variant in (arabic, marked, digits, text.replace(" ", "\n"), text.replace(" ", "\u00a0\u200f")):
        assert values(variant) == values(text)


@given(st.text(st.characters() | st.sampled_from("۱۲۳۴۵۶۷۸۹۰.,/٫٬: \u200cومیدسهنیا")))
@example("")
@example("\ud800۳\udfff")
@example("http://")
@example("و")
@example("۱٬")
@example("۱/")
def test_total(text: str) -> None:
    """Any text is read, lone surrogates included; what is read lies in order, inside the text, and does not overlap."""
    at = 0
    for number in read_numbers(text):
        assert at <= number.start < number.end <= len(text)
        at = number.end


@given(
    st.lists(st.sampled_from(["و", "سه", "هزار", "میلیون", "۲۰", "۳٫۵", "نیم", "صد", "بیست", "شنبه", "یک", "ام", "ها"]))
)
def test_compounds_stay_in_bounds(words: list[str]) -> None:
    """No chain of number words overflows: every value is a decimal below 10^30 that reads back as written."""
    for number in read_numbers(" ".join(words)):
        assert 0 <= Decimal(number.value) < 10**30
        if number.kind == "number" and len(number.value) <= 17:
            assert one(number.value)[1] == number.value


@given(st.integers(10**17, 10**40), st.integers(1, 9))
def test_long_runs_of_digits(value: int, change: int) -> None:
    """Runs too long for an integer still tell themselves apart, alike in all scripts."""
    other = value + change
    assert one(str(value)) == one(in_script(str(value), "۰"))
    assert one(str(value)) != one(str(other))


@given(st.lists(st.sampled_from([text for text, _ in EXAMPLES]), max_size=4))
def test_arrays_agree(texts: list[str]) -> None:
    """The arrays say what the objects say."""
    text = " . ".join(texts)
    kinds, keys, starts, ends = number_arrays(code_points(text))
    assert (kinds.dtype, keys.dtype, starts.dtype, ends.dtype) == (np.uint8, np.int64, np.uint32, np.uint32)
    numbers = read_numbers(text)
    assert [KINDS[kind] for kind in kinds] == [number.kind for number in numbers]
    assert list(zip(starts, ends, strict=True)) == [(number.start, number.end) for number in numbers]
    sizes = [
        as_decimal(int(key)) for key, kind in zip(keys, kinds, strict=True) if KINDS[kind] in {"number", "ordinal"}
    ]
    assert sizes == [Decimal(number.value) for number in numbers if number.kind in {"number", "ordinal"}]


def test_table_finds_every_word() -> None:
    """Words outside the vocabulary meet an empty slot soon: the longest run of used slots is short."""
    keys = vocabulary().keys
    used = np.concatenate((keys, keys)) != 0
    runs = "".join("x" if slot else " " for slot in used).split()
    assert max(map(len, runs)) < 40


def test_long_texts() -> None:
    """A megabyte of digits, of scale words or of any mixture is read at once: nothing is read over and over."""
    words = ["سه", "هزار", "و", "۱٬۲۳۴", "نیم", "x", "میلیون", "و", "سی", "هزار", "صد", "۵", "،"]
    assert len(read_numbers(" ".join(words * 10_000))) > 10_000
    assert len(read_numbers("۱،" * 200_000)) == 200_000
    assert len(read_numbers("۱،" + "۲۳۴،" * 200_000 + "۵")) == 200_002
    assert read_numbers("چند" + " هزار" * 200_000) == ()
