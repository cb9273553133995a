"""The same run in one process and in two: real processes against runs in this one, whose kernels are loaded."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from baznashr.types import Document, Judgement, Verdict
from baznashr_server.bulk.judging_process import warm_up
from baznashr_server.engine import Engine
from tests.bulk.conftest import rows, write_lines
from tests.bulk.test_kill import OUTPUTS

Bulk = Callable[..., Result]


def apart(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "baznashr_server", "bulk", *map(str, words), "--no-report", "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_two_processes_give_the_bytes_of_one(bulk: Bulk, tmp_path: Path) -> None:
    """Against a store that has some of the ids, one with another text, in more batches than are under way at once."""
    made = rows("apart", 1900)
    before = write_lines(tmp_path / "before.jsonl", made[:300])
    after = [{**row, "text": row["text"] + " دیگر نیست"} if number == 7 else row for number, row in enumerate(made)]
    source = write_lines(tmp_path / "in.jsonl", after)
    assert bulk(before, "--build", tmp_path / "data", out="first").exit_code == 0
    assert bulk(source, "--against", tmp_path / "data").exit_code == 3
    done = apart(source, "--against", tmp_path / "data", "--out", tmp_path / "apart")
    assert done.returncode == 3, done.stderr
    assert '"DOCUMENT_ID_REUSED"' in (tmp_path / "apart" / "rejects.jsonl").read_text("utf-8")
    for name in OUTPUTS:
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_what_the_other_process_cannot_do_is_told_as_here(bulk: Bulk, tmp_path: Path) -> None:
    """A corpus that is missing and a folder that is not empty end both runs with the same sentence and code 1."""
    source = write_lines(tmp_path / "in.jsonl", rows("refused", 20))
    assert bulk(source, "--build", tmp_path / "data", out="first").exit_code == 0
    for number, words in enumerate((("--against", tmp_path / "data", "--corpus", "none"), ("--build", tmp_path))):
        here = bulk(source, *words, out=f"here{number}")
        there = apart(source, *words, "--out", tmp_path / f"there{number}")
        assert (here.exit_code, there.returncode) == (1, 1), there.stderr
        assert there.stderr == here.stderr


def test_what_is_killed_while_it_warms_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store of the words it judges has no name any more while they are judged, and all are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ingest, found = Engine.ingest, []

    def noted(engine: Engine, document: Document) -> Judgement:
        judgement = ingest(engine, document)
        found.append((judgement.verdict, list(tmp_path.iterdir())))
        return judgement

    monkeypatch.setattr(Engine, "ingest", noted)
    warm_up()
    assert [left for _, left in found] == [[]] * 5
    assert {verdict for verdict, _ in found} >= {Verdict.NEW, Verdict.EXACT}
