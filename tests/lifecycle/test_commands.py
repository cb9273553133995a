"""The commands on a data folder: exit codes, sentences, and which of them a live folder allows."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner, Result

from baznashr import Client
from baznashr.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from baznashr_server.cli import app
from baznashr_server.engine import Engine
from tests.lifecycle.content import NOON, documents, ingest
from tests.support.server import serving


def run(*arguments: object) -> Result:
    """Run the command in this process, which saves the imports."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that nobody owns."""
    with Engine.open(tmp_path / "data") as engine:
        ingest(engine, documents(Random("commands"), 30))
    return tmp_path / "data"


@pytest.fixture
def live(closed: Path) -> Iterator[Path]:
    """The same folder, owned by this process."""
    with Engine.open(closed):
        yield closed


@pytest.mark.parametrize("command", ["verify", "verify --repair", "import", "reindex", "restore"])
def test_what_needs_the_folder_alone_refuses_a_live_one(live: Path, tmp_path: Path, command: str) -> None:
    """Exit code 1 and a sentence with the owner's process id; no traceback."""
    (tmp_path / "in.jsonl").touch()
    done = {
        "verify": lambda: run("verify", live),
        "verify --repair": lambda: run("verify", live, "--repair"),
        "import": lambda: run("import", live, "news", tmp_path / "in.jsonl"),
        "reindex": lambda: run("reindex", live, "--profile", "fa-1"),
        "restore": lambda: run("restore", tmp_path / "in.jsonl", live),
    }[command]()
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"in use by process {os.getpid()}" in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_what_only_reads_works_on_a_live_folder(live: Path, tmp_path: Path) -> None:
    """Backup and export go on beside the owner, and what they wrote can be used."""
    assert run("backup", live, tmp_path / "b.sqlite3").exit_code == 0
    assert "30 documents" in run("export", live, "default", tmp_path / "out.jsonl").stdout
    assert run("restore", tmp_path / "b.sqlite3", tmp_path / "new").exit_code == 0
    assert run("verify", tmp_path / "new").stdout == f"{tmp_path / 'new'}: 30 documents, sound\n"
    done = run("import", tmp_path / "new", "other", tmp_path / "out.jsonl")
    assert (done.exit_code, done.stdout) == (0, "other: 30 stored (NEW 24, NEAR_DUPLICATE 6)\n")


def test_exit_codes_tell_sound_from_faulty(closed: Path, tmp_path: Path) -> None:
    """0 where all is well, 1 where the work could not be done, 2 for a wrong call, 3 where something was wrong."""
    assert run("verify", closed).exit_code == 0
    assert run("verify", tmp_path / "nowhere").exit_code == 1
    assert run("verify").exit_code == 2
    path = closed / "baznashr.sqlite3"
    content = bytearray(path.read_bytes())
    content[-4000] ^= 1
    path.write_bytes(content)
    done = run("verify", closed, "--repair")
    assert done.exit_code == 3
    assert "its checksum is wrong" in done.stdout
    assert "1 faults, 0 repaired" in done.stdout
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "!"}\n', encoding="utf-8")
    done = run("import", tmp_path / "new", "news", tmp_path / "in.jsonl")
    assert (done.exit_code, done.stdout) == (3, "news: 0 stored\nnews: 1 refused\n")
    assert "in.jsonl:1: EMPTY_TEXT" in done.stderr


def test_over_grpc(tmp_path: Path) -> None:
    """A server backs up into its folder and deletes by filter while it serves; names that lead out are refused."""
    content = documents(Random("grpc"), 60)
    with (
        serving(tmp_path / "data", "--backup-dir", str(tmp_path / "backups")) as server,
        Client(server.listen, timeout=30) as client,
    ):
        list(client.ingest_many(content))
        backup = client.backup("first.sqlite3")
        assert Path(backup.path) == tmp_path / "backups" / "first.sqlite3"
        assert backup.size_bytes == Path(backup.path).stat().st_size
        assert Path(client.backup().path).name.startswith("baznashr-2")
        with pytest.raises(AlreadyExists) as exists:
            client.backup("first.sqlite3")
        assert exists.value.reason == "BACKUP_EXISTS"
        for name in ("../first", "/etc/first", ".first", "a" * 101, "a/b"):
            with pytest.raises(InvalidArgument):
                client.backup(name)
        before = NOON + timedelta(days=10)
        expected = sum(d.source == "s1.example" and d.published_at < before for d in content if d.published_at)
        assert client.delete_where(source="s1.example", published_before=before, dry_run=True) == expected > 5
        assert client.delete_where(source="s1.example", published_before=before) == expected
        assert client.corpus_stats().documents == 60 - expected
        with pytest.raises(InvalidArgument):
            client.delete_where("default")
        assert "baznashr-" in server.log_text()
    assert run("restore", tmp_path / "backups" / "first.sqlite3", tmp_path / "new").exit_code == 0
    assert "60 documents, sound" in run("verify", tmp_path / "new").stdout


def test_backups_must_be_allowed(tmp_path: Path) -> None:
    """Without a backup folder a server writes none."""
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        with pytest.raises(FailedPrecondition) as refused:
            client.backup()
        assert refused.value.reason == "BACKUPS_OFF"
