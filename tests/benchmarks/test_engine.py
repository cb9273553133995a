"""The benchmarks of stages, memory and engine, at the smallest size."""

import json
from pathlib import Path

import pytest

from baznashr_server.engine import Engine
from benchmarks.corpus import ArticleModel
from benchmarks.engine import DictLoop, Feed, Rate, Stopwatch, in_batches, pipelined, preload, times_as_fast
from benchmarks.measure import in_turn
from benchmarks.memory import DATASKETCH, in_own_process
from benchmarks.report import Options, write
from benchmarks.stages import run


@pytest.fixture
def feed() -> Feed:
    """Return documents of the model."""
    return Feed(ArticleModel(seed=3, sigma=0))


def test_stages_are_timed(tmp_path: Path) -> None:
    """Every stage has a time above zero, and the result can be written."""
    report = run(Options(articles=4, documents=50, seconds=0.05, seed=3))
    for table in report.tables:
        assert table.rows
        assert all(cell > 0 for row in table.rows for cell in row[1:] if not isinstance(cell, str))
    write(report, {}, tmp_path)
    assert json.loads((tmp_path / "stages.json").read_text(encoding="utf-8"))["name"] == "stages"


def test_preload_fills_engine_and_peer(tmp_path: Path, feed: Feed) -> None:
    """Both hold the same documents afterwards, and each stretch of the curve has a pace."""
    loop = DictLoop()
    with Engine.open(tmp_path / "data") as engine:
        table = preload(engine, loop, feed, 60)
        assert engine.corpus_stats().documents == 60
    assert len(loop._lsh.keys) == 60
    assert [row[0] for row in table.rows] == ["0 to 15", "15 to 30", "30 to 45", "45 to 60"]


def test_all_ways_store_every_document(tmp_path: Path, feed: Feed) -> None:
    """Batches of any size, waiting or in flight, store and judge each document once."""
    watch, rate = Stopwatch(), Rate()
    with Engine.open(tmp_path / "data", observer=watch) as engine:
        for work in (in_batches(engine, 1), in_batches(engine, 7), pipelined(engine, 4)):
            rate.time(work, feed.take(15))
        assert engine.corpus_stats().documents == rate.documents == 45
    assert sum(watch.verdicts.values()) == 45
    assert rate.wall > 0
    assert watch.seconds["fingerprint"] > 0


def test_contenders_take_turns() -> None:
    """Every other round goes the other way, and a ratio compares what ran in one round."""
    assert [in_turn("ABC", number) for number in range(3)] == [["A", "B", "C"], ["C", "B", "A"], ["A", "B", "C"]]
    quick, slow = ([Rate(documents, 1.0) for documents in some] for some in ((20, 300, 400), (10, 100, 400)))
    assert times_as_fast(quick, slow) == 2  # where the medians are 3 times apart


def test_memory_is_measured_in_its_own_process() -> None:
    """The dict of datasketch takes kilobytes a document, as the growth of a process shows."""
    found = in_own_process(DATASKETCH, 1500, 3)
    assert 2000 < found["resident"] / 1500 < 20_000
    assert found["peak"] > 0
