"""Columns hold texts, arrays and times without loss, in one byte order."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from baznashr_server.limits import MAX_TEXT_BYTES
from baznashr_server.store.codec import (
    array_to_blob,
    compress,
    decompress,
    from_micros,
    passages_from_blob,
    signature_from_blob,
    to_micros,
)
from tests.articles import samples


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@example("")
@example("\x00\ufeff\U0010ffff\r\n")
@example("آ" * (MAX_TEXT_BYTES // 2))
def test_texts_come_back(text: str) -> None:
    """Any text of valid code points up to the limit survives, none is changed."""
    assert decompress(compress(text.encode())) == text


def test_articles_shrink() -> None:
    """Articles take well below their size in UTF-8."""
    texts = [sample["text"] for sample in samples() if len(sample["text"]) > 800]
    assert sum(len(compress(text.encode())) for text in texts) < 0.6 * sum(len(text.encode()) for text in texts)


def test_changed_frames_are_refused() -> None:
    """A frame that is cut or no frame is an error, not another text."""
    frame = compress(("متنی که باید همان بماند " * 20).encode())
    for broken in (frame[:-1], b"", b"no frame", frame[4:]):
        with pytest.raises(zstandard.ZstdError):
            decompress(broken)


@given(hnp.arrays(np.uint32, 128), hnp.arrays(np.uint64, st.integers(0, 90)))
def test_arrays_come_back(signature: np.ndarray, passages: np.ndarray) -> None:
    """Signatures and passages survive."""
    np.testing.assert_array_equal(signature_from_blob(array_to_blob(signature)), signature)
    np.testing.assert_array_equal(passages_from_blob(array_to_blob(passages)), passages)


def test_arrays_lie_with_their_low_byte_first() -> None:
    """The byte order is fixed, also for an array of the other order."""
    expected = bytes([4, 3, 2, 1])
    assert array_to_blob(np.array([0x01020304], "<u4")) == array_to_blob(np.array([0x01020304], ">u4")) == expected


@given(st.datetimes(datetime(1700, 1, 1), datetime(2400, 1, 1)), st.integers(-840, 840))  # noqa: DTZ001 - zone below
def test_times_come_back(time: datetime, minutes: int) -> None:
    """Times survive to the microsecond, whatever their zone, and keep their order as numbers."""
    aware = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert from_micros(to_micros(aware)) == aware
    assert to_micros(aware + timedelta(microseconds=1)) == to_micros(aware) + 1
    assert from_micros(0) == datetime(1970, 1, 1, tzinfo=UTC)
