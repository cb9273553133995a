"""Numbers of a text as a person reads them, from the arrays that the reader gives."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from baznashr_server.text.canonical import code_points
from baznashr_server.text.number_kernel import EXPONENT_BIAS, EXPONENT_BITS, MONTH_KIND, WEEKDAY_KIND
from baznashr_server.text.number_words import MONTH_NAMES
from baznashr_server.text.numbers import KINDS, number_arrays


@dataclass(frozen=True, slots=True)
class Number:
    """A number, ordinal, weekday or month in a text."""

    kind: str
    value: str
    """The same for every way to write it: a plain decimal such as "23400" or "3.5" (beyond 17 digits "#" and a hash),
    a weekday "0" (شنبه) to "6" (جمعه), or the month's name in Latin letters."""
    start: int
    """In code points of the text."""
    end: int
    """Exclusive."""


def as_decimal(value: int) -> Decimal | None:
    """Return the size behind a number's or ordinal's value, None for a run of digits too long to hold."""
    if value < 0:
        return None
    mantissa, exponent = value >> EXPONENT_BITS, (value & ((1 << EXPONENT_BITS) - 1)) - EXPONENT_BIAS
    return Decimal(mantissa).scaleb(exponent)


def _describe(kind: int, value: int) -> str:
    if kind == WEEKDAY_KIND:
        return str(value)
    if kind == MONTH_KIND:
        return MONTH_NAMES[value]
    size = as_decimal(value)
    return f"#{-value:x}" if size is None else f"{size:f}"


def read_numbers(text: str) -> tuple[Number, ...]:
    """Return all numbers in *text*, in order. Total: any `str` may be read, lone surrogates included."""
    columns = (array.tolist() for array in number_arrays(code_points(text)))
    return tuple(
        Number(KINDS[kind], _describe(kind, value), start, end)
        for kind, value, start, end in zip(*columns, strict=True)
    )
