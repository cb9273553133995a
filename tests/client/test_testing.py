"""What users test with: the stub server and the fixtures."""

import subprocess
import sys

import pytest

from baznashr import Client, Document, Judgement, Verdict, errors
from baznashr.testing import StubServer, real_server


@pytest.fixture
def client(baznashr_stub):
    """A client of the stub server."""
    with Client(baznashr_stub.address) as client:
        yield client


def test_it_judges_as_a_server_would(client, baznashr_stub):
    """Untold, it knows equal texts, repeats its first answer, refuses a reused id, replaces and deletes."""
    first = client.ingest(Document("a", "خبر"))
    assert (first.verdict, first.repeated, first.stored, first.replayed) == (Verdict.NEW, False, True, False)
    copy = client.check("خبر")
    assert (copy.verdict, copy.repeated, copy.canonical_id) == (Verdict.EXACT, True, "a")
    assert client.ingest(Document("a", "خبر")).replayed
    with pytest.raises(errors.DocumentIdReused) as refused:
        list(client.ingest_many([Document("b", "دو"), Document("a", "خبر تازه")]))
    assert refused.value.field == "documents[1].id"
    assert client.ingest(Document("a", "خبر تازه"), replace=True).verdict == Verdict.NEW
    assert [document.id for document in baznashr_stub.documents] == ["b", "a"]
    assert (client.delete("a"), client.delete("a")) == (True, False)
    with pytest.raises(errors.NotImplementedByServer, match="ListCorpora"):
        client.list_corpora()


def test_it_answers_as_it_is_told(client, baznashr_stub):
    """Judgements by id and errors by call are the test's to choose, and the calls are there to read."""
    baznashr_stub.judgements["b"] = Judgement(Verdict.TEMPLATE, repeated=False, reason="OTHER_NUMBERS")
    assert [j.verdict for j in client.ingest_many([Document("a", "یک"), Document("b", "دو")])] == ["NEW", "TEMPLATE"]
    baznashr_stub.fail(errors.Unavailable("Maintenance."), times=2)
    assert client.check("یک").repeated
    baznashr_stub.fail(errors.QuotaExceeded("Enough."))
    with pytest.raises(errors.QuotaExceeded, match="Enough"):
        client.check("یک")
    assert baznashr_stub.calls == ["BatchIngestDocuments"] + ["CheckText"] * 4


def test_stubs_do_not_share(client):
    """Each server has its own port and documents."""
    client.ingest(Document("a", "خبر"))
    with StubServer() as other, Client(other.address) as theirs:
        assert theirs.check("خبر").verdict == Verdict.NEW


def test_the_real_server_is_real(baznashr_address, baznashr_corpus):
    """The fixtures give an empty corpus of a server with an engine."""
    with Client(baznashr_address, timeout=30) as client:
        assert client.corpus_stats(baznashr_corpus).documents == 0
        assert client.ingest(Document("a", "خبری درباره‌ی سدهای تهران"), baznashr_corpus).profile == "fa-1"


def test_a_server_that_does_not_start_says_why(tmp_path):
    """A wrong flag is in the error's text, and folders that are missing are made."""
    with pytest.raises(RuntimeError, match="no-such-flag"), real_server(tmp_path / "new" / "data", "--no-such-flag"):
        pass


def test_the_fixtures_are_a_plugin(tmp_path):
    """One line brings them to another project's tests."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["baznashr.testing.pytest_plugin"]\n')
    (tmp_path / "test_it.py").write_text("def test_it(baznashr_stub):\n    assert baznashr_stub.address\n")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", tmp_path]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
