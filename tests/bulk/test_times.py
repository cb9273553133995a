"""Publish times as files write them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import jdatetime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr.errors import InvalidDocument
from baznashr_server.bulk.times import read_time

TEHRAN = ZoneInfo("Asia/Tehran")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-05-01", "2024-05-01T00:00:00+03:30"),
        ("2021-05-01 10:20", "2021-05-01T10:20:00+04:30"),
        ("2024-05-01T10:20:30Z", "2024-05-01T10:20:30+00:00"),
        ("2024/5/1 10:20", "2024-05-01T10:20:00+03:30"),
        ("1403/02/12", "2024-05-01T00:00:00+03:30"),
        ("۱۴۰۳-۰۲-۱۲ ۱۰:۲۰:۳۰", "2024-05-01T10:20:30+03:30"),
        ("٠٩:٠٥ - 1403.2.12", "2024-05-01T09:05:00+03:30"),
        ("۱۱:۱۸\n            ۱۴۰۲-۶-۴", "2023-08-26T11:18:00+03:30"),
        ("1250/1/1", "1871-03-21T00:00:00+03:25:44"),
        ("1403/12/30 24:00", "2025-03-21T00:00:00+03:30"),
        (20240501, "2024-05-01T00:00:00+03:30"),
        ("20240501", "2024-05-01T00:00:00+03:30"),
        (14030212, "2024-05-01T00:00:00+03:30"),
        ("۱۴۰۳۰۲۱۲", "2024-05-01T00:00:00+03:30"),
        (20240501.0, "2024-05-01T00:00:00+03:30"),
        (202405011020, "2024-05-01T10:20:00+03:30"),
        ("202405011020", "2024-05-01T10:20:00+03:30"),
        ("20240501102030", "2024-05-01T10:20:30+03:30"),
        (14030212102030, "2024-05-01T10:20:30+03:30"),
        ("۱۴۰۳۰۲۱۲۱۰۲۰", "2024-05-01T10:20:00+03:30"),
        ("946684800000", "2000-01-01T00:00:00+00:00"),
        (946684800000, "2000-01-01T00:00:00+00:00"),
        ("1812011512312", "2027-06-03T08:31:52.312000+00:00"),
        (1812011512312, "2027-06-03T08:31:52.312000+00:00"),
        ("-100000000", "1966-10-31T14:13:20+00:00"),
        ("1714545000.0", "2024-05-01T06:30:00+00:00"),
        (1714545000, "2024-05-01T06:30:00+00:00"),
        ("1714545000000", "2024-05-01T06:30:00+00:00"),
        (1714545000.5, "2024-05-01T06:30:00.500000+00:00"),
        (datetime.fromisoformat("2024-05-01"), "2024-05-01T00:00:00+03:30"),
    ],
)
def test_times_are_read(written: object, expected: str) -> None:
    """Both calendars, any digits, clock before or after the date, and numbers since 1970."""
    found = read_time(written, TEHRAN)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize("written", [None, "", "  ", " \n"])
def test_no_time_is_no_fault(written: object) -> None:
    """An empty field is an unknown time."""
    assert read_time(written, TEHRAN) is None


@pytest.mark.parametrize(
    "written",
    [
        202413011020,
        "202402301020",
        "140313011020",
        "202405012520",
        "20240501102099",
        99999999999999,
        "20240501.5",
        "yesterday",
        "1403/13/01",
        "1404/12/30",
        "2024-02-30",
        "10:20",
        True,
        [1],
        "2024-5-1 25:00",
        0,
        14031301,
        1403,
    ],
)
def test_what_is_no_time_is_refused(written: object) -> None:
    """It is not taken for an unknown time."""
    with pytest.raises(InvalidDocument) as caught:
        read_time(written, TEHRAN)
    assert caught.value.reason == "INVALID_PUBLISHED_AT"


@given(st.dates(date(1872, 1, 1), date(2121, 1, 1)))
def test_every_jalali_day_is_the_calendars(day: date) -> None:
    """What the calendar writes for a day is read back as that day, in either kind of digits."""
    jalali = jdatetime.date.fromgregorian(date=day)
    expected = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert read_time(f"{jalali:%Y/%m/%d}", UTC) == expected
    assert read_time(f"{jalali.year}-{jalali.month}-{jalali.day} 6:05", UTC) == expected + timedelta(hours=6, minutes=5)
