"""`verify` names everything that is wrong, and puts right exactly what can be derived."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from baznashr.errors import DataFolderInUse, StoreDamaged, StoreError
from baznashr.types import Document, IndexPolicy, Policy, Verdict
from baznashr_server.engine import Engine, tables
from baznashr_server.engine.upkeep import Upkeep
from baznashr_server.engine.verify import Report, verify
from baznashr_server.store import snapshots
from baznashr_server.store.schema import PAGE_SIZE, connect
from tests.lifecycle.content import NOON, documents, ingest
from tests.support.texts import article, light_edit

COUNT = 120


@pytest.fixture(scope="module")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed folder with clusters, an exact copy and a snapshot."""
    patched = pytest.MonkeyPatch()
    patched.setattr(tables, "MIN_SNAPSHOT_DOCUMENTS", 50)
    path = tmp_path_factory.mktemp("filled") / "data"
    content = documents(Random("verify"), COUNT)
    with Engine.open(path) as engine:
        ingest(engine, content)
        engine.ingest(Document(id="copy", text=content[0].text))
        engine.create_corpus("plain", keep_text=False)
        engine.ingest(content[0], "plain")
    patched.undo()
    return path


@pytest.fixture
def folder(_filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(_filled, tmp_path / "data"))


def run(folder: Path, sql: str, *values: object) -> None:
    """Change the store behind everybody's back."""
    with closing(connect(folder / "baznashr.sqlite3", writable=True)) as connection:
        connection.execute(sql, values)


def lines(report: Report) -> list[str]:
    """Return the faults as people read them."""
    return [f"{fault.where}: {fault.what}" for fault in report.faults]


def test_a_sound_folder_has_no_fault(folder: Path) -> None:
    """Everything is counted, nothing is reported, and progress comes to its end for each kind of work."""
    seen: dict[str, tuple[int, int]] = {}
    report = verify(folder, progress=lambda what, done, total: seen.update({what: (done, total)}))
    assert (report.faults, report.documents, report.is_sound) == ([], COUNT + 2, True)
    assert seen["documents"] == (COUNT + 2, COUNT + 2)
    assert seen.keys() == {"pages", "documents", "tables"}
    assert all(done == total for done, total in seen.values())


DERIVED = {
    "signature": ("UPDATE documents SET signature=zeroblob(512) WHERE row=3", "its signature is not that of its text"),
    "passages": ("UPDATE documents SET passages=x'' WHERE row=3", "its passages is not that of its text"),
    "letters": ("UPDATE documents SET letters=letters+1 WHERE row=3", "its letters is not that of its text"),
    "size": ("UPDATE documents SET text_bytes=1 WHERE row=3", "its text_bytes is not that of its text"),
    "no cluster": ("DELETE FROM clusters WHERE cluster=2", "cluster 2: has members and no row"),
    "empty cluster": ("INSERT INTO clusters VALUES(900, 1, 3, 0)", "cluster 900: has no member"),
    "foreign canonical": (
        "UPDATE clusters SET canonical=3, pinned=1 WHERE cluster=2",
        "cluster 2: its canonical document is no member",
    ),
    "not indexed": ("UPDATE documents SET indexed=0 WHERE row=1", "neither it nor another copy of its text"),
    "no passages": ("UPDATE documents SET indexed=1 WHERE row=1", "cluster 2: no member is found by its passages"),
    "strange flag": ("UPDATE documents SET indexed=7 WHERE row=3", "document row 3: its place in the tables is none"),
}


@pytest.mark.parametrize("case", DERIVED)
def test_what_is_derived_is_repaired(folder: Path, case: str) -> None:
    """Each kind of damage to derived data is named, stays without --repair, and is put right with it."""
    sql, expected = DERIVED[case]
    run(folder, sql)
    for _ in range(2):
        report = verify(folder)
        assert any(expected in line for line in lines(report)), lines(report)
        assert not report.is_sound
    repaired = verify(folder, repair=True)
    assert repaired.repaired == len(repaired.faults) > 0
    assert verify(folder).faults == []
    with Engine.open(folder) as engine:
        for document in documents(Random("verify"), COUNT)[:10]:
            assert engine.check(document.text).verdict.value == "EXACT"


GIVEN = {
    "digest": ("UPDATE documents SET digest=zeroblob(16) WHERE row=3", "its text does not have its digest"),
    "text": ("UPDATE documents SET text=x'00112233' WHERE row=3", "its text cannot be read"),
    "judgement": ("UPDATE documents SET judgement='{}' WHERE row=3", "its judgement or labels cannot be read"),
    "labels": ("UPDATE documents SET labels='[' WHERE row=3", "its judgement or labels cannot be read"),
    "corpus": ("UPDATE documents SET corpus=77 WHERE row=3", "corpus 77: has documents and does not exist"),
    "cluster": ("UPDATE clusters SET corpus=2 WHERE cluster=2", "cluster 2: has members of another corpus"),
    "signature": (
        "UPDATE documents SET signature=x'00' WHERE text IS NULL",
        "its signature or passages have a wrong length, and no text is kept",
    ),
}


@pytest.mark.parametrize("case", GIVEN)
def test_what_was_given_is_only_reported(folder: Path, case: str) -> None:
    """Damage to what nothing else tells is named and left as it is."""
    sql, expected = GIVEN[case]
    run(folder, sql)
    report = verify(folder, repair=True)
    assert any(expected in line for line in lines(report)), lines(report)
    assert not report.is_sound
    assert any(expected in line for line in lines(verify(folder)))


def test_every_damaged_page_is_named(folder: Path) -> None:
    """One byte changed in each page in turn: that page is named, and no repair touches the file."""
    path = folder / "baznashr.sqlite3"
    whole = path.read_bytes()
    pages = len(whole) // PAGE_SIZE
    rng = Random("pages")
    for page in range(1, pages + 1):
        place = (page - 1) * PAGE_SIZE + rng.randrange(100 if page == 1 else 0, PAGE_SIZE)
        damaged = whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :]
        path.write_bytes(damaged)
        report = verify(folder, repair=page % 10 == 0)
        found = lines(report)
        assert f"page {page}: its checksum is wrong" in found or (page == 1 and found), (page, place, found)
        assert report.repaired == 0
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    assert verify(folder).faults == []


def test_many_damaged_pages_are_all_named(folder: Path) -> None:
    """Damage in several places is listed whole, not up to the first."""
    path = folder / "baznashr.sqlite3"
    content = bytearray(path.read_bytes())
    wrong = [3, 4, len(content) // PAGE_SIZE]
    for page in wrong:
        content[page * PAGE_SIZE - 100] ^= 1
    path.write_bytes(content)
    assert lines(verify(folder)) == [f"page {page}: its checksum is wrong" for page in wrong]


def truncate(path: Path) -> None:
    """Cut a snapshot short."""
    path.write_bytes(path.read_bytes()[:-5])


def falsify(path: Path) -> None:
    """Write a snapshot with a true checksum and a wrong table."""
    header, arrays = snapshots.read(path)
    entries = arrays["bands.entries"]
    entries[np.nonzero(entries)[0][0]] = 0
    arrays["slots.letters"][5] += 1
    snapshots.write(path, header, arrays)


@pytest.mark.parametrize("spoil", [truncate, falsify])
def test_a_wrong_snapshot_is_found_and_removed(folder: Path, spoil: Callable[[Path], None]) -> None:
    """A damaged snapshot, and a sound one that differs from the documents, are named; repair lets go of them."""
    path = folder / "tables" / "1.tables"
    spoil(path)
    (line,) = lines(verify(folder))
    assert line.startswith("snapshot 1.tables")
    assert verify(folder, repair=True).is_sound
    assert not path.exists()
    assert verify(folder).faults == []


def test_a_copy_of_a_repeat_is_no_fault_while_its_original_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where originals alone are indexed, it was found through one that has left the window and is still stored."""
    monkeypatch.setattr(Upkeep, "due", lambda _: None)
    body = article(Random("original"), 60)
    edit = light_edit(Random("edit"), body)
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("window", window_days=5, policy=Policy(index_policy=IndexPolicy.ORIGINALS))
        given = [("original", body, 0), ("repeat", edit, 3), ("copy", edit, 6)]
        for name, text, days in given:
            engine.ingest(Document(name, text, published_at=NOON + timedelta(days=days)), "window")
        assert engine.get("copy", "window").judgement.verdict is Verdict.EXACT
    assert verify(tmp_path / "data").faults == []


def test_an_owned_folder_is_refused(folder: Path) -> None:
    """While an engine has the folder, verify refuses and names the process."""
    with Engine.open(folder), pytest.raises(DataFolderInUse, match=str(os.getpid())):
        verify(folder)


def test_a_folder_without_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Verify makes no store where there is none."""
    with pytest.raises(StoreError, match="holds no store"):
        verify(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_damaged_header_is_a_fault(folder: Path) -> None:
    """A file that cannot be opened at all is a finding, not a crash."""
    path = folder / "baznashr.sqlite3"
    path.write_bytes(b"garbage!" * 4096)
    assert lines(verify(folder, repair=True))
    with pytest.raises(StoreDamaged):
        Engine.open(folder)
