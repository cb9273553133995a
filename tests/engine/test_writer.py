"""The writer's thread: whatever fails beside the callers' changes, it goes on."""

import logging
from pathlib import Path
from random import Random

import apsw
import pytest

from baznashr.errors import ReadOnly
from baznashr.types import Document
from baznashr_server.engine import Engine, tables, upkeep
from baznashr_server.engine.changes import Change
from baznashr_server.engine.tables import Tables
from baznashr_server.store import snapshots
from tests.lifecycle.content import wait_until
from tests.support.texts import article


def _no_memory(*_: object) -> None:
    raise MemoryError


def _logged(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any(text in record.getMessage() for record in caplog.records)


def test_upkeep_that_fails_leaves_the_writer_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error nobody foresaw, in looking for what is due or in doing it, is logged; writes go on."""
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.01)
    with Engine.open(tmp_path / "data") as engine:
        with monkeypatch.context() as patched:
            patched.setattr(Tables, "upkeep", _no_memory)
            wait_until(lambda: _logged(caplog, "upkeep failed"))
            assert engine._writer.submit(Change(lambda _: "done")).result(10) == "done"
        monkeypatch.setattr(upkeep.Renewal, "due", lambda _: Change(_no_memory))
        caplog.clear()
        wait_until(lambda: _logged(caplog, "upkeep failed"))
        assert engine._writer.submit(Change(lambda _: "done")).result(10) == "done"
        assert engine.read_only_reason is None


def test_a_snapshot_that_fails_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong while one is written is logged, in the background and while closing; nothing is lost."""
    monkeypatch.setattr(tables, "MIN_SNAPSHOT_DOCUMENTS", 5)
    monkeypatch.setattr(snapshots, "write", _no_memory)
    rng = Random(3)
    with Engine.open(tmp_path / "data", snapshot_seconds=0.05) as engine:
        engine.ingest_batch([Document(f"{n}", article(rng)) for n in range(10)])
        wait_until(lambda: _logged(caplog, "no snapshot of the tables was written: MemoryError"))
    caplog.clear()
    with Engine.open(tmp_path / "data", snapshot_seconds=1e6) as engine:
        assert engine.corpus_stats().documents == 10
        assert len(engine._corpora["default"].index) == 10
    assert _logged(caplog, "no snapshot of the tables was written: MemoryError")


def test_a_deletion_that_fails_leaves_the_tables_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that were not in memory when it began hold the document that is stored still."""

    def fail() -> None:
        raise apsw.FullError("database or disk is full")

    text = article(Random(4))
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("a", text))
        engine._corpora["default"].unload()
        monkeypatch.setattr(engine._store, "commit", fail)
        with pytest.raises(ReadOnly):
            engine.delete("a")
        assert engine.check(text).canonical_id == "a"
