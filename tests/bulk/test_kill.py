"""Runs that are killed or interrupted and go on: real processes, and outputs equal byte for byte."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from baznashr.errors import StoreError
from baznashr.types import Document
from baznashr_server.bulk import judging, opening, spill
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.progress import Quiet
from baznashr_server.bulk.run import Run
from baznashr_server.engine import Engine
from baznashr_server.profile import PROFILES
from baznashr_server.store.folder import DATABASE
from baznashr_server.store.reading import Moment
from tests.bulk.conftest import rows, write_lines

Bulk = Callable[..., Result]
JULY = datetime(2024, 7, 1, tzinfo=UTC)
OUTPUTS = (
    "judgements.parquet", "clusters.parquet", "edges.parquet", "kept.jsonl", "duplicates.csv", "rejects.jsonl",
    "remove/ids.txt", "remove/datatrove/000000.remove", "remove/text-dedup/clusters.pickle",
)  # fmt: skip


def start(source: Path, out: Path, data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "baznashr_server", "bulk", source, "--out", out, "--build", data]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def has_begun(process: subprocess.Popen[bytes], out: Path) -> bool:
    """Wait until there is something to lose, or the run is done; return whether it still runs."""
    while process.poll() is None and not (out / "work" / "read.json").exists():
        time.sleep(0.01)
    return process.poll() is None


@pytest.mark.crash
@pytest.mark.timeout(1800)
def test_a_run_killed_again_and_again_gives_the_same_bytes(bulk: Bulk, tmp_path: Path, long: bool, seed: int) -> None:
    """Killed with SIGKILL once, in the long form ten times, while reading, judging and writing."""
    rng = Random(seed)
    source = write_lines(tmp_path / "in.jsonl", rows(seed, 30_000 if long else 700))
    began = time.monotonic()
    assert bulk(source, "--build", tmp_path / "whole-data", out="whole").exit_code == 0
    whole = time.monotonic() - began
    kills = done = 0
    while done < (10 if long else 1) and kills < 100:
        process = start(source, tmp_path / "out", tmp_path / "data")
        if kills % 5 == 4 or has_begun(process, tmp_path / "out"):
            time.sleep(rng.uniform(0, whole / (25 if long else 2)))
        process.kill()
        _, errors = process.communicate()
        assert process.returncode in {-signal.SIGKILL, 0}, errors.decode()
        kills += 1
        done += process.returncode != 0
        if process.returncode == 0:
            break
    else:
        assert bulk(source, "--build", tmp_path / "data").exit_code == 0
    print(f"killed {done} times")
    assert done
    for name in OUTPUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (tmp_path / "out" / "work").exists()


def test_a_run_stopped_at_every_batch_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after each batch in turn, so that most of a segment is answered again by the store."""
    monkeypatch.setattr(judging, "SEGMENT", 512)
    source = write_lines(tmp_path / "in.jsonl", rows("stopped", 1400))
    run = partial(Run, progress=Quiet(), say=lambda _: None)
    run(Options(inputs=(str(source),), out=tmp_path / "whole"))()
    monkeypatch.setattr(spill, "MOST_CHARACTERS", 60_000)  # batches then end in other places, but for a segment's end
    options = Options(inputs=(str(source),), out=tmp_path / "out")
    asked = count()
    with pytest.raises(judging.Interrupted):
        run(options, is_stopping=lambda: next(asked) == 3)()
    for _ in range(4):
        with pytest.raises(judging.Interrupted):
            run(options, is_stopping=(options.out / "work" / "read.json").exists)()
    run(options)()
    for name in OUTPUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("what", ["none", "another", "older"])
def test_a_run_goes_on_with_its_own_store_alone(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder to build is gone or was replaced, that is said; with it back in its place the run goes on."""
    monkeypatch.setattr(judging, "SEGMENT", 128)
    source = write_lines(tmp_path / "in.jsonl", rows("own store", 400))
    data, aside = tmp_path / "data", tmp_path / "aside"
    options = Options((str(source),), tmp_path / "out", build=data, report=False)
    run = partial(Run, options, Quiet(), lambda _: None)
    read = options.out / "work" / "read.json"
    with pytest.raises(judging.Interrupted):
        run(read.exists)()
    if what == "older":
        shutil.copytree(data, aside)
        with pytest.raises(judging.Interrupted):
            run(read.exists)()
    data.rename(tmp_path / "own")
    if what == "older":
        aside.rename(data)
    elif what != "none":
        with Engine.open(data) as engine:
            engine.ingest_batch([Document(f"d{n}", f"خبر {n} بازار تهران") for n in range(9)])
    with pytest.raises(StoreError, match="not there any more" if what == "none" else "is another, or an older one"):
        run()()
    shutil.rmtree(data, ignore_errors=True)
    (tmp_path / "own").rename(data)
    run()()
    with Engine.open(data) as engine:
        assert engine.corpus_stats().documents == 400


def test_a_corpus_with_a_window_is_judged_against_as_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its upkeep would delete stays until all is judged, and a run that goes on gives the same bytes."""
    monkeypatch.setattr(judging, "SEGMENT", 512)
    archive = rows("window", 600)
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news", window_days=30)
        new = [Document(f"s{n}", row["text"], published_at=JULY) for n, row in enumerate(archive[:100])]
        engine.ingest_batch(new, "news")
    source = write_lines(tmp_path / "in.jsonl", archive)
    run = partial(Run, progress=Quiet(), say=lambda _: None)

    def options(name: str) -> Options:
        folders = {"out": tmp_path / name, "build": tmp_path / f"{name}-data"}
        return Options((str(source),), **folders, against=tmp_path / "data", corpus="news", report=False)

    assert run(options("whole"))()["counts"]["verdicts"]["EXACT"] >= 100
    for batches in (0, 2):
        asked = count()
        read = tmp_path / "out" / "work" / "read.json"
        with pytest.raises(judging.Interrupted):
            run(options("out"), is_stopping=lambda: read.exists() and next(asked) == batches)()  # noqa: B023
    run(options("out"))()
    for name in OUTPUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert Moment(tmp_path / "out-data" / DATABASE, *PROFILES).count(2) == 700
    with Engine.open(tmp_path / "out-data") as engine:
        assert engine.get_corpus("news").window_days == 30


def test_a_built_store_has_its_window_wherever_the_run_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all was judged, and the store was not left yet."""
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news", window_days=30)
    source = write_lines(tmp_path / "in.jsonl", rows("left", 60))
    folders = {"out": tmp_path / "out", "build": tmp_path / "built", "against": tmp_path / "data"}
    options = Options((str(source),), **folders, corpus="news", report=False)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    run = partial(Run, options, Quiet(), lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(opening, "leave", killed)
        with pytest.raises(KeyboardInterrupt):
            run()()
    run()()
    with Engine.open(tmp_path / "built") as engine:
        assert engine.get_corpus("news").window_days == 30
        assert engine.corpus_stats("news").documents > 0


@pytest.mark.crash
def test_an_interrupted_run_says_how_to_go_on(bulk: Bulk, tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and a sentence; the same command finishes, another one is refused."""
    source = write_lines(tmp_path / "in.jsonl", rows("interrupted", 700))
    process = start(source, tmp_path / "out", tmp_path / "data")
    assert has_begun(process, tmp_path / "out")
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors.decode()
    assert "the same command goes on from here" in errors.decode()
    other = bulk(source, "--build", tmp_path / "elsewhere")
    assert other.exit_code == 1
    assert "differs in: build" in other.output
    assert bulk(source, "--build", tmp_path / "data").exit_code == 0
    assert pq.read_metadata(tmp_path / "out" / "judgements.parquet").num_rows == 700


@pytest.mark.crash
@pytest.mark.parametrize("moment", [0.3, "input"])
def test_an_interruption_before_the_run_is_quiet(tmp_path: Path, moment: float | str) -> None:
    """Ctrl-C to all processes, while they load or standard input is awaited, ends with 130 and a sentence."""
    command = [sys.executable, "-m", "baznashr_server", "bulk", "-", "--out", tmp_path / "out"]
    pipes = dict.fromkeys(("stdin", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, **pipes) as process:
        if isinstance(moment, float):
            time.sleep(moment)
        else:
            while not (tmp_path / "out" / "work" / "stdin.partial").exists():
                time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=10) == 130
        errors = process.stderr.read().decode()
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_standard_input_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """As a file that is open to be written, by a sentence and code 1; nothing is left."""
    unread = os.open(tmp_path / "unread", os.O_WRONLY | os.O_CREAT)
    command = [sys.executable, "-m", "baznashr_server", "bulk", "-", "--out", tmp_path / "out"]
    done = subprocess.run(command, stdin=unread, capture_output=True, check=False, timeout=60)
    os.close(unread)
    assert done.returncode == 1
    assert done.stderr.decode() == "baznashr-server: Bad file descriptor\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.crash
def test_the_death_of_the_judging_process_is_told_and_costs_nothing(bulk: Bulk, tmp_path: Path) -> None:
    """Killed while it judges, it ends the run with code 1 and a sentence; the same command then finishes."""
    source = write_lines(tmp_path / "in.jsonl", rows("orphaned", 1900))
    assert bulk(source, out="whole").exit_code == 0
    command = [sys.executable, "-m", "baznashr_server", "bulk", source, "--out", tmp_path / "out", "--no-report"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert has_begun(process, tmp_path / "out")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors.decode()
    assert "The process that judges ended" in errors.decode()
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    for name in OUTPUTS:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.crash
def test_no_process_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    """The process that judges ends with the one that started it."""
    source = write_lines(tmp_path / "in.jsonl", rows("outlived", 700))
    process = start(source, tmp_path / "out", tmp_path / "data")
    assert has_begun(process, tmp_path / "out")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while any(Path("/proc", child).exists() and _runs(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(process: str) -> bool:
    try:
        return Path("/proc", process, "stat").read_text("utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False
