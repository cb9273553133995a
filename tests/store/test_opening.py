"""What is not ours, not of this format, of another profile or damaged is refused, never misread."""

import os
import random
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from baznashr.errors import FormatMismatch, ProfileMismatch, StoreDamaged, StoreError
from baznashr_server.profile import FA_1
from baznashr_server.store.folder import DATABASE, DataFolder
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.schema import APPLICATION_ID, FORMAT, connect
from baznashr_server.store.store import Store
from tests.store.rows import corpus_row, document_row

PAGE = 8192


def fill(folder: DataFolder, documents: int = 40) -> list[DocumentRow]:
    """Store some documents, close, and return them; the database is one file then."""
    rng = random.Random(10)
    store = Store(folder, FA_1)
    store.begin()
    store.insert_corpus(corpus_row())
    rows = [
        document_row(row=store.next_row(), id=str(i), text=rng.randbytes(3000), signature=rng.randbytes(512))
        for i in range(documents)
    ]
    for row in rows:
        store.insert_document(row)
    store.commit()
    store.close()
    return rows


def change_header(folder: DataFolder, sql: str) -> None:
    """Write to a closed store behind its back."""
    with closing(connect(folder.database, writable=True)) as connection:
        connection.execute(sql)


def read(folder: DataFolder) -> Iterator[DocumentRow | None]:
    """Open the store and read it all."""
    store = Store(folder, FA_1)
    try:
        assert len(store.corpora()) == 1
        yield from [store.document_at(row.row) for row in store.indexed_documents(1)]
    finally:
        store.close()


def test_a_new_store_says_what_it_is(folder: DataFolder) -> None:
    """The file carries our application id, its format and its profile."""
    fill(folder, 0)
    with closing(sqlite3.connect(folder.database)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        assert dict(database.execute("SELECT key, value FROM meta")) == FA_1.describe()
    assert list(read(folder)) == []


def test_files_are_their_owners_alone(folder: DataFolder) -> None:
    """The database, its log and the log's index have mode 0600 where the umask allows everything."""
    before = os.umask(0)
    try:
        store = Store(folder, FA_1)
        files = [folder.database, *folder.path.glob("*.sqlite3-*")]
        modes = {path.name.rpartition("-")[2]: stat.S_IMODE(path.stat().st_mode) for path in files}
        store.close()
    finally:
        os.umask(before)
    assert modes == {DATABASE: 0o600, "wal": 0o600, "shm": 0o600}


def test_a_foreign_database_is_refused_and_left_alone(folder: DataFolder) -> None:
    """A database of somebody else is no store, and not a byte of it changes."""
    with closing(sqlite3.connect(folder.database)) as database:
        database.execute("CREATE TABLE documents(id)")
    before = folder.database.read_bytes()
    with pytest.raises(FormatMismatch, match="not one of Baznashr"):
        Store(folder, FA_1)
    assert folder.database.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(folder: DataFolder) -> None:
    """Nor is a file of another kind."""
    before = b"<html>" * 5000
    folder.database.write_bytes(before)
    with pytest.raises(StoreDamaged, match="cannot be read"):
        Store(folder, FA_1)
    assert folder.database.read_bytes() == before


def test_a_disk_without_room_is_no_damage(folder: DataFolder) -> None:
    """Where a store cannot be made, the error names file and cause and does not call it damaged; later it is made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(StoreError, match=rf"{DATABASE} cannot be opened \(SQLITE_") as refused:
            Store(folder, FA_1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (type(refused.value), refused.value.reason) == (StoreError, "DATA_FOLDER_UNUSABLE")
    assert fill(folder) == list(read(folder))


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write to any file")
def test_a_store_that_may_not_be_written_is_refused(folder: DataFolder) -> None:
    """When it is opened, and not when the first document comes."""
    fill(folder)
    folder.database.chmod(0o400)
    code = f"""from pathlib import Path
from baznashr_server.store.schema import connect
connect(Path({str(folder.database)!r}), writable=True)"""
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    command = [*(as_others if os.geteuid() == 0 else ()), sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    last = ended.stderr.splitlines()[-1]
    assert last == f"baznashr.errors.StoreError: DATA_FOLDER_UNUSABLE: {folder.database} cannot be written to"


def test_a_later_format_is_refused(folder: DataFolder) -> None:
    """A store of a later release is named as such, with both formats."""
    fill(folder)
    change_header(folder, f"PRAGMA user_version={FORMAT + 1}")
    with pytest.raises(FormatMismatch, match="release that wrote it") as refused:
        Store(folder, FA_1)
    assert refused.value.metadata == {"found": str(FORMAT + 1), "expected": str(FORMAT)}


@pytest.mark.parametrize("change", [{"name": "fa-2"}, {"seed": 2}, {"bands": 16, "rows": 8}])
def test_another_profile_is_refused(folder: DataFolder, change: dict[str, object]) -> None:
    """A store of another profile is refused by a sentence that names each difference."""
    fill(folder)
    with pytest.raises(ProfileMismatch) as refused:
        Store(folder, replace(FA_1, **change))
    assert all(f"{key}: {getattr(FA_1, key)} instead of {value}" in str(refused.value) for key, value in change.items())
    assert len(list(read(folder))) == 40


def test_a_profile_with_another_set_of_fields_is_refused(folder: DataFolder) -> None:
    """A field too many or too few in the header is a difference too."""
    fill(folder)
    change_header(folder, "DELETE FROM meta WHERE key='scheme'; INSERT INTO meta VALUES('stopwords', 'none')")
    with pytest.raises(ProfileMismatch, match="scheme: None instead of affine32, stopwords: none instead of None"):
        Store(folder, FA_1)


def test_a_flipped_bit_is_noticed(folder: DataFolder) -> None:
    """A changed bit anywhere in the file is StoreDamaged or without effect, never a wrong row; in a row it is told."""
    rows = fill(folder)
    whole = folder.database.read_bytes()
    assert whole.find(rows[7].signature) > 0
    rng = random.Random(11)
    anywhere = [rng.randrange(len(whole)) for _ in range(120)]
    header = list(range(0, 108, 3))
    in_rows = [whole.find(row.signature) + rng.randrange(512) for row in rows]
    noticed = set()
    for position in [*anywhere, *header, *in_rows]:
        changed = bytearray(whole)
        changed[position] ^= 1 << rng.randrange(8)
        folder.database.write_bytes(changed)
        try:
            assert list(read(folder)) == rows
        except StoreDamaged:
            noticed.add(position)
        for rest in folder.path.glob("*.sqlite3-*"):
            rest.unlink()
    assert noticed >= set(in_rows)


def test_a_cut_file_is_noticed(folder: DataFolder) -> None:
    """A database that lost its end is an error when it is read."""
    fill(folder)
    whole = folder.database.read_bytes()
    folder.database.write_bytes(whole[: len(whole) // PAGE // 2 * PAGE])
    with pytest.raises(StoreDamaged):
        list(read(folder))
