"""Numbers, ordinals, weekdays and months as Persian articles write them.

Read from the original text, before the canonical form drops the marks that tell ۳٫۵ from ۳۵. What counts:

- Digits of any script, with thousands marks (`٬` `,` `،` before groups of three; `.` and `٫` from two groups on) and
  decimals (`٫` `.` `/`, and `,` before one or two digits). A chain such as 1402/05/24 or 10.0.0.1 is read part by part.
- Spelled cardinals and mixtures, «بیست و سه هزار و چهارصد», «۲ هزار و ۵۰۰ میلیارد», «دو میلیون و نیم», «چهار و نیم»,
  with the parts joined by spaces, a ZWNJ or nothing. «۲۰ هزار و ۳۰ هزار» is two numbers.
- Ordinals: «سوم», «بیست و یکم», «سی‌ام», «۲۵م», «اول», «نخستین»; not «نخست» in «نخست‌وزیر», «دهم» in «می‌دهم».
- Weekdays; not «جمعه» in «امام جمعه» and «نماز جمعه».
- Months: Jalali, Gregorian and lunar. Names that are also words («مهر», «تیر», «دی», «آذر», «بهمن», «مه», «اوت», lunar
  names that are given names) count only in dates: after a number or «ماه», before «ماه», «سال» or a year. «می» for May
  is left out: it is the commonest prefix of verbs. «صفر» is always zero.
- «یک» is mostly an article: it counts before a scale word or «و» with a number, and inside compounds. «نه» (also "no")
  and «نیم» count before units («درصد», «نفر», «ساعت») as well. «سی» does not count beside names of Latin letters.
- Vague amounts do not count: «چند هزار», «ده‌ها», «صدها میلیون», «میلیون» without a number before it.

Known limits: digits split by spaces (۲۳ ۴۰۰) are two numbers; a sign is not read; a fraction («دو سوم») is a number and
an ordinal; `۱۲٫۵۰۰` is a decimal; two to five before «شنبه» always name a weekday.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.text.canonical import U32
from baznashr_server.text.number_kernel import scan_numbers
from baznashr_server.text.number_words import vocabulary

KINDS = ("number", "ordinal", "weekday", "month")
"""In the order of the codes that `number_arrays` gives."""


class PlacedNumbers(NamedTuple):
    """Numbers among the letters of a text; arrays of one length, in text order."""

    kinds: NDArray[np.uint8]
    values: NDArray[np.int64]
    starts: NDArray[np.int64]
    """In letters."""
    ends: NDArray[np.int64]
    text_starts: NDArray[np.uint32]
    """In code points of the text."""
    text_ends: NDArray[np.uint32]


def number_arrays(
    codes: U32,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]:
    """Return kind, value, start and end of all numbers in *codes*, in order.

    Kinds are positions in `KINDS`. Two values of one kind are equal where the numbers are; a number and an ordinal of
    the same size have the same value. Values of numbers are a mantissa without trailing zeros and a decimal exponent
    of `EXPONENT_BITS` packed together, so they do not sort by size; negative ones are hashes of long runs.
    """
    arrays: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]
    arrays = scan_numbers(codes, *vocabulary())
    return arrays


@kernel
def _scan_and_place(codes, offsets, fold, may_be_known, keys, entries):  # type: ignore[no-untyped-def]
    kinds, values, starts, ends = scan_numbers(codes, fold, may_be_known, keys, entries)
    firsts, lasts = np.empty(starts.size, np.int64), np.empty(starts.size, np.int64)
    count = 0
    for i in range(starts.size):
        first, last = np.searchsorted(offsets, starts[i]), np.searchsorted(offsets, ends[i])
        if last > first:
            kinds[count], values[count], starts[count], ends[count] = kinds[i], values[i], starts[i], ends[i]
            firsts[count], lasts[count] = first, last
            count += 1
    return kinds[:count], values[:count], firsts[:count], lasts[:count], starts[:count], ends[:count]


def placed_numbers(codes: U32, offsets: U32) -> PlacedNumbers:
    """Return the numbers in *codes*, as `number_arrays` does, that have any of the letters with *offsets*.

    Args:
        offsets: uint32[m], ascending: the place of each letter in *codes*.
    """
    return PlacedNumbers(*_scan_and_place(codes, offsets, *vocabulary()))
