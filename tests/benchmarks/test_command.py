"""The command `python -m benchmarks`."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ending
from benchmarks.__main__ import RESULTS, main
from benchmarks.bulk import records
from benchmarks.report import Bar, Report, Table, markdown, markdown_table, save
from benchmarks.sketching import GRAMS, from_text

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(("found", "at_least", "holds"), [(2.0, True, True), (0.5, True, False), (0.5, False, True)])
def test_a_bar_holds_or_fails(found: float, at_least: bool, holds: bool) -> None:
    """A bar compares in the direction it is meant."""
    bar = Bar("speed", found, 1.0, at_least)
    assert bar.holds is holds
    assert bar.line().startswith("holds" if holds else "FAILS")


@pytest.mark.parametrize(
    ("found", "needed", "told"),
    [
        (0.9992, 0.999, "holds: share: 0.9992 (≥ 0.999)"),
        (0.9496, 0.95, "FAILS: share: 0.9496 (≥ 0.95)"),
        (1.0, 0.999, "holds: share: 1.00 (≥ 0.999)"),
        (0.951, 0.9, "holds: share: 0.95 (≥ 0.90)"),
        (3433.2, 10_000, "FAILS: share: 3,433 (≥ 10,000)"),
    ],
)
def test_a_bar_tells_on_which_side_a_figure_lies(found: float, needed: float, told: str) -> None:
    """What is needed is told as it is, and what was found with as many digits as it takes to see why it holds."""
    assert Bar("share", found, needed).line() == told


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.md")), ids=lambda path: path.stem)
def test_committed_results_for_people_are_those_for_programs(path: Path) -> None:
    """Each table and bar in Markdown is what its JSON makes, and each bar holds or fails as it says."""
    kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if path.stem == "bulk":
        told = records.report(records.read(path.with_suffix(".json")))
    else:
        held = [bar.pop("holds") for bar in kept["bars"]]
        tables, bars = ([kind(**one) for one in kept[name]] for kind, name in ((Table, "tables"), (Bar, "bars")))
        assert [bar.holds for bar in bars] == held
        told = Report(kept["name"], kept["title"], kept["articles"], tables, bars)
    written = path.read_text(encoding="utf-8")
    assert written.partition("## Measured on")[0] == markdown(told, {}).partition("## Measured on")[0]


def test_tables_are_markdown() -> None:
    """Every line of a table has the same length and as many cells as columns."""
    lines = markdown_table(Table("t", ["", "µs"], [["a long name", 1234.5], ["b", None]])).splitlines()
    assert {line.count("|") for line in lines} == {3}
    assert {len(line) for line in lines} == {len(lines[0])}
    assert "1,234" in lines[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a soak as it is typed."""
    command = [sys.executable, "-m", "benchmarks.soak", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_a_soak_can_be_run_again_by_its_record(tmp_path: Path) -> None:
    """What is recorded is the module that ran, without the machine's folders; the folder for it need not be there."""
    arguments = ["--documents", "1980", "--chars", "100", f"--out={tmp_path / 'made'}"]
    done = soak(*arguments)
    assert "not flat" in done.stderr or done.returncode == 0
    result = json.loads((tmp_path / "made" / "soak.json").read_text(encoding="utf-8"))
    command = "python -m benchmarks.soak --documents 1980 --chars 100 --out=made"
    assert result["machine"]["command"] == command


def test_a_short_stream_is_no_soak() -> None:
    """Fewer documents than make its points, or time for fewer than can be compared, are told in a sentence."""
    for arguments, told in (
        (["--documents", "10"], "--documents must be at least 1,980"),
        (["--documents", "1980", "--chars", "100", "--seconds", "0.01"], "stopped before there was anything"),
    ):
        done = soak(*arguments)
        assert done.returncode
        assert told in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["commits", "fairness"])
def test_no_time_is_told(name: str) -> None:
    """A benchmark without a second to run in says so and begins nothing."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--seconds", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2
    assert "--seconds must be above 0" in done.stderr


def test_a_result_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Where writing one is broken off, the file holds what it held, and nothing is left beside it."""
    path = tmp_path / "bulk.json"
    save(path, "old")
    with pytest.raises(UnicodeEncodeError):
        save(path, "n" * 100_000 + chr(0xD800))
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_batches_are_cut_as_the_oldest_python_cuts_them() -> None:
    """Python 3.12 runs the benchmarks too, and its `batched` takes no `strict`."""
    for path in (ROOT / "benchmarks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "batched":
                assert not node.keywords, f"{path.name}:{node.lineno}"


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a peer is not installed, the command says so in a sentence, and how to get it."""
    monkeypatch.setenv("BAZNASHR_EVAL_DATA", str(tmp_path))
    monkeypatch.setattr(ending, "as_by_ctrl_c", lambda: None)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--short", "--only", "sketching"])
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(SystemExit, match="sketching needs rensa, which is not installed"):
        main()


def test_the_list_of_grams_is_made_and_dropped() -> None:
    """What it takes to make the 8-grams of a text is measured without holding those of all texts at once."""
    pytest.importorskip("rensa", reason="the peers are not installed: uv sync --group bench")
    assert from_text(["متن آزمون " * 3])[GRAMS]() == [23]


def test_sketching_writes_its_results(tmp_path: Path) -> None:
    """A small run prints tables and bars and writes both files, with machine and versions and no absolute path."""
    pytest.importorskip("rensa", reason="the peers are not installed: uv sync --group bench")
    arguments = ["--only", "sketching", "--articles", "50", "--seconds", "0.2", "--out"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "sketching.json").read_text(encoding="utf-8"))
    assert result["machine"]["command"].startswith("python -m benchmarks --only sketching")
    assert "datasketch 2." in result["machine"]["packages"]
    assert len(result["bars"]) == 4
    errors = {row[0]: row[1] for row in result["tables"][-1]["rows"]}
    assert len(errors) == 4
    assert all(0.01 < error < 0.06 for error in errors.values()), errors
    written = (tmp_path / "sketching.md").read_text(encoding="utf-8")
    assert "datasketch" in done.stdout
    assert "| ours: canonical form" in written
    assert str(ROOT) not in written
    assert str(tmp_path) not in written
