"""Publish times as files write them: ISO 8601, Jalali dates, and seconds or milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from baznashr.errors import InvalidDocument

JALALI_YEARS = range(1250, 1501)
"""Of the Jalali calendar, 1871 to 2122; no Gregorian year of news lies among them."""
YEARS = frozenset([*JALALI_YEARS, *range(1800, 2101)])
"""A number of 12 digits that begins with one of them is a date with a clock; as milliseconds it would lie in 1974 or
1976, or near them."""
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_PARTS = re.compile(
    r"(?:(?P<time_first>\d{1,2}:\d{2}(?::\d{2})?)[\s,،-]+)?"
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?:[\sT,،-]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6}\d*)?)?)\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?"
)
_STAMP = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?"
)
"""Dates without marks, alone or with a clock: 20240115, 202401151030, 20240115103000."""
_NUMBER = re.compile(r"(?P<whole>-?\d{8,14})(?:\.(?P<part>\d+))?")
"""Of 8 and 14 digits they are dates; as seconds they would lie before 1973, as milliseconds after 2286."""
MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on count milliseconds: as seconds they would lie after the year 5138."""


def _unreadable(value: object) -> InvalidDocument:
    return InvalidDocument(
        f"{str(value)[:80]!r} is no time: ISO 8601, a Jalali date, or seconds since 1970 are.",
        reason="INVALID_PUBLISHED_AT",
        field="published_at",
    )


@lru_cache(4096)
def gregorian(year: int, month: int, day: int) -> datetime:
    """Return the midnight, without a zone, that begins a day of the Jalali calendar.

    Raises:
        ValueError: There is no such day.
    """
    from jdatetime import date  # noqa: PLC0415 - of an extra, and needed where dates are Jalali alone

    day_one = date(year, month, day).togregorian()
    return datetime(day_one.year, day_one.month, day_one.day)  # noqa: DTZ001 - its zone is the caller's to say


def read_time(value: object, zone: tzinfo) -> datetime | None:
    """Read a publish time; None where there is none. *zone* is that of times that name none.

    Raises:
        InvalidDocument: There is something that is no time.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    if isinstance(value, bool):
        raise _unreadable(value)
    try:
        return _from_text(str(int(value) if isinstance(value, float) and value.is_integer() else value), zone)
    except (ValueError, OverflowError, OSError):
        raise _unreadable(value) from None


def _from_epoch(number: float) -> datetime:
    seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _midnight(parts: re.Match[str]) -> datetime:
    year, month, day = (int(parts[name]) for name in ("year", "month", "day"))
    return gregorian(year, month, day) if year in JALALI_YEARS else datetime(year, month, day)  # noqa: DTZ001


def _from_number(number: re.Match[str], zone: tzinfo) -> datetime:
    whole = number["whole"]
    parts = _STAMP.fullmatch(whole)
    if parts is None or (len(whole) == 12 and int(parts["year"]) not in YEARS):
        if len(whole.lstrip("-")) in {8, 14}:
            raise ValueError(whole)
        return _from_epoch(float(number[0]))
    if (number["part"] or "").strip("0"):
        raise ValueError(number[0])
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    return _midnight(parts).replace(hour=hour, minute=minute, second=second, tzinfo=zone)


def _from_text(text: str, zone: tzinfo) -> datetime | None:
    text = (text if text.isascii() else text.translate(_DIGITS)).strip()
    if not text:
        return None
    if number := _NUMBER.fullmatch(text):  # before ISO 8601, which takes 1812011512312 for a day of 1812
        return _from_number(number, zone)
    if text[:2] in {"18", "19", "20"}:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return time if time.tzinfo else time.replace(tzinfo=zone)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    clock = (parts["time"] or parts["time_first"] or "0:0").replace(",", ".")
    hours, minutes, *seconds = clock.split(":")
    if int(hours) > 24 or int(minutes) > 59 or float(seconds[0] if seconds else 0) >= 60:
        raise ValueError(text)
    moment = _midnight(parts) + timedelta(
        hours=int(hours), minutes=int(minutes), seconds=float(seconds[0] if seconds else 0)
    )
    return moment.replace(tzinfo=_zone(parts["zone"]) or zone)


def _zone(name: str | None) -> tzinfo | None:
    return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo if name else None
