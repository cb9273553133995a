"""Stores written by each released version are opened by this one, with all they hold."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from baznashr.errors import FormatMismatch
from baznashr.types import Document, IndexPolicy, OverrideKind, Verdict
from baznashr_server.bulk.transfer import export_corpus
from baznashr_server.engine import Engine
from baznashr_server.engine.verify import verify
from baznashr_server.profile import PROFILES
from baznashr_server.store.backup import restore_database
from baznashr_server.store.schema import FORMAT, connect

DATA = Path(__file__).parent.parent / "data"
STORES = sorted(DATA.glob("store-v*"))


@pytest.fixture(params=STORES, ids=[path.name for path in STORES])
def store(request: pytest.FixtureRequest) -> Path:
    """The folder of a store that some release wrote."""
    path: Path = request.param
    return path


@pytest.fixture
def folder(store: Path, tmp_path: Path) -> Path:
    """A data folder restored from it."""
    restore_database(store / "store.sqlite3", tmp_path / "data", PROFILES)
    return tmp_path / "data"


def records(path: Path) -> list[dict[str, Any]]:
    """Read a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_format_has_its_store() -> None:
    """There is one fixture for each format up to the one this release writes."""
    assert [path.name for path in STORES] == [f"store-v{n}" for n in range(1, FORMAT + 1)]


def test_an_old_store_holds_what_it_held(store: Path, folder: Path, tmp_path: Path) -> None:
    """It is sound, and each corpus exports as it did when it was written."""
    assert verify(folder).faults == []
    corpora = sorted(path.stem for path in store.glob("*.jsonl"))
    assert corpora == ["default", "textless", "windowed"]
    for corpus in corpora:
        export_corpus(folder, corpus, tmp_path / f"{corpus}.jsonl")
        assert records(tmp_path / f"{corpus}.jsonl") == records(store / f"{corpus}.jsonl")


def test_an_old_store_goes_on(store: Path, folder: Path) -> None:
    """Its settings, overrides and tables are there: copies are found, retries replayed, new documents taken."""
    with Engine.open(folder) as engine:
        assert engine.get_corpus("windowed").window_days == 2
        assert engine.get_corpus("windowed").policy.index_policy is IndexPolicy.ORIGINALS
        assert not engine.get_corpus("textless").keep_text
        assert [override.kind for override in engine.list_overrides()] == [OverrideKind.NOT_REPEAT]
        held = records(store / "default.jsonl")
        assert engine.corpus_stats().documents == len(held) > 20
        for record in held:
            assert engine.check(record["text"]).verdict is Verdict.EXACT
            again = engine.ingest(Document(id=record["id"], text=record["text"]))
            assert (again.replayed, again.verdict.value) == (True, record["verdict"])
            assert engine.list_cluster(record["id"]).canonical_id
        assert engine.ingest(Document(id="new", text="خبری که در آن انبار نبود و اکنون به آن افزوده می‌شود")).stored
    assert verify(folder).faults == []


def test_a_later_store_is_refused_with_what_to_do(folder: Path) -> None:
    """A store of a format to come is refused by everything that opens one, and left as it is."""
    with closing(connect(folder / "baznashr.sqlite3", writable=True)) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    before = (folder / "baznashr.sqlite3").read_bytes()
    with pytest.raises(FormatMismatch, match="open it with the release that wrote it, or restore a backup"):
        Engine.open(folder)
    with pytest.raises(FormatMismatch, match="release that wrote it"):
        export_corpus(folder, "default", folder.parent / "out.jsonl")
    with pytest.raises(FormatMismatch, match="release that wrote it"):
        verify(folder, repair=True)
    assert (folder / "baznashr.sqlite3").read_bytes() == before
