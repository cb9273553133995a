"""What is derived is made anew from the texts, in place or under another profile, and any step may be the last."""

import os
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest

from baznashr.errors import DataFolderInUse, InvalidArgument, StoreError, TextNotKept
from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine import reindex as module
from baznashr_server.engine.reindex import reindex
from baznashr_server.engine.verify import verify
from baznashr_server.store import renewal
from baznashr_server.store.schema import connect
from tests.lifecycle.content import documents, ingest, wait_until
from tests.support.audit import audit_engine
from tests.support.texts import article, light_edit

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


@pytest.mark.parametrize(
    ("error", "said"),
    [(apsw.FullError, "cannot be written .*; the next run goes on where this stopped$"), (apsw.CorruptError, "read")],
)
def test_a_bad_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, error: type[apsw.Error], said: str) -> None:
    """A full disk, and a damaged page, end the run with a sentence; with room made it can go on."""

    def fail(*_: object) -> None:
        raise error("of the disk")

    with monkeypatch.context() as patched:
        patched.setattr(renewal, "put", fail)
        with pytest.raises(StoreError, match=said):
            reindex(folder, "fa-1b")
    assert reindex(folder, "fa-1b") == (COUNT, COUNT)


def test_what_cannot_be_done_is_refused(folder: Path) -> None:
    """An unknown profile, texts that were not kept, and a folder in use are refused, with names and numbers."""
    with pytest.raises(InvalidArgument, match="'fa-2'; this release knows fa-1, fa-1b"):
        reindex(folder, "fa-2")
    with Engine.open(folder) as engine:
        with pytest.raises(DataFolderInUse, match=str(os.getpid())):
            reindex(folder, "fa-1")
        engine.create_corpus("plain", keep_text=False)
        ingest(engine, documents(Random("plain"), 3), "plain")
    with pytest.raises(TextNotKept, match=r"^TEXT_NOT_KEPT: 3 documents"):
        reindex(folder, "fa-1")


CONTENT = documents(Random("profile"), COUNT)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A closed folder under fa-1."""
    with Engine.open(tmp_path / "data") as engine:
        ingest(engine, CONTENT)
    return tmp_path / "data"


def signatures(folder: Path) -> list[bytes]:
    with closing(connect(folder / "baznashr.sqlite3", writable=False)) as connection:
        return [signature for (signature,) in connection.execute("SELECT signature FROM documents ORDER BY row")]


def check_under(folder: Path, profile: str) -> None:
    """The folder is sound, finds what it holds, and says that it is under *profile*."""
    assert verify(folder).faults == []
    with Engine.open(folder) as engine:
        assert engine.operations.profile.name == profile
        assert engine.corpus_stats().profile == profile
        audit_engine(engine)
        for number in range(0, COUNT, 7):
            edit = engine.check(light_edit(Random(number), CONTENT[number].text))
            assert (edit.verdict, edit.profile) == (Verdict.NEAR_DUPLICATE, profile)
        assert engine.ingest(CONTENT[3]).replayed


def test_a_store_changes_its_profile_and_back(sound: Path) -> None:
    """Signatures are those of the other profile, everything is found, and the way back ends where it began."""
    before = signatures(sound)
    assert reindex(sound, "fa-1b") == (COUNT, COUNT)
    assert all(one != other for one, other in zip(before, signatures(sound), strict=True))
    check_under(sound, "fa-1b")
    reindex(sound, "fa-1")
    assert signatures(sound) == before
    check_under(sound, "fa-1")


RENEW = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from baznashr_server.engine import reindex
    from baznashr_server.store import renewal
    reindex.BATCH = renewal.BATCH = 2
    print("begun", flush=True)
    reindex.reindex(Path(sys.argv[1]), "fa-1b", progress=lambda *_: print(flush=True))
    """
)


@pytest.mark.timeout(600)
def test_killed_anywhere_it_goes_on(sound: Path, seed: int, long: bool) -> None:
    """After each kill the store is whole, under the old profile or the new one, and the next run does the rest."""
    rng = Random(seed)
    kills = 20 if long else 2
    for kill in range(kills):
        with subprocess.Popen([sys.executable, "-c", RENEW, str(sound)], stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            # The last is killed while what was made is moved.
            for _ in range(1 + (COUNT // 2 + 5 if kill == kills - 1 else rng.randint(0, COUNT // 2 // kills))):
                running.stdout.readline()
            time.sleep(rng.random() / 200)
            running.kill()
        with closing(connect(sound / "baznashr.sqlite3", writable=True)) as connection:
            made = int(connection.execute("SELECT count(*) FROM renewed").get)
        print(f"killed with {made} renewed")
        assert verify(sound).faults == []
    reindex(sound, "fa-1b")
    check_under(sound, "fa-1b")


def test_a_live_store_serves_the_old_profile_until_the_next_start(sound: Path) -> None:
    """What is asked meanwhile is answered under the old one; what comes and goes meanwhile is there, or not, after."""
    with Engine.open(sound, profile="fa-1b") as engine:
        late = Document("late", article(Random("late")))
        assert engine.ingest(late).profile == "fa-1"
        assert engine.delete(CONTENT[39].id)
        wait_until(lambda: renewal.count(engine._store._reader()) == (COUNT, 0))
        engine.ingest(Document("later", article(Random("later"))))
        assert engine.check(CONTENT[3].text).profile == "fa-1"
        audit_engine(engine)
    check_under(sound, "fa-1b")
    with Engine.open(sound) as engine:
        for document in (late, Document("later", article(Random("later")))):
            assert engine.ingest(document).replayed
        assert engine.check(CONTENT[39].text).verdict is not Verdict.EXACT


def test_on_the_way_to_an_unknown_profile_it_stays_as_it_is(sound: Path) -> None:
    """What a later release has made for its profile is not taken for this one's, and is let go of by reindex."""
    before = signatures(sound)
    with closing(connect(sound / "baznashr.sqlite3", writable=True)) as connection:
        connection.execute("INSERT INTO progress VALUES('reindex to fa-9', 1)")
        connection.execute("INSERT INTO renewed SELECT row, zeroblob(512), x'' FROM documents LIMIT 5")
    with Engine.open(sound) as engine:
        assert engine.operations.profile.name == "fa-1"
    assert signatures(sound) == before
    reindex(sound, "fa-1")
    assert signatures(sound) == before
    with closing(connect(sound / "baznashr.sqlite3", writable=False)) as connection:
        left = "SELECT (SELECT count(*) FROM renewed) + (SELECT count(*) FROM progress WHERE task LIKE 'reindex to %')"
        assert connection.execute(left).get == 0
    check_under(sound, "fa-1")


def test_a_live_store_keeps_its_profile_where_a_text_is_missing(sound: Path) -> None:
    """Refused at once with the count; with texts missing later, it stays under the old profile until they are gone."""
    with Engine.open(sound, profile="fa-1b") as engine:
        engine.create_corpus("plain", keep_text=False)
        ingest(engine, documents(Random("plain"), 3), "plain")
    check_under(sound, "fa-1")
    with pytest.raises(TextNotKept, match=r"^TEXT_NOT_KEPT: 3 documents"):
        Engine.open(sound, profile="fa-1b")
    with Engine.open(sound) as engine:
        engine.delete_corpus("plain")
    check_under(sound, "fa-1b")


def test_a_large_rest_does_not_delay_the_start(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun and not finished, the store is served under the old profile; given up, nothing of it is left."""
    monkeypatch.setattr(module, "MAX_AT_START", 10)
    monkeypatch.setattr(module.Renewal, "due", lambda _: None)
    for profile in ("fa-1b", None):
        with Engine.open(sound, profile=profile) as engine:
            assert engine.operations.profile.name == "fa-1"
    with Engine.open(sound, profile="fa-1") as engine:
        assert renewal.target(engine._store.connection) is None
    check_under(sound, "fa-1")
