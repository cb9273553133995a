"""The demo with a folder of the visitor's own."""

import subprocess
import sys
from pathlib import Path

import pytest

# Nothing of it is used: it lets the kernels be compiled before this file's time counts.
import baznashr_server.kernel  # noqa: F401

ROOT = Path(__file__).parents[2]


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo with *folder*."""
    command = [sys.executable, str(ROOT / "tooling" / "demo.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(printed: str) -> list[list[str]]:
    """Return the cells of each line of a table that is of an article."""
    lines = (line.split("│")[1:-1] for line in printed.splitlines() if line.startswith("│"))
    return [[cell.strip() for cell in line] for line in lines]


def test_every_article_of_a_folder_has_a_line(tmp_path: Path) -> None:
    """Names that begin alike, one that a sample has, markup, a refused text: each is told of, as the READMEs quote."""
    long = "گزارش بسیار بلند درباره باران"
    for name, text in ((f"{long} ۱", "[/b] متن یک"), (f"{long} ۲", "متن دو"), ("dam", "سد"), ("[i]", "")):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    done = demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    samples, _, own = done.stdout.partition("Articles of ")
    assert {name: (verdict, reason) for name, _, verdict, _, reason, *_ in rows(own)} == {
        f"{long} ۱": ("NEW", "TOO_FEW_SHINGLES"),
        f"{long} ۲": ("NEW", "TOO_FEW_SHINGLES"),
        "dam": ("refused", "DOCUMENT_ID_REUSED"),
        "[i]": ("refused", "EMPTY_TEXT"),
    }
    shown = [[name, *rest] for name, _, *rest in rows(samples)]
    assert len(shown) == 75
    for page in ("README.md", "README.fa.md"):
        _, *quoted = rows((ROOT / page).read_text(encoding="utf-8"))
        assert len(quoted) > 5
        assert [row for row in quoted if row not in shown] == []


@pytest.mark.parametrize(("name", "why"), [("", "not UTF-8"), ("none", "No such file or directory")])
def test_what_cannot_be_read_is_said_in_a_line(tmp_path: Path, name: str, why: str) -> None:
    """A folder that is not there, and a file that is no text, end the demo before a server starts."""
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    done = demo(tmp_path / name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("demo: ")
    assert done.stderr.endswith(f": {why}\n")
    assert done.stderr.count("\n") == 1
