"""The benchmark of whole archives: what it counts, what it scores, what it keeps."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bulk import records, sets
from benchmarks.bulk.processes import Failed, run
from benchmarks.report import markdown

CHILD = "import time; held = bytearray(60 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(0.6)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}]); sum(range(20_000_000))"


def archive(folder: Path, documents: int = 400) -> sets.Archive:
    """Return a small generated archive."""
    return sets.generated(folder / "a", documents, seed=3)


def test_children_count_in_memory_and_processor_time(tmp_path: Path) -> None:
    """The peak holds what a child took, the CPU time what the parent did after it, and the wall time covers both."""
    cost = run([sys.executable, "-c", PARENT], log=tmp_path / "log", cwd=tmp_path)
    assert cost.peak_mib > 60
    assert cost.cpu > 0.05
    assert cost.wall > 0.6


def test_a_failed_command_is_told(tmp_path: Path) -> None:
    """The last line of its output is in the error."""
    with pytest.raises(Failed, match="status 3: no luck"):
        run([sys.executable, "-c", "import sys; print('no luck'); sys.exit(3)"], log=tmp_path / "log", cwd=tmp_path)


def test_shards_hold_the_rows_once_in_order(tmp_path: Path) -> None:
    """The files of a folder of shards, put together, are the archive; their rows are where shard_rows says."""
    found = archive(tmp_path)
    files = sorted(found.shards(3).iterdir())
    assert b"".join(file.read_bytes() for file in files) == found.articles.read_bytes()
    assert [file.read_bytes().count(b"\n") for file in files] == [e - s for s, e in sets.shard_rows(found.rows, 3)]


def test_the_truth_scores_itself(tmp_path: Path) -> None:
    """Answers made from the truth find all copies and nothing else; no answers find nothing."""
    found = archive(tmp_path)
    rows = [json.loads(line) for line in found.articles.read_text(encoding="utf-8").splitlines()]
    place = {row["id"]: number for number, row in enumerate(rows)}
    copies = {number: place[row["of"]] for number, row in enumerate(rows) if row["of"]}
    assert sets.truth_scores(found, copies) == {"exact": 1, "edited": 1, "template": 0, "new": 0}
    assert sets.truth_scores(found, {}) == dict.fromkeys(("exact", "edited", "template", "new"), 0)


def test_a_later_run_replaces_its_own_records_alone(tmp_path: Path) -> None:
    """Records are told apart by archive, size and contender, survive a file, and make tables and bars."""
    scores = {"exact": 1.0, "edited": 0.9, "template": 0.0, "new": 0.0}
    measured = {"measured": "today", "commit": "abc", "load before": "0.1"}
    slow = records.Record(
        "generated", 10**6, 4000.0, "text-dedup", "0.4.1", "s", 2000.0, 3000.0, 9.0, 1, scores, measured
    )
    ours = replace(slow, contender="baznashr", wall=170.0, peak_mib=1800.0)
    path = tmp_path / "bulk.json"
    records.write(path, records.merged([], [slow, ours]))
    kept = records.merged(records.read(path), [replace(ours, wall=160.0)])
    assert [(one.contender, one.wall) for one in kept] == [("baznashr", 160.0), ("text-dedup", 2000.0)]
    report = records.report(kept)
    assert [bar.holds for bar in report.bars] == [True, True, True]
    assert "| text-dedup |" in markdown(report, measured)
