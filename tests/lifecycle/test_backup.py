"""A backup is one moment of the store, and a restored one is that moment; nothing half is ever left."""

import os
import resource
import shutil
import threading
import time
from pathlib import Path
from random import Random

import pytest

from baznashr.errors import DataFolderInUse, FormatMismatch, StoreDamaged, StoreError
from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.verify import verify
from baznashr_server.profile import PROFILES
from baznashr_server.store import backup as module
from baznashr_server.store.backup import backup_folder, restore_database
from baznashr_server.store.schema import connect
from tests.lifecycle.content import documents, ingest
from tests.support.texts import article


def restore(file: Path, target: Path) -> None:
    """Restore under the profile at hand."""
    restore_database(file, target, PROFILES)


def test_the_drill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backed up under load and restored elsewhere, the store is a prefix of what was acknowledged, digests and all."""
    monkeypatch.setattr(module, "PAGES_A_STEP", 4)
    rng = Random("drill")
    acknowledged: list[tuple[str, str]] = []
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(rng, 500))
        first = engine.corpus_stats().documents
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                judgement = engine.ingest(Document(id=f"n{len(acknowledged)}", text=article(rng, 30)))
                acknowledged.append((judgement.document_id, judgement.digest))

        thread = threading.Thread(target=load)
        thread.start()
        steps: list[int] = []

        def slowly(done: int, _: int) -> None:
            steps.append(done)
            until = time.monotonic() + 60
            while len(acknowledged) - before <= 20 and time.monotonic() < until:
                time.sleep(0.01)

        while len(acknowledged) < 20:
            time.sleep(0.01)
        before = len(acknowledged)
        size = engine.backup(tmp_path / "backup.sqlite3", slowly)
        after = len(acknowledged)
        stop.set()
        thread.join()
    assert after - before > 20, "the load stood still"
    assert steps == sorted(steps), "the copy began anew"
    assert size == (tmp_path / "backup.sqlite3").stat().st_size
    restore(tmp_path / "backup.sqlite3", tmp_path / "elsewhere")
    assert verify(tmp_path / "elsewhere").faults == []
    with Engine.open(tmp_path / "elsewhere") as engine:
        held = engine.corpus_stats().documents - first
        assert before <= held <= after
        assert [engine.get(i).judgement.digest for i, _ in acknowledged[:held]] == [d for _, d in acknowledged[:held]]
        assert engine.ingest(Document(id="next", text=article(rng, 30))).verdict is Verdict.NEW


def test_a_backup_is_one_file_for_its_owner(tmp_path: Path) -> None:
    """Nothing lies beside it, nobody else reads it, and it is restored from a folder that cannot be written to."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("one"), 50))
        (tmp_path / "out").mkdir()
        engine.backup(tmp_path / "out" / "b.sqlite3")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.sqlite3"]
    assert (tmp_path / "out" / "b.sqlite3").stat().st_mode & 0o777 == 0o600
    (tmp_path / "out").chmod(0o500)
    try:
        restore(tmp_path / "out" / "b.sqlite3", tmp_path / "again")
    finally:
        (tmp_path / "out").chmod(0o700)
    assert verify(tmp_path / "again").documents == 50


def test_a_closed_folder_is_backed_up_too(tmp_path: Path) -> None:
    """A folder that nobody owns gives the same backup; a folder without a store, or one half copied, gives none."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("two"), 50))
    backup_folder(tmp_path / "live", tmp_path / "b.sqlite3")
    restore(tmp_path / "b.sqlite3", tmp_path / "again")
    assert verify(tmp_path / "again").documents == 50
    with pytest.raises(StoreError, match="holds no store"):
        backup_folder(tmp_path, tmp_path / "c.sqlite3")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root takes backups of another user's folder")
def test_a_backup_by_root_is_noted_as_the_owners(tmp_path: Path) -> None:
    """The file of the last backup is the folder's owner's, who may note the next, also where root had touched it."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("root"), 5))
    os.chown(tmp_path / "live", 65534, 65534)
    (tmp_path / "live" / "last-backup").touch()
    backup_folder(tmp_path / "live", tmp_path / "b.sqlite3")
    noted = (tmp_path / "live" / "last-backup").stat()
    assert (noted.st_uid, noted.st_gid, noted.st_mode & 0o777) == (65534, 65534, 0o600)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A backup replaces no file, and a restore no folder that holds anything or has an owner."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("three"), 20))
        engine.backup(tmp_path / "b.sqlite3")
        with pytest.raises(StoreError, match="exists already"):
            engine.backup(tmp_path / "b.sqlite3")
        with pytest.raises(DataFolderInUse, match=str(os.getpid())):
            restore(tmp_path / "b.sqlite3", tmp_path / "live")
    with pytest.raises(StoreError, match=r"not empty \(baznashr.sqlite3\)"):
        restore(tmp_path / "b.sqlite3", tmp_path / "live")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("!", encoding="utf-8")
    with pytest.raises(StoreError, match="not empty"):
        restore(tmp_path / "b.sqlite3", tmp_path / "other")
    with pytest.raises(StoreError, match="no file"):
        restore(tmp_path / "nothing", tmp_path / "new")
    assert verify(tmp_path / "live").documents == 20


def test_a_damaged_backup_is_not_put_in_place(tmp_path: Path) -> None:
    """One flipped bit anywhere, or a missing end, and there is no store in the folder afterwards."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("four"), 30))
        engine.backup(tmp_path / "b.sqlite3")
    whole = (tmp_path / "b.sqlite3").read_bytes()
    rng = Random("bits")
    for place in [rng.randrange(100, len(whole)) for _ in range(12)]:
        (tmp_path / "b.sqlite3").write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        refused(tmp_path)
    (tmp_path / "b.sqlite3").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path)
    (tmp_path / "b.sqlite3").write_bytes(b"no database at all" * 1000)
    refused(tmp_path)
    (tmp_path / "b.sqlite3").write_bytes(whole)
    restore(tmp_path / "b.sqlite3", tmp_path / "new")


def refused(tmp_path: Path) -> None:
    """Restoring fails, and leaves nothing but the lock."""
    with pytest.raises((StoreDamaged, FormatMismatch)):
        restore(tmp_path / "b.sqlite3", tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["LOCK"]


def test_a_foreign_backup_is_refused(tmp_path: Path) -> None:
    """A backup of a later format does not become a store."""
    with Engine.open(tmp_path / "live") as engine:
        engine.backup(tmp_path / "b.sqlite3")
    connection = connect(tmp_path / "b.sqlite3", writable=True)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(FormatMismatch, match="format 99"):
        restore(tmp_path / "b.sqlite3", tmp_path / "new")


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """An unwritable place, or damage in the store, ends in an error that says which, without a file."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("five"), 60))
        with pytest.raises(StoreError, match=r"cannot be copied to .*missing.*CantOpenError: unable to open"):
            engine.backup(tmp_path / "missing" / "b.sqlite3")
    path = tmp_path / "live" / "baznashr.sqlite3"
    content = bytearray(path.read_bytes())
    content[-4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"live.* cannot be copied to .*b.sqlite3 \(SQLITE_IOERR_DATA\)"):
        backup_folder(tmp_path / "live", tmp_path / "b.sqlite3")
    assert not list(tmp_path.glob("b.sqlite3*"))
    shutil.rmtree(tmp_path / "live")


def test_a_place_where_nothing_can_be_written_or_removed(tmp_path: Path) -> None:
    """What is left of an attempt before and cannot be removed, as on a read-only disk, is an error of the backup."""
    Engine.open(tmp_path / "live").close()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/b\.sqlite3 cannot be written") as raised:
        backup_folder(tmp_path / "live", tmp_path / "file" / "b.sqlite3")
    assert raised.value.reason == "BACKUP_FAILED"


def test_a_disk_that_takes_no_more_is_no_damage(tmp_path: Path) -> None:
    """Where the backup cannot grow, the error names both files and SQLite's code, and does not accuse the store."""
    with Engine.open(tmp_path / "live") as engine:
        ingest(engine, documents(Random("six"), 60))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StoreError, match="SQLITE_IOERR_WRITE") as raised:
            backup_folder(tmp_path / "live", tmp_path / "b.sqlite3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.reason == "BACKUP_FAILED"
    for path in (tmp_path / "live" / "baznashr.sqlite3", tmp_path / "b.sqlite3"):
        assert str(path) in str(raised.value)
    assert not list(tmp_path.glob("b.sqlite3*"))
