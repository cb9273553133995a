"""Tables come from a trusted snapshot or from the store, and are the same either way."""

import json
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from baznashr.errors import StoreDamaged
from baznashr.types import Document
from baznashr_server.engine import Engine, tables
from baznashr_server.engine.corpora import Corpora
from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.rpc.memory import held_bytes
from baznashr_server.store import snapshots
from tests.lifecycle.content import LONG_AGO, documents, ingest, live, wait_until
from tests.support.texts import article

COUNT = 400


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of fifty documents are worth a snapshot here."""
    monkeypatch.setattr(tables, "MIN_SNAPSHOT_DOCUMENTS", 50)


@pytest.fixture(scope="module")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder closed in good order, with its snapshot."""
    patched = pytest.MonkeyPatch()
    patched.setattr(tables, "MIN_SNAPSHOT_DOCUMENTS", 50)
    path = tmp_path_factory.mktemp("filled") / "data"
    with Engine.open(path) as engine:
        ingest(engine, documents(Random("tables"), COUNT))
        assert engine.delete("d8")
    patched.undo()
    return path


@pytest.fixture
def folder(_filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(_filled, tmp_path / "data"))


@pytest.fixture
def read_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the documents that are read to fill tables."""
    rows: list[int] = []
    enter = CorpusIndex._enter

    def noting(self: CorpusIndex, entries: Sequence[Entry], states: Sequence[int], *, are_fresh: bool) -> None:
        rows.extend(entry.row for entry in entries)
        enter(self, entries, states, are_fresh=are_fresh)

    monkeypatch.setattr(CorpusIndex, "_enter", noting)
    return rows


def open_index(folder: Path) -> tuple[CorpusIndex, set[tuple[int, str]]]:
    """Open, note what the tables hold, and close."""
    with Engine.open(folder, snapshot_seconds=LONG_AGO) as engine:
        index = engine._corpora["default"].index
        return index, live(index)


def snapshot_of(folder: Path) -> Path:
    """Return the one snapshot of a folder."""
    (path,) = (folder / "tables").iterdir()
    return path


def test_tables_from_a_snapshot_equal_those_built_anew(folder: Path, read_rows: list[int]) -> None:
    """Every array is the same in content: rows, digests, postings under every key; and no document is read."""
    loaded, held = open_index(folder)
    assert read_rows == []
    snapshot_of(folder).unlink()
    rebuilt, expected = open_index(folder)
    assert len(read_rows) == len(expected) > COUNT / 2
    assert held == expected
    for name in ("_bands", "_passages", "_digests"):
        assert getattr(loaded, name).entries == getattr(rebuilt, name).entries


def test_answers_do_not_depend_on_the_snapshot(folder: Path) -> None:
    """The same texts get the same judgements with and without it."""
    asked = documents(Random("tables"), COUNT)[::7]
    answers = []
    for _ in range(2):
        with Engine.open(folder) as engine:
            answers.append([engine.check(document.text) for document in asked])
        shutil.rmtree(folder / "tables")
    assert answers[0] == answers[1]


def test_any_flipped_byte_is_noticed(folder: Path, read_rows: list[int], caplog: pytest.LogCaptureFixture) -> None:
    """A snapshot with one byte changed, anywhere, or cut short, is not used; the log says so, the tables are whole."""
    expected = open_index(folder)[1]
    path = snapshot_of(folder)
    whole = path.read_bytes()
    rng = Random("flips")
    for place in [0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(6))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        check_rebuilt(folder, expected, read_rows, caplog)
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        check_rebuilt(folder, expected, read_rows, caplog)


def check_rebuilt(
    folder: Path, expected: set[tuple[int, str]], read_rows: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """The tables come from the documents, with a line in the log."""
    read_rows.clear()
    caplog.clear()
    assert open_index(folder)[1] == expected
    assert len(read_rows) == len(expected)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "built anew" in caplog.text


def test_documents_since_the_snapshot_are_added(folder: Path, read_rows: list[int]) -> None:
    """Only what is newer than the snapshot is read from the store."""
    old = snapshot_of(folder).read_bytes()
    more = documents(Random("more"), 30, "e")
    with Engine.open(folder) as engine:
        ingest(engine, more)
        newest = live(engine._corpora["default"].index)
    snapshot_of(folder).write_bytes(old)
    read_rows.clear()
    assert open_index(folder)[1] == newest
    assert 20 < len(read_rows) <= 30


@pytest.mark.parametrize("change", ["delete", "replace", "override"])
def test_a_change_of_older_documents_makes_a_snapshot_worthless(
    folder: Path, read_rows: list[int], change: str
) -> None:
    """After a deletion, a replacement or a move in the tables an older snapshot is not used."""
    old = snapshot_of(folder).read_bytes()
    with Engine.open(folder) as engine:
        if change == "delete":
            assert engine.delete("d12")
        elif change == "replace":
            engine.ingest(
                Document(id="d12", text="متنی دیگر که جای پیشین را می‌گیرد و چیزی با آن مشترک ندارد"), replace=True
            )
        else:
            from baznashr.types import Override, OverrideKind

            engine.override(Override("d4", OverrideKind.NOT_REPEAT))
        newest = live(engine._corpora["default"].index)
    snapshot_of(folder).write_bytes(old)
    read_rows.clear()
    assert open_index(folder)[1] == newest
    assert len(read_rows) == len(newest)


@pytest.mark.parametrize("changed", [{"profile": {"name": "fa-2"}}, {"format": 99}, {"corpus": 7}, {"digest": "00"}])
def test_a_foreign_snapshot_is_not_used(folder: Path, read_rows: list[int], changed: dict[str, object]) -> None:
    """A sound file of another profile, format, corpus or store is left aside."""
    path = snapshot_of(folder)
    header, arrays = snapshots.read(path)
    expected = open_index(folder)[1]
    read_rows.clear()
    format_before = snapshots.FORMAT
    snapshots.FORMAT = int(str(changed.get("format", format_before)))
    snapshots.write(path, {**header, **changed}, arrays)
    snapshots.FORMAT = format_before
    assert open_index(folder)[1] == expected
    assert len(read_rows) == len(expected)


def test_snapshots_are_taken_while_serving(tmp_path: Path) -> None:
    """By interval, in the background; and not again while nothing changes."""
    content = documents(Random("interval"), 120)
    with Engine.open(tmp_path / "data", snapshot_seconds=0.05) as engine:
        path = tmp_path / "data" / "tables" / "1.tables"
        ingest(engine, content[:100])
        wait_until(path.exists)
        assert json.loads(path.read_bytes().split(b"\n")[0])["corpus"] == 1
        held = live(CorpusIndex.restored(snapshots.read(path)[1]))
        assert held == live(engine._corpora["default"].index)
        written = path.stat().st_mtime_ns
        ingest(engine, content[100:])
        wait_until(lambda: path.stat().st_mtime_ns > written)
        engine.check(content[0].text)
    assert open_index(tmp_path / "data")[1]


def test_a_busy_corpus_gets_its_snapshots_beside_a_quiet_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one whose snapshot is the oldest comes first, however lately another was used."""
    monkeypatch.setattr(tables, "LEAST_REST", 0)
    content = documents(Random("busy"), 400)
    with Engine.open(tmp_path / "data", snapshot_seconds=0.05) as engine:
        for name in ("busy", "quiet"):
            engine.create_corpus(name)
            ingest(engine, content[:60], name)
        taken: dict[str, set[float]] = {"busy": set(), "quiet": set()}

        def both_are_renewed() -> bool:
            number = len(taken["busy"]) + len(taken["quiet"])
            for name in ("quiet", "busy", "busy"):
                engine.ingest(Document(f"{time.monotonic()}", article(Random(number), 30)), name)
            for name, times in taken.items():
                times.add(engine._tables.snapshot_time(engine._corpora[name]))
            return all(len(times) > 4 for times in taken.values())

        wait_until(both_are_renewed)


def test_a_half_written_snapshot_is_swept_away(folder: Path) -> None:
    """What a killed process left beside the snapshot, or of a corpus that is gone, is removed at the next start."""
    for name in ("1.tmp", "77.tables"):
        (folder / "tables" / name).write_bytes(b"half")
    open_index(folder)
    assert snapshot_of(folder).name == "1.tables"


def test_an_empty_database_beside_a_snapshot_is_damage(folder: Path) -> None:
    """It is not taken for one of a new store: a snapshot is of documents, which are gone."""
    (folder / "baznashr.sqlite3").write_bytes(b"")
    with pytest.raises(StoreDamaged, match="is empty"):
        Engine.open(folder)
    assert (folder / "baznashr.sqlite3").read_bytes() == b""


def test_a_dropped_corpus_takes_its_snapshot_along(folder: Path) -> None:
    """Nothing derived stays of a corpus that was deleted."""
    with Engine.open(folder) as engine:
        engine.delete_corpus("default")
        wait_until(lambda: not list((folder / "tables").iterdir()))


def test_many_corpora_share_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty corpora in use only as many as the limit says keep their tables; all answer as before."""
    monkeypatch.setattr(tables, "MAX_LOADED_CORPORA", 6)
    content = documents(Random("corpora"), 40)
    with Engine.open(tmp_path / "data") as engine:
        for i, document in enumerate(content):
            engine.create_corpus(f"c{i}")
            engine.ingest(document, f"c{i}")

        def loaded() -> int:
            return sum(corpus.tables is not None and len(corpus.tables) > 0 for corpus in engine._corpora)

        wait_until(lambda: loaded() <= 6)
        for i, document in enumerate(content):
            assert engine.check(document.text, f"c{i}").verdict.value == "EXACT"
            assert engine.check(document.text, "default").verdict.value == "NEW"
        wait_until(lambda: loaded() <= 6)
        assert sum(size["documents"] for size in engine.sizes().values()) == 40


def test_a_thousand_empty_corpora_are_cheap(tmp_path: Path) -> None:
    """Of the process's memory, and of its tables, an empty corpus takes less than 64 KiB, once it was asked too."""
    with Engine.open(tmp_path / "data") as engine:
        engine.check("متن کوتاه برای آزمون")
        before = held_bytes()
        for i in range(1000):
            engine.create_corpus(f"c{i}")
        assert isinstance(engine._corpora, Corpora)
        for i in range(1000):
            assert engine.check("متن کوتاه برای آزمون", f"c{i}").verdict.value == "NEW"
        assert max(size["memory_bytes"] for size in engine.sizes().values()) <= 64 << 10
        assert held_bytes() - before < 1000 * 64 << 10
