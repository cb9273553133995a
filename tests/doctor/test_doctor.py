"""The doctor over folders that are really broken: it names what is wrong and what to do, and changes nothing."""

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Self

import pytest
from typer.testing import CliRunner

from baznashr_server.cli import app
from baznashr_server.cli.doctor import NOT_EXAMINED, SOME_BROKEN, SOME_WARNINGS, WELL
from baznashr_server.doctor import content, process
from baznashr_server.doctor.findings import duration, size
from baznashr_server.engine import Engine, tables
from baznashr_server.store import snapshots
from baznashr_server.store.schema import PAGE_SIZE
from tests.lifecycle.content import documents, ingest

DOCUMENTS = 60


@pytest.fixture(autouse=True, scope="module")
def _snapshots_of_small_tables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "MIN_SNAPSHOT_DOCUMENTS", 50)
        patched.setattr(content, "MIN_SNAPSHOT_DOCUMENTS", 50)
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all is well."""
    data = tmp_path_factory.mktemp("doctor") / "data"
    with Engine.open(data) as engine:
        ingest(engine, documents(Random("doctor"), DOCUMENTS))
        engine.backup(data.parent / "backup.sqlite3")
    return data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to break."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


@pytest.fixture(autouse=True)
def _kernels_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "kernels"
    cache.mkdir(mode=0o700)
    (cache / "some.nbc").touch()
    monkeypatch.setenv("BAZNASHR_KERNEL_CACHE", str(cache))


def examine(*arguments: str | Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Run the command and return its exit code and, by check, what it found."""
    done = CliRunner().invoke(app, ["doctor", "--json", *map(str, arguments)])
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        assert finding["do"] or finding["level"] in {"ok", "note"}
        found.setdefault(finding["check"], []).append(finding)
    return done.exit_code, found


def said(found: dict[str, list[dict[str, Any]]], check: str, level: str) -> str:
    """Return what was found of that check at that level, once."""
    (finding,) = [each for each in found[check] if each["level"] == level]
    return f"{finding['what']} -> {finding['do']}"


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run_sql(data: Path, sql: str) -> None:
    """Change the database behind the engine's back, with checksums kept."""
    from baznashr_server.store.schema import connect

    connection = connect(data / "baznashr.sqlite3", writable=True)
    connection.execute(sql)
    connection.close()


def test_a_sound_folder_needs_nothing(data: Path) -> None:
    """All checks are made, none finds anything, nothing is changed, and the exit code is 0."""
    before = digest(data)
    code, found = examine(data)
    assert code == WELL
    assert {each["level"] for findings in found.values() for each in findings} == {"ok", "note"}
    checks = {"permissions", "owner", "disk", "backup", "format", "checksums", "clock", "content", "snapshots"}
    assert found.keys() == checks | {"kernels", "descriptors"}
    assert f"{DOCUMENTS} documents" in found["content"][0]["what"]
    assert digest(data) == before


def test_it_reads_beside_the_owner(data: Path) -> None:
    """A folder that is in use is examined, its process too, and the owner goes on."""
    with Engine.open(data) as engine:
        code, found = examine(data)
        assert said(found, "owner", "ok").startswith(f"process {os.getpid()} has")
        assert "are open" in found["descriptors"][0]["what"]
        assert "in use" in found["memory"][0]["what"]
        ingest(engine, documents(Random("more"), 5, prefix="more"))
    assert code == WELL


def test_a_lock_of_a_process_that_is_not_to_be_seen(data: Path) -> None:
    """Where the pid in the lock is none of this machine's, that is said."""
    with Engine.open(data):
        (data / "LOCK").write_text("4194305\n")
        _, found = examine(data)
    assert "4194305" in said(found, "owner", "note")


@pytest.mark.parametrize("make", [Path.exists, Path.mkdir, Path.touch])
def test_what_is_no_store_cannot_be_examined(tmp_path: Path, make: Any) -> None:
    """A path that is missing, empty or a file ends with code 1."""
    make(tmp_path / "thing")
    code, found = examine(tmp_path / "thing")
    assert code == NOT_EXAMINED
    assert "holds no store" in said(found, "folder", "broken") or "is no folder" in said(found, "folder", "broken")


def test_open_doors(data: Path) -> None:
    """A folder or a database that others may read is a warning with the command that mends it."""
    data.chmod(0o755)
    code, found = examine(data)
    assert code == SOME_WARNINGS
    assert f"chmod 700 {data}" in said(found, "permissions", "warning")


def test_files_that_the_owner_cannot_use(data: Path) -> None:
    """A mode without the owner's rights, or another's file, would end the next start."""
    snapshot = data / "tables" / "1.tables"
    snapshot.chmod(0o040)
    code, found = examine(data)
    assert code == SOME_BROKEN
    assert f"chmod u+rw {snapshot}" in said(found, "permissions", "broken")
    snapshot.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(snapshot, 65534, 65534)
        assert f"chown 0 {snapshot}" in said(examine(data)[1], "permissions", "broken")
        os.chown(snapshot, 0, 0)
        os.chown(data / "last-backup", 65534, 65534)  # of a job that copies the disk; nobody writes it
        assert examine(data)[0] == WELL


def test_what_goes_while_it_looks(data: Path) -> None:
    """A file that was listed and is gone, as beside a running server, and a process that ends, are no faults."""
    (data / "tables" / "gone.new").symlink_to(data / "nothing")
    assert said(examine(data)[1], "permissions", "ok")
    assert [finding.check for finding in process.examine(4194305)] == ["descriptors"]


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    """A file of --ca that cannot be read is found broken, like that of --token-file."""
    for flag in ("--ca", "--token-file"):
        code, found = examine("--server", "127.0.0.1:1", flag, tmp_path / "none.pem")
        assert code == SOME_BROKEN
        assert "none.pem" in said(found, "server", "broken")


def test_another_format(data: Path) -> None:
    """A store of a later release, or of a stranger, is named with both formats."""
    run_sql(data, "PRAGMA user_version=99")
    code, found = examine(data)
    assert code == SOME_BROKEN
    assert "format 99" in said(found, "format", "broken")
    run_sql(data, "PRAGMA user_version=1; PRAGMA application_id=7")
    assert "not one of Baznashr" in said(examine(data)[1], "format", "broken")


def test_another_profile(data: Path) -> None:
    """The field that differs is named."""
    run_sql(data, "UPDATE meta SET value='9' WHERE key='shingle_size'")
    code, found = examine(data)
    assert code == SOME_BROKEN
    assert "shingle_size: 9 instead of 8" in said(found, "format", "broken")


def test_a_flipped_bit(data: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is damaged anywhere but at the very head is found by its checksum, or cannot be read at all.

    The latter where the page is one that the doctor asks before it looks at pages: the schema, or the profile.
    """
    monkeypatch.setattr(content, "HALF_WRITTEN_SECONDS", 0)
    database = data / "baznashr.sqlite3"
    sound = database.read_bytes()
    random = Random(seed)
    by_checksum = 0
    for page in range(2, len(sound) // PAGE_SIZE + 1):
        damaged = bytearray(sound)
        damaged[random.randrange((page - 1) * PAGE_SIZE, page * PAGE_SIZE)] ^= 1
        database.write_bytes(damaged)
        code, found = examine(data)
        assert code == SOME_BROKEN
        if "checksums" in found:
            by_checksum += 1
            assert f"first page {page}" in said(found, "checksums", "broken")
        else:
            assert "it cannot be read" in said(found, "database", "broken")
    assert by_checksum > page // 2


@pytest.mark.parametrize("content", [b"", b"\0" * PAGE_SIZE, b"not a database" * 1000])
def test_no_database_at_all(data: Path, content: bytes) -> None:
    """A file that is no database, or was emptied, is broken; the doctor does not break with it."""
    for name in ("baznashr.sqlite3-wal", "baznashr.sqlite3-shm"):
        (data / name).unlink(missing_ok=True)
    (data / "baznashr.sqlite3").write_bytes(content)
    code, found = examine(data)
    assert code == SOME_BROKEN
    assert {each["level"] for name in ("database", "format") for each in found.get(name, ())} == {"broken"}


def test_the_backups_age(data: Path) -> None:
    """None, an old one, and one on the store's own disk are warnings."""
    marker = data / "last-backup"
    os.utime(marker, (time.time() - 5 * 86_400,) * 2)
    code, found = examine(data)
    assert code == SOME_WARNINGS
    assert "5 days old" in said(found, "backup", "warning")
    assert examine(data, "--backup-days", "6")[0] == WELL
    marker.unlink()
    assert "no backup is known" in said(examine(data)[1], "backup", "warning")


def test_snapshots(data: Path) -> None:
    """One that is missing, damaged, of another store, or behind is told; so is a stranger's file."""
    path = data / "tables" / "1.tables"
    header, arrays = snapshots.read(path)
    whole = path.read_bytes()

    def told(level: str = "warning") -> str:
        return said(examine(data)[1], "snapshots", level)

    path.unlink()
    assert "there is none" in told()
    path.write_bytes(whole[:-1])
    assert "unreadable" in told()
    own = {key: value for key, value in header.items() if key not in {"format", "arrays"}}
    snapshots.write(path, {**own, "profile": {"name": "other"}}, arrays)
    assert "another store or profile" in told()
    snapshots.write(path, {**own, "changes": 77}, arrays)
    assert "left or changed" in told("note")
    snapshots.write(path, {**own, "indexed": [1, 1]}, arrays)
    os.utime(path, (time.time() - 3 * 86_400,) * 2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(content, "MIN_SNAPSHOT_DOCUMENTS", 10)
        assert "3 days old" in told()
    path.write_bytes(whole)
    (data / "tables" / "77.tables").touch()
    assert "77.tables" in told("note")


def test_a_clock_that_was_ahead(data: Path) -> None:
    """An article from the future means that the clock was wrong then, or is now."""
    run_sql(data, f"UPDATE documents SET arrived={int((time.time() + 7 * 86_400) * 1e6)}")
    code, found = examine(data)
    assert code == SOME_WARNINGS
    assert "7 days in the future" in said(found, "clock", "warning")


def test_kernels_that_others_may_change(data: Path, tmp_path: Path) -> None:
    """Such a folder is not used; an empty or missing one costs the first start a minute."""
    cache = tmp_path / "kernels"
    cache.chmod(0o777)
    assert "others may write" in said(examine(data)[1], "kernels", "warning")
    cache.chmod(0o700)
    (cache / "some.nbc").unlink()
    assert "holds no kernel of this version yet" in said(examine(data)[1], "kernels", "note")
    cache.rmdir()
    assert "does not exist yet" in said(examine(data)[1], "kernels", "note")


def test_limits_of_the_process(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few descriptors, and memory near its limit, are told with what to raise."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert "may open 300" in said(examine(data)[1], "descriptors", "warning")
        with Engine.open(data):
            assert "of 300 files" in said(examine(data)[1], "descriptors", "warning")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert 0 < process.memory_limit(os.getpid()) < 1 << 50
    monkeypatch.setattr(process, "memory_limit", lambda _: 1 << 20)
    with Engine.open(data):
        assert "ends a process" in said(examine(data)[1], "memory", "warning")


def test_settings(data: Path, tmp_path: Path) -> None:
    """Settings that cannot be used, files that are missing, and what is unwise are told; the folder is theirs."""
    file = tmp_path / "server.toml"
    file.write_text(f'data = "{data}"\nworkerz = 3\n', encoding="utf-8")
    code, found = examine("--config", file)
    assert code == SOME_BROKEN
    assert "workerz: no such setting" in said(found, "settings", "broken")
    file.write_text(
        f'data = "{data}"\nlisten = "0.0.0.0:1"\ninsecure = true\nmetrics = ""\nbackup_dir = "{tmp_path}"\n',
        encoding="utf-8",
    )
    code, found = examine("--config", file)
    assert code == SOME_WARNINGS
    assert [each["what"].split(":")[0] for each in found["settings"]] == [
        "insecure",
        "metrics are off, so nobody is warned",
        "they can be used",
    ]
    assert "same disk" in said(found, "backup", "warning")
    file.write_text(f'data = "{data}"\ntokens = "{tmp_path}/none.toml"\n', encoding="utf-8")
    assert "none.toml cannot be read" in said(examine("--config", file)[1], "settings", "broken")


def test_a_full_disk(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little space is a warning, next to none is broken."""
    for free, level in ((5, "warning"), (1, "broken")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: _Disk(100 << 30, 0, free << 30))
        assert "free" in said(examine(data)[1], "disk", level)


class _Disk(tuple[int, int, int]):
    __slots__ = ()

    def __new__(cls, total: int, used: int, free: int) -> Self:
        return super().__new__(cls, (total, used, free))

    total = property(lambda self: self[0])
    free = property(lambda self: self[2])


def test_what_is_printed_for_people(data: Path) -> None:
    """What is wrong comes first, with what to do below it; what is well only with --all."""
    data.chmod(0o750)
    plain = CliRunner().invoke(app, ["doctor", str(data)])
    first, second, *_, last = plain.stdout.splitlines()
    assert first.startswith("warning: permissions: ")
    assert second == f"    -> chmod 700 {data}"
    assert "1 warning" in last
    assert "ok: format" not in plain.stdout
    assert "ok: format" in CliRunner().invoke(app, ["doctor", "--all", str(data)]).stdout
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 2


HTTP = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is not that of Baznashr"),
        (HTTP + b"\xff\xfe", "is not that of Baznashr"),
        (HTTP + b"<html>{</html>", "is not that of Baznashr"),
        (HTTP + b"some_total 1\n", "is not that of Baznashr"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "HTTP Error 404"),
        (b"", "does not answer"),
    ],
)
def test_what_is_no_endpoint_of_metrics(answer: bytes, words: str) -> None:
    """Whatever else listens at the address is told as a finding."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        code, found = examine("--metrics", f"127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
    assert code == SOME_BROKEN
    assert words in said(found, "metrics", "broken")


def test_an_address_of_metrics_that_is_none() -> None:
    """A port that is no number is told as a finding."""
    assert "http://localhost:x/metrics is not" in said(examine("--metrics", "localhost:x")[1], "metrics", "broken")


@pytest.mark.parametrize(
    ("number", "words"), [(7, "7 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes_are_said(number: int, words: str) -> None:
    """As people say them."""
    assert size(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 seconds"), (150, "2 minutes"), (7200, "2 hours"), (4 * 86_400, "4 days")]
)
def test_durations_are_said(seconds: float, words: str) -> None:
    """In the largest unit of which there are two."""
    assert duration(seconds) == words
