"""The benchmark of whole archives: what it counts, what it scores, what it keeps."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bulk import contenders, environments, records, sets
from benchmarks.bulk.__main__ import archives, measure, parse
from benchmarks.bulk.__main__ import run as run_bulk
from benchmarks.bulk.contenders import Contender
from benchmarks.bulk.processes import Cost, Failed, run
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
    files[0].unlink()
    assert len([*found.shards(3).iterdir()]) == 3, "shards of a run that was broken off are made anew"


class Remembering(Contender):
    """A contender that finds nothing, and remembers on how many articles it ran and in what folder."""

    name, settings = "remembering", "none"

    def __init__(self) -> None:
        self.runs: list[tuple[int, int, list[Path]]] = []

    def run(self, archive: sets.Archive, folder: Path) -> Cost:
        lines = archive.articles.read_bytes().count(b"\n")
        self.runs.append((archive.rows, lines, list(folder.iterdir())))
        (folder / "left").touch()
        return Cost(1.0, 1.0, 1.0)

    def copies(self, archive: sets.Archive, folder: Path) -> sets.Copies:
        del archive, folder
        return {}

    def ready(self) -> None:
        pass

    def version(self) -> str:
        return "1"


def test_every_contender_warms_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each runs over the first articles before it is timed, and what that leaves is gone."""
    monkeypatch.setattr(contenders, "WARMING", 30)
    contender = Remembering()
    found = list(measure(archive(tmp_path, 50), [contender], parse(["--rounds", "2"]), []))
    assert contender.runs == [(30, 30, []), (50, 50, []), (50, 50, [])]
    assert [one.rounds for one in found] == [1, 2]


class Ending(Remembering):
    """A contender whose run ends with an error."""

    name = "ending"

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def run(self, archive: sets.Archive, folder: Path) -> Cost:
        del archive, folder
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [(Failed("status 1"), "ending on generated 50, ending on generated 60"), (SystemExit("to end"), "to end")],
)
def test_what_was_measured_stays_whatever_follows(
    error: BaseException, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows measured before another contender fails, or the run is told to end, are kept, and the command fails."""
    monkeypatch.setattr("benchmarks.bulk.__main__.CONTENDERS", (Remembering(), Ending(error)))
    with pytest.raises(SystemExit, match=told):
        run_bulk(parse(["--no-real", "--sizes", "50,60", "--out", str(tmp_path / "out")]), tmp_path)
    kept = records.read(tmp_path / "out" / "bulk.json")
    assert [(one.contender, one.articles) for one in kept][:1] == [("remembering", 50)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bulk.json", "bulk.md", "bulk.svg"]


def test_a_kept_archive_is_that_of_its_seed(tmp_path: Path) -> None:
    """In a folder that is kept, another seed makes articles of its own; it may be named from where one is."""
    texts = []
    for seed in ("1", "2", "1"):
        (found,) = archives(parse(["--no-real", "--sizes", "20", "--seed", seed]), tmp_path)
        texts.append(found.articles.read_bytes())
    assert texts[0] == texts[2] != texts[1]
    assert parse(["--work", "kept"]).work == Path.cwd() / "kept"


def test_nothing_is_written_where_nobody_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no contender can be had, the results stay as they are and the command fails."""
    monkeypatch.setenv("BAZNASHR_PEERS", str(tmp_path / "peers"))
    monkeypatch.setattr(environments, "ROOT", tmp_path)  # where there is no uv
    with pytest.raises(SystemExit, match="nobody is left"):
        run_bulk(parse(["--only", "datasketch", "--no-real", "--out", str(tmp_path / "out")]), tmp_path)
    assert not list((tmp_path / "out").iterdir())


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
