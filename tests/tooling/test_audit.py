"""The audit of dependencies: what it makes of pip-audit's answers, so that silence is never taken for safety."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

AUDIT = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "tooling" / "audit.py")))

SOUND = {"name": "sound", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"], "aliases": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "line"),
    [
        ([SOUND], AUDIT.CLEAN, "1 dependencies looked up at pypi, 0 known vulnerabilities"),
        ([SOUND, BAD, UNKNOWN], AUDIT.VULNERABLE, "bad 2: CVE-1, mended in 3"),
        ([SOUND, UNKNOWN], AUDIT.NOT_ASKED, "not looked up: unknown"),
    ],
)
def test_each_answer_has_a_status(
    packages: list[dict[str, Any]], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound, vulnerable, and not known are told apart, the last also where it is so of one package alone."""
    assert AUDIT.tell("pypi", AUDIT.read({"dependencies": packages})) == status
    assert line in "".join(capsys.readouterr())
    assert len({AUDIT.CLEAN, AUDIT.VULNERABLE, AUDIT.NOT_ASKED}) == 3


def test_a_list_that_cannot_be_made_is_no_vulnerability(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where uv is missing or fails, nothing was asked, which the status says."""
    for uv in ("/nonexistent/uv", "false"):
        monkeypatch.setenv("UV", uv)
        assert AUDIT.main() == AUDIT.NOT_ASKED
        assert "uv could not list the dependencies" in capsys.readouterr().err
