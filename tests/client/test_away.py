"""Guards before a real server that refuses writes, or callers who ask too much, and then comes to itself."""

import random
import resource
import sys
import time

import pytest

from baznashr import Client, Document, errors
from baznashr.pipeline import RepeatGuard, State
from tests.support.outage import MortalServer
from tests.support.secrets import entry, token_for, write_tokens
from tests.support.server import serving
from tests.support.texts import article


@pytest.fixture
def documents(seed):
    """A feed in which nothing repeats."""
    rng = random.Random(seed)
    return [Document(f"d{n}", article(rng)) for n in range(150)]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    """The address of a server that takes a hundred documents a second of a caller, after the first eighty."""
    folder = tmp_path_factory.mktemp("quota")
    slow = [entry(name, documents_per_second=100.0, burst=80.0) for name in ("raise", "accept", "spool")]
    tokens = write_tokens(folder / "tokens.toml", entry("admin"), *slow)
    with serving(folder / "data", "--tokens", str(tokens)) as server:
        yield server.listen


@pytest.mark.parametrize("mode", ["raise", "accept", "spool"])
def test_quotas_are_an_outage_that_passes(hurried, documents, mode, tmp_path):
    """Over its quota a pipeline is told, lets through and counts, or spools; then it goes on, and nothing is lost."""
    with Client(hurried, token=token_for("admin"), timeout=30) as admin:
        admin.create_corpus(mode)
    stored, raised, settled = [], 0, 0
    options = {"on_unavailable": mode, "max_pause": 2, "spool": tmp_path / "spool" if mode == "spool" else None}
    give_up = time.monotonic() + 30
    with Client(hurried, token=token_for(mode), timeout=30) as client, RepeatGuard(client, mode, **options) as guard:
        while settled < len(documents) or guard.waiting:
            assert time.monotonic() < give_up
            try:
                for admission in guard.admissions(documents[settled:]):
                    stored += [admission.document] if admission.store else []
                    settled += not admission.late
            except errors.QuotaExceeded as error:
                raised += 1
                assert mode == "raise"
                time.sleep(int(error.metadata["retry_after_ms"]) / 1000)
            time.sleep(0.02)
        assert stored == documents
        assert {"raise": raised, "accept": guard.accepted, "spool": not guard.accepted}[mode]


def test_a_pause_is_as_long_as_the_service_asks(baznashr_stub):
    """A guard does not ask again before the time that the refusal named, within its own longest pause."""
    with Client(baznashr_stub.address) as client, RepeatGuard(client, on_unavailable="accept", max_pause=60) as guard:
        baznashr_stub.fail(errors.QuotaExceeded("Enough.", metadata={"retry_after_ms": "700"}))
        began = time.monotonic()
        while guard.admit(Document("a", "خبر")).state is State.ACCEPTED:
            time.sleep(0.01)
        assert 0.7 <= time.monotonic() - began < 5
        assert len(baznashr_stub.calls) == 2


@pytest.mark.timeout(180)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process's file size")
def test_a_read_only_service_is_waited_for(documents, tmp_path):
    """While the store takes no writes a spooling guard keeps all on disk; after its repair all come out in order."""
    server = MortalServer(tmp_path / "data")
    try:
        with Client(server.address, timeout=30) as client:
            options = {"on_unavailable": "spool", "spool": tmp_path / "spool", "max_pause": 0.2}
            with RepeatGuard(client, **options) as guard:
                assert guard.admit(documents[0]).store
                largest = max(file.stat().st_size for file in (tmp_path / "data").iterdir() if file.is_file())
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest, largest))
                admissions = list(guard.admissions(documents[1:]))
                assert {str(each.error.reason) for each in admissions if each.error} == {"READ_ONLY"}
                assert client.check(documents[0]).replayed
                server.kill_and_restart()
                stored = [each.document for each in admissions if each.store]
                give_up = time.monotonic() + 30
                while guard.waiting:
                    assert time.monotonic() < give_up
                    stored += [each.document for each in guard.replayed() if each.store]
                    time.sleep(0.02)
                assert stored == documents[1:]
    finally:
        server.stop()
