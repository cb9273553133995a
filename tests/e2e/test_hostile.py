"""What a caller with bad intent can send: bombs, slow patterns, and what is left on the disk for others to read."""

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from baznashr.v1 import admin_service_pb2 as admin_pb
from baznashr.v1 import check_service_pb2 as pb
from baznashr.v1 import ingest_service_pb2 as ingest_pb
from baznashr.v1.document_pb2 import Document
from baznashr_server.limits import MAX_MESSAGE_BYTES
from tests.support.server import DEADLINE_SECONDS, ServerProcess, Stubs, refusal, serving

MIB = 1 << 20
GZIP = grpc.Compression.Gzip


class Folder:
    """Notes, from a thread of its own, the mode of whatever appears in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.001):
            for path in self.path.rglob("*"):
                with suppress(FileNotFoundError):
                    self.seen[path.name] = stat.S_IMODE(path.stat().st_mode)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """Where the server puts its temporary files."""
    folder = Folder(tmp_path_factory.mktemp("temporary"))
    yield folder
    folder.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, temporary: Folder) -> Iterator[ServerProcess]:
    """A server started by a process that lets everybody read what it makes."""
    folder = tmp_path_factory.mktemp("hostile")
    before = os.umask(0)
    try:
        with serving(folder / "data", "--backup-dir", str(folder / "backups"), TMPDIR=str(temporary.path)) as running:
            yield running
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def stubs(server: ServerProcess) -> Iterator[Stubs]:
    with Stubs(server.listen) as connected:
        yield connected


@pytest.mark.parametrize("method", ["CheckService/CheckText", "IngestService/BatchIngestDocuments"])
def test_a_compressed_bomb_is_not_unpacked(server: ServerProcess, stubs: Stubs, method: str) -> None:
    """Sixty MiB in sixty KB are refused at the limit of a message, and take no more memory than that."""
    call = stubs.channel.unary_unary(f"/baznashr.v1.{method}")
    refusal(lambda: call(bytes(MAX_MESSAGE_BYTES + 1), compression=GZIP))
    before = server.peak_mib()
    for _ in range(5):
        refused = refusal(lambda: call(bytes(60 * MIB), compression=GZIP, timeout=DEADLINE_SECONDS))
        assert refused.code == "RESOURCE_EXHAUSTED"
    assert server.peak_mib() - before < 4 * MAX_MESSAGE_BYTES / MIB
    assert stubs.is_serving()


def test_a_bomb_in_a_stream_ends_that_stream(server: ServerProcess, stubs: Stubs) -> None:
    """The item of a stream is held to the same limit; other calls go on."""
    stream = stubs.channel.stream_stream("/baznashr.v1.CheckService/StreamCheckTexts")
    answers = stream(iter([bytes(60 * MIB)]), compression=GZIP, timeout=DEADLINE_SECONDS)
    assert refusal(lambda: list(answers)).code == "RESOURCE_EXHAUSTED"
    assert stubs.is_serving()


SLOW_PATTERNS = {
    "spaces": " " * 30_000,
    "line ends": "\n" * 30_000,
    "zero width": "\u200c" * 15_000,
    "digits": "۱" * 15_000,
    "marks of thousands": "۱٬" * 10_000,
    "number words": "صد و " * 6_000,
    "short lines": "الف\n" * 8_000,
    "the same line": "خبر امروز شهر\n" * 2_000,
    "dashes": "- " * 15_000,
    "addresses": "http://a." * 3_000,
    "at signs": "a@" * 12_000,
    "brackets": "[" * 15_000 + "]" * 15_000,
    "quotes": "«" * 10_000 + "»" * 10_000,
}


@pytest.mark.parametrize("name", SLOW_PATTERNS)
def test_no_pattern_takes_long(stubs: Stubs, name: str) -> None:
    """A text that sends a backtracking pattern astray takes, four times as long, not much more than four times."""

    def seconds(text: str) -> float:
        document = Document(id="a", text=f"خبر {text} پایان", title=text[:900])
        begun = time.perf_counter()
        stubs.check.CheckText(pb.CheckTextRequest(item=pb.CheckItem(document=document)), timeout=DEADLINE_SECONDS)
        return time.perf_counter() - begun

    text = SLOW_PATTERNS[name]
    quarter = min(seconds(text[: len(text) // 4]) for _ in range(3))
    whole = min(seconds(text) for _ in range(3))
    assert whole < 0.5 + 10 * quarter, (quarter, whole)


def test_nobody_else_reads_what_is_stored(server: ServerProcess, stubs: Stubs) -> None:
    """Whatever the umask, folder, database, log, lock, snapshots and backups are the owner's alone."""
    document = Document(id="secret", text="متن محرمانه که کسی جز خود کارساز نباید بخواند")
    stubs.ingest.IngestDocument(ingest_pb.IngestDocumentRequest(document=document))
    stubs.admin.BackupStore(admin_pb.BackupStoreRequest(name="one"))
    made = [
        server.data,
        *server.data.rglob("*"),
        server.data.parent / "backups",
        *(server.data.parent / "backups").rglob("*"),
    ]
    assert len(made) >= 6
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_temporary_files_are_its_own(server: ServerProcess, temporary: Folder) -> None:
    """What the server put among the temporary files as it started was for it alone, and is gone."""
    assert {name: oct(mode) for name, mode in temporary.seen.items() if mode & 0o077} == {}
    assert temporary.seen
    assert list(temporary.path.iterdir()) == []
