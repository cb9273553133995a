"""What happens to articles on their way: functions from a text, and a source of chance, to the text as it arrives."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

ZWNJ = "\u200c"
LINE = 60
"""Characters of a hard-wrapped line."""
BLOCKS = 5
"""Stretches of whole sentences that stand in for paragraphs where a text has none."""

Noise = Callable[[str, random.Random], str]

ARABIC = str.maketrans("یکهآ", "يكهآ") | {ord("ۀ"): "ة"}
DIGITS = ("0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩")
OTHER_DIGITS = str.maketrans("".join(DIGITS), "".join(DIGITS[1:] + DIGITS[:1]))
LOOKALIKES = ("بپتثنی", "جچحخ", "دذ", "رزژ", "سش", "صض", "طظ", "عغ", "فق", "کگ")
CONFUSED = {letter: group.replace(letter, "") for group in LOOKALIKES for letter in group}

HEADERS = (
    "به گزارش خبرگزاری آفتاب شرق، ",
    "به گزارش گروه اجتماعی خبرگزاری دیده‌بان؛ ",
    "سپیده‌نیوز - گروه خبر: ",
    "کد خبر: 1402{0}\nتاریخ انتشار: ۱۲ آبان ۱۴۰۲ - ۱۰:{1}\nسرویس: جامعه\nبه گزارش خبرنگار پایگاه خبری نوروز، ",
    "تهران (پانا‌خبر) - ",
    "گروه سیاسی خبرگزاری مهتاب: به نقل از روابط عمومی، ",
    "صفحه نخست » اخبار » جامعه\nشناسه خبر: {0}\nزمان انتشار: ۹ دی ۱۴۰۱ - ۰۸:{1}\n",
    "خبرگزاری کرانه / استان‌ها / ",
)
FOOTERS = (
    "\nانتهای پیام/{0}",
    "\nانتهای پیام\nکد خبرنگار: {0}\nبرچسب‌ها: خبر، جامعه، ایران\nارسال نظرات",
    "\nلینک کوتاه خبر: https://example.ir/x/{0}\nنسخه چاپی\nارسال به دوستان",
    """
بیشتر بخوانید:
هوای فردا در استان‌های شمالی بارانی است
زمان واریز یارانه این ماه اعلام شد
نتیجه قرعه‌کشی مرحله نهایی مشخص شد""",
    """
پایان پیام/
نظرات خود را با حروف فارسی تایپ کنید
دیدگاه‌های ارسال شده توسط شما، پس از تایید توسط تیم مدیریت در وب منتشر خواهد شد""",
    "\nبرای پیگیری اخبار ما را در تلگرام و اینستاگرام دنبال کنید\n© همه حقوق برای پایگاه خبری کرانه محفوظ است",
    "\nمطالب مرتبط\nسهمیه سوخت ماه آینده چقدر است؟\nآغاز ثبت‌نام آزمون سراسری از فردا\n\nانتهای خبر/{0}",
    "\n\nمنبع: خبرگزاری مهتاب\n",
)


def no_zwnj(text: str, _: random.Random) -> str:
    return text.replace(ZWNJ, "")


def zwnj_to_space(text: str, _: random.Random) -> str:
    return text.replace(ZWNJ, " ")


def arabic_letters(text: str, _: random.Random) -> str:
    return text.translate(ARABIC)


def other_digits(text: str, _: random.Random) -> str:
    """Write ASCII digits in Persian, Persian ones in Arabic, Arabic ones in ASCII."""
    return text.translate(OTHER_DIGITS)


def no_punctuation(text: str, _: random.Random) -> str:
    return "".join(" " if unicodedata.category(char)[0] == "P" else char for char in text)


def hard_wrapped(text: str, _: random.Random) -> str:
    """Break lines at the first space after LINE characters."""
    return re.sub(rf"([^\n]{{{LINE},}}?) ", r"\1\n", text)


def other_agency(text: str, rng: random.Random) -> str:
    """Add another agency's header and footer."""
    header, footer = (rng.choice(some).format(rng.randrange(10_000, 99_999), rng.randrange(10, 60)) for some in ADDED)
    return header + text + footer


ADDED = (HEADERS, FOOTERS)


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs, or about BLOCKS stretches of whole sentences where there are fewer than three."""
    found = [part for part in re.split(r"\n\s*", text) if part.strip()]
    if len(found) >= 3:
        return found
    sentences = re.split(r"(?<=[.!؟?؛])\s+", text)
    size = max(1, round(len(sentences) / BLOCKS))
    return [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]


def no_first_paragraph(text: str, _: random.Random) -> str:
    return "\n".join(paragraphs(text)[1:]) or text


def no_last_paragraph(text: str, _: random.Random) -> str:
    return "\n".join(paragraphs(text)[:-1]) or text


def reordered(text: str, rng: random.Random) -> str:
    parts = paragraphs(text)
    rng.shuffle(parts)
    return "\n".join(parts)


def words_changed(share: float, words: Sequence[str]) -> Noise:
    """Replace a share of the words, at least one, by *words*."""

    def noise(text: str, rng: random.Random) -> str:
        parts = re.split(r"(\s+)", text)
        places = [i for i, part in enumerate(parts) if part.strip()]
        for place in rng.sample(places, max(1, round(share * len(places)))):
            parts[place] = rng.choice(words)
        return "".join(parts)

    return noise


def letter_noise(share: float) -> Noise:
    """Spoil a share of the letters as optical recognition does: look-alikes, lost letters, doubled ones, spaces."""

    def spoiled(char: str, rng: random.Random) -> str:
        kind = rng.random()
        if kind < 0.7 and char in CONFUSED:
            return rng.choice(CONFUSED[char])
        return "" if kind < 0.8 else char * 2 if kind < 0.9 else f"{char} "

    def noise(text: str, rng: random.Random) -> str:
        return "".join(spoiled(c, rng) if c.isalpha() and rng.random() < share else c for c in text)

    return noise


def doubled(text: str, _: random.Random) -> str:
    return f"{text}\n{text}"


def chained(*noises: Noise) -> Noise:
    def noise(text: str, rng: random.Random) -> str:
        for one in noises:
            text = one(text, rng)
        return text

    return noise


ORTHOGRAPHIC: dict[str, Noise] = {
    "ZWNJ deleted": no_zwnj,
    "ZWNJ → space": zwnj_to_space,
    "Arabic letters": arabic_letters,
    "other digits": other_digits,
    "no punctuation": no_punctuation,
    "hard-wrapped lines": hard_wrapped,
    "all of these": chained(zwnj_to_space, arabic_letters, other_digits, no_punctuation, hard_wrapped),
}
HEADER_AND_FOOTER = "header and footer added"


def edits(words: Sequence[str]) -> dict[str, Noise]:
    """Return what changes more than the spelling; *words* stand in for changed ones."""
    spelling = ORTHOGRAPHIC["all of these"]
    return {
        HEADER_AND_FOOTER: other_agency,
        "first paragraph dropped": no_first_paragraph,
        "last paragraph dropped": no_last_paragraph,
        "paragraphs reordered": reordered,
        "1 % of words changed": words_changed(0.01, words),
        "3 % of words changed": words_changed(0.03, words),
        "5 % of words changed": words_changed(0.05, words),
        "1 % of letters spoiled": letter_noise(0.01),
        "whole text doubled": doubled,
        "spelling, header and footer": chained(spelling, other_agency),
        "spelling, header and footer, 3 % of words": chained(words_changed(0.03, words), spelling, other_agency),
        "doubled, second copy with 3 % of words changed": lambda text, rng: (
            f"{text}\n{words_changed(0.03, words)(text, rng)}"
        ),
        "last paragraph dropped, header and footer, 1 % of letters": chained(
            no_last_paragraph, letter_noise(0.01), other_agency
        ),
    }
