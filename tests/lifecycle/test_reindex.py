"""Derived columns are made anew from the texts, in pieces that survive an interruption."""

import os
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from baznashr.errors import DataFolderInUse, InvalidArgument, TextNotKept
from baznashr_server.engine import Engine
from baznashr_server.engine import reindex as module
from baznashr_server.engine.reindex import reindex
from baznashr_server.engine.verify import verify
from baznashr_server.store.schema import connect
from tests.lifecycle.content import documents, ingest

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed folder whose signatures are all wrong."""
    with Engine.open(tmp_path / "data") as engine:
        ingest(engine, documents(Random("reindex"), COUNT))
    with closing(connect(tmp_path / "data" / "baznashr.sqlite3", writable=True)) as connection:
        connection.execute("UPDATE documents SET signature=zeroblob(512), passages=x''")
    return tmp_path / "data"


def test_everything_derived_is_made_anew(folder: Path) -> None:
    """Afterwards the folder is sound, and a second run changes nothing."""
    assert not verify(folder).is_sound
    assert reindex(folder, "fa-1") == (COUNT, COUNT)
    assert verify(folder).faults == []
    assert reindex(folder, "fa-1") == (COUNT, 0)


def test_an_interrupted_run_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two batches, the next run does only what is left."""
    monkeypatch.setattr(module, "BATCH", 8)

    def stop(_: str, done: int, __: int) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reindex(folder, "fa-1", progress=stop)
    done: list[int] = []
    assert reindex(folder, "fa-1", progress=lambda _, n, __: done.append(n)) == (COUNT, COUNT - 16)
    assert done == [24, 32, 40]
    assert verify(folder).faults == []


def test_what_cannot_be_done_is_refused(folder: Path) -> None:
    """An unknown profile, texts that were not kept, and a folder in use are refused, with names and numbers."""
    with pytest.raises(InvalidArgument, match="'fa-2'; this release knows fa-1"):
        reindex(folder, "fa-2")
    with Engine.open(folder) as engine:
        with pytest.raises(DataFolderInUse, match=str(os.getpid())):
            reindex(folder, "fa-1")
        engine.create_corpus("plain", keep_text=False)
        ingest(engine, documents(Random("plain"), 3), "plain")
    with pytest.raises(TextNotKept, match=r"^TEXT_NOT_KEPT: 3 documents"):
        reindex(folder, "fa-1")
