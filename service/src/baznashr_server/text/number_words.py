"""The Persian words behind numbers, ordinals, weekdays and months, as a hash table for the kernel."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kept_arrays
from baznashr_server.text import number_kernel as k
from baznashr_server.text.canonical import canonicalise_all, table

UNITS = ("یک", "دو", "سه", "چهار", "پنج", "شش", "هفت", "هشت", "نه")
TEENS = ("ده", "یازده", "دوازده", "سیزده", "چهارده", "پانزده", "شانزده", "هفده", "هجده", "نوزده")
TENS = ("بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود")
HUNDREDS = ("صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد")
OTHER_SPELLINGS = {"هیجده": 18, "هژده": 18, "یکصد": 100, "پونصد": 500, "شیشصد": 600}
SCALES = {
    "هزار": 10**3,
    "میلیون": 10**6,
    "ملیون": 10**6,
    "میلیارد": 10**9,
    "ملیارد": 10**9,
    "بیلیون": 10**9,
    "تریلیون": 10**12,
}
ORDINAL_ENDINGS = ("م", "مین")
ORDINAL_STEMS = {"سه": "سو", "سی": "سی‌ا"}
"""What the endings are put on where it is not the cardinal itself."""
FIRST = ("اول", "اولین", "نخست", "نخستین")

WRITTEN_ON = (
    "تن", "نفر", "نفره", "سال", "ساله", "سالگی", "ماه", "ماهه", "روز", "روزه", "هفته", "ساعت", "ساعته", "دقیقه", "بار",
    "برابر", "برابری", "درصد", "درصدی", "تومان", "تومانی", "متر", "متری", "کیلومتر", "کیلومتری", "رقمی", "طرفه",
    "جانبه", "گانه", "مرحله", "ضلعی", "وجهی", "بعدی", "فوریتی", "پا", "پایه", "راه", "راهی", "باغ", "تپه",
)  # fmt: skip
"""Nouns that lose the space or ZWNJ before them, «سه‌ماهه» and «سهماهه»."""
DAY_ENDINGS = ("", "شب", "صبح", "عصر", "ظهر", "ها", "های")
"""Written onto a weekday."""
NEVER_WRITTEN_ON = frozenset({"یک", "سی"})
"""«یکسال» is "a year", and «سیروز» is an illness."""
UNIT_NOUNS = (
    "درصد", "درصدی", "تومان", "تومانی", "ریال", "دلار", "یورو", "سانت", "متر", "کیلومتر", "کیلو", "کیلوگرم", "گرم",
    "تن", "نفر", "نفره", "سال", "ساله", "ماه", "ماهه", "روز", "روزه", "شب", "هفته", "ساعت", "ساعته", "دقیقه", "ثانیه",
    "صبح", "بامداد", "امتیاز", "امتیازی", "گل", "قرن", "دهم", "بار", "مرحله", "کشور", "استان", "فروند", "دستگاه",
)  # fmt: skip
"""Before these «نه» is nine and «نیم» a half."""
CONTEXT_FLAGS = {
    k.UNIT: UNIT_NOUNS,
    k.YEAR: ("سال",),
    k.MONTH_WORD: ("ماه",),
    k.VERB: ("می", "نمی"),
    k.WORSHIP: ("امام", "امامان", "ائمه", "نماز", "نمازهای", "خطیب"),
    k.IN: ("در",),
    k.MINISTER: ("وزیر", "وزیری", "وزیران"),
    k.PLACE: ("محال",),
    k.LETTER_NAME: ("بی", "سی", "ان", "ال", "پی", "تی", "یو", "اف", "جی", "دی", "اس", "وی", "کیو"),
}
VAGUE = ("چند", "چندین", "ده‌ها", "صدها", "هزارها", "هزاران", "میلیون‌ها", "میلیاردها")
PLURALS = ("ها", "های", "هایی", "هایش")

JALALI = {
    "farvardin": "فروردین",
    "ordibehesht": "اردیبهشت",
    "khordad": "خرداد",
    "tir": "تیر",
    "mordad": "مرداد امرداد",
    "shahrivar": "شهریور",
    "mehr": "مهر",
    "aban": "آبان",
    "azar": "آذر",
    "dey": "دی",
    "bahman": "بهمن",
    "esfand": "اسفند",
}
GREGORIAN = {
    "january": "ژانویه جنوری",
    "february": "فوریه فبروری",
    "march": "مارس مارچ",
    "april": "آوریل آپریل",
    "may": "مه",
    "june": "ژوئن",
    "july": "ژوئیه جولای ژولای",
    "august": "اوت آگوست",
    "september": "سپتامبر سپتمبر",
    "october": "اکتبر اکتوبر",
    "november": "نوامبر نومبر",
    "december": "دسامبر دسمبر",
}
LUNAR = {
    "muharram": "محرم",
    "safar": "صفرالمظفر",
    "rabi_al_awwal": "ربیع‌الاول",
    "rabi_al_thani": "ربیع‌الثانی ربیع‌الآخر",
    "jumada_al_ula": "جمادی‌الاول جمادی‌الاولی",
    "jumada_al_thani": "جمادی‌الثانی جمادی‌الثانیه جمادی‌الآخر",
    "rajab": "رجب",
    "shaban": "شعبان",
    "ramadan": "رمضان",
    "shawwal": "شوال",
    "dhu_al_qadah": "ذی‌القعده ذیقعده",
    "dhu_al_hijjah": "ذی‌الحجه ذیحجه",
}
MONTH_NAMES = (*JALALI, *GREGORIAN, *LUNAR)
"""By the value of a month."""
ALSO_WORDS = frozenset({"تیر", "مهر", "آذر", "دی", "بهمن", "مارچ", "مه", "اوت", "محرم", "رجب", "شعبان"})
LUNAR_HEADS = {"ربیع": "rabi_al_awwal", "جمادی": "jumada_al_ula", "ذی": "dhu_al_qadah"}
LUNAR_TAILS = {"الاول": 0, "الاولی": 0, "القعده": 0, "الثانی": 1, "الثانیه": 1, "الآخر": 1, "الحجه": 1}

MAX_LOAD = 0.5
"""Share of the table's slots in use: most words of a text are none of these, and should meet an empty slot at once."""

FILTER = 8
"""Places of the filter for each slot: one word in twenty that is none of these passes."""


class Entry(NamedTuple):
    """A word as the kernel sees it; the columns of an entry in their order."""

    role: int
    value: int = 0
    exponent: int = 0
    room: int = 0
    flags: int = 0


class Vocabulary(NamedTuple):
    """What `scan_numbers` takes after the code points."""

    fold: NDArray[np.uint16]
    """By code point: a letter, a digit, or one of the kernel's classes."""
    may_be_known: NDArray[np.bool_]
    """bool[FILTER times the slots]: whether the hash of a word ends in these bits. It parts the few words that are
    looked for among `keys` from all others by a branch that the processor foresees."""
    keys: NDArray[np.uint64]
    """Hashes of the folded words, open addressing by their upper bits; 0 is empty."""
    entries: NDArray[np.int64]
    """What is known of the word in the same slot."""


def _ordinal_stem(word: str) -> str:
    """Return what the ordinal endings are put on."""
    for cardinal, stem in ORDINAL_STEMS.items():
        if word == cardinal or word.endswith("و" + cardinal):
            return word.removesuffix(cardinal) + stem
    return word


def _simple_cardinals() -> dict[str, tuple[int, int]]:
    """Return each number word below a thousand with its value and its room."""
    words = {"صفر": (0, 1)}
    words |= {word: (value, 1) for value, word in enumerate((*UNITS, *TEENS), start=1)}
    words |= {word: (10 * value, 10) for value, word in enumerate(TENS, start=2)}
    words |= {word: (100 * value, 100) for value, word in enumerate(HUNDREDS, start=1)}
    return words | {word: (value, 100 if value >= 100 else 1) for word, value in OTHER_SPELLINGS.items()}


def _compound_cardinals(simple: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return the compounds below a thousand written as one word, «بیست‌وسه» without its ZWNJ."""
    heads, compounds = simple, dict[str, tuple[int, int]]()
    for _ in range(2):
        heads = {
            f"{head}و{word}": (value + part, room)
            for head, (value, limit) in heads.items()
            for word, (part, room) in simple.items()
            if 0 < part < limit
        }
        compounds |= heads
    return compounds


def _number_entries() -> Iterator[tuple[str, Entry]]:
    simple = _simple_cardinals()
    own_flags = {"یک": k.GUARDED, "نه": k.GUARDED | k.COUNTS_UNITS}
    for word, (value, room) in (simple | _compound_cardinals(simple)).items():
        yield word, Entry(k.CARDINAL, value, room=room, flags=own_flags.get(word, 0))
        for ending in ORDINAL_ENDINGS if value else ():
            yield _ordinal_stem(word) + ending, Entry(k.CARDINAL, value, room=room, flags=k.ORDINAL)
    del simple["صفر"]
    for word, (value, room) in simple.items():
        yield "و" + word, Entry(k.CARDINAL, value, room=room, flags=own_flags.get(word, 0) | k.LEADING_AND)
        for ending in ORDINAL_ENDINGS:
            joined = f"و{_ordinal_stem(word)}{ending}"
            yield joined, Entry(k.CARDINAL, value, room=room, flags=k.ORDINAL | k.LEADING_AND)
        for scale, size in SCALES.items():
            yield word + scale, Entry(k.CARDINAL, size * value, room=size)
        yield word + "هزارو", Entry(k.CARDINAL, 1000 * value, room=1000, flags=k.TRAILING_AND)
        if room > 1 and word != "سی":  # «سیو» is a goalkeeper's save
            yield word + "و", Entry(k.CARDINAL, value, room=room, flags=k.TRAILING_AND)
        if value < 10:
            yield word + "ونیم", Entry(k.CARDINAL, 10 * value + 5, exponent=-1)
        for noun in WRITTEN_ON if word not in NEVER_WRITTEN_ON else ():
            yield word + noun, Entry(k.CARDINAL, value, room=1, flags=k.CLOSED)
    for word in (*UNITS[1:], *TEENS):
        yield f"یک{_ordinal_stem(word)}م", Entry(k.CARDINAL, simple[word][0], room=1, flags=k.ORDINAL)
    for word, value in SCALES.items():
        yield word, Entry(k.SCALE, value, room=value)
        yield word + "و", Entry(k.SCALE, value, room=value, flags=k.TRAILING_AND)
        for ending in ("ی", *WRITTEN_ON):
            yield word + ending, Entry(k.SCALE, value, room=value, flags=k.CLOSED)
        for ending in ORDINAL_ENDINGS:
            yield word + ending, Entry(k.SCALE, value, room=value, flags=k.ORDINAL)


def _name_entries() -> Iterator[tuple[str, Entry]]:
    for ending in DAY_ENDINGS:
        yield "شنبه" + ending, Entry(k.SATURDAY)
        for value, word in enumerate(UNITS[:5], start=1):
            yield f"{word}شنبه{ending}", Entry(k.WEEKDAY, value)
        for word in ("جمعه", "آدینه"):
            yield word + ending, Entry(k.WEEKDAY, 6)
    for value, spellings in enumerate((JALALI | GREGORIAN | LUNAR).values()):
        for word in spellings.split():
            flags = k.YEAR | (k.GUARDED if word in ALSO_WORDS else 0)
            yield word.replace("\u200c", ""), Entry(k.MONTH, value, flags=flags)
            yield word + "ماه", Entry(k.MONTH, value, flags=k.YEAR)
    for word, name in LUNAR_HEADS.items():
        yield word, Entry(k.LUNAR_HEAD, MONTH_NAMES.index(name))
    for word, value in LUNAR_TAILS.items():
        yield word, Entry(k.LUNAR_TAIL, value)


def _other_entries() -> Iterator[tuple[str, Entry]]:
    yield "و", Entry(k.AND)
    yield "نیم", Entry(k.HALF, 5, exponent=-1, flags=k.COUNTS_UNITS)
    yield "ونیم", Entry(k.HALF, 5, exponent=-1, flags=k.COUNTS_UNITS | k.LEADING_AND)
    for noun in ("ساعت", "درصد", "قرن", "سال"):
        yield "نیم" + noun, Entry(k.CARDINAL, 5, exponent=-1, flags=k.CLOSED)
    for ending in ORDINAL_ENDINGS:
        yield ending, Entry(k.ORDINAL_SUFFIX, flags=k.GLUED_ONLY)
        yield "ا" + ending, Entry(k.ORDINAL_SUFFIX)
    for word in FIRST:
        yield word, Entry(k.ORDINAL_WORD, 1)
    for word in PLURALS:
        yield word, Entry(k.PLURAL)
    for word in VAGUE:
        yield word, Entry(k.VAGUE)
    for flag, words in CONTEXT_FLAGS.items():
        for word in words:
            yield word, Entry(k.CONTEXT, flags=flag)


def _fold_table() -> NDArray[np.uint16]:
    """Return what the kernel makes of each code point, by the canonical form where it keeps the code point."""
    single = table().single
    fold = np.where(single < k.OTHER_LETTER, single, k.OTHER_LETTER).astype(np.uint16)
    for code in np.flatnonzero(single[:0x10000] == 0).tolist():
        character = chr(code)
        if character.isspace() or character in "\u200c_":
            fold[code] = k.SPACE
        elif unicodedata.category(character) in {"Mn", "Me", "Cf", "Lm", "Lo"}:
            fold[code] = k.DROPPED
        else:
            fold[code] = k.BREAK
    fold[0x10000:][single[0x10000:] == 0] = k.BREAK
    return fold


def _merged(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return one entry a folded word; a word may play one role and any part in the context of others."""
    words: dict[str, Entry] = {}
    given, meant = zip(*entries, strict=True)
    canonical = canonicalise_all(given)
    for number, (word, entry) in enumerate(zip(given, meant, strict=True)):
        folded = canonical.of(number).text()
        known = words.get(folded, Entry(k.CONTEXT))
        role, context = (known, entry) if entry.role == k.CONTEXT else (entry, known)
        if context.role != k.CONTEXT and context != role:
            raise ValueError(f"{word} has two meanings: {known}, {entry}")
        words[folded] = role._replace(flags=role.flags | context.flags)
    return words


def _hash(word: str) -> int:
    mixed = k.HASH_START
    for character in word:
        mixed = (mixed ^ ord(character)) * k.HASH_FACTOR % 2**64
    return mixed


@cache
def vocabulary() -> Vocabulary:
    """Return the tables, which take a tenth of a second to build."""
    return Vocabulary(**kept_arrays("vocabulary", lambda: _built()._asdict()))


def _built() -> Vocabulary:
    words = _merged((*_number_entries(), *_name_entries(), *_other_entries()))
    bits = (int(len(words) / MAX_LOAD)).bit_length()
    keys, entries = np.zeros(1 << bits, np.uint64), np.zeros((1 << bits, k.ENTRY_COLUMNS), np.int64)
    may_be_known = np.zeros(FILTER * keys.size, np.bool_)
    for word, entry in words.items():
        key = _hash(word)
        may_be_known[key % may_be_known.size] = True
        slot = key >> (64 - bits)
        while keys[slot]:
            slot = (slot + 1) % keys.size
        keys[slot], entries[slot] = key, entry
    return Vocabulary(_fold_table(), may_be_known, keys, entries)
