"""What a run says on the way."""

import io
import sys

import pytest

from baznashr.types import Verdict
from baznashr_server.bulk import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_speed_memory_time_left_and_verdicts_are_shown(
    kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar on a terminal and lines elsewhere tell articles and MB a second, memory, what is left, and the verdicts."""
    monkeypatch.setattr(sys, "stderr", kind())
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    given = [Verdict.NEW.value, Verdict.EXACT.value]
    with progress.shown(quiet=False) as shown:
        shown.phase("judging", 10, done=4)
        shown.judged(given, 3, 4_000)  # one more was refused
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    for word in ("judging", "7", "10", "/s", "MB/s", "MB of memory", "EXACT 1", "NEW 1"):
        assert word in said, said


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not a word on either stream."""
    with progress.shown(quiet=True) as shown:
        shown.phase("judging", 10)
        shown.advance(3, 5)
    assert capsys.readouterr() == ("", "")
