"""Progress on standard error."""

import pytest

from baznashr_server.tune import progress
from baznashr_server.tune.progress import Progress


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Work that ends before the first report leaves a log empty, and standard output always."""
    assert list(Progress("counting", 3).of("abc")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_long_work_is_told_line_by_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log every report is a line of its own."""
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    list(Progress("counting", 2).of("ab"))
    assert capsys.readouterr().err == "counting: 1 of 2\ncounting: 2 of 2\n"


def test_on_a_terminal_one_line_is_rewritten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people one line is rewritten, and it is ended when the work is done."""
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "TERMINAL_SECONDS", 0.0)
    list(Progress("counting", 2).of("ab"))
    assert capsys.readouterr().err == "\rcounting: 1 of 2\rcounting: 2 of 2\n"
