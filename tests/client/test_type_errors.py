"""What a type checker says to users: right uses pass, and each wrong one is found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RIGHT = """
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import datetime, timezone

from baznashr import TLS, AsyncClient, BaznashrError, Client, Document, Judgement, StoredId, Verdict
from baznashr.pipeline import Admission, AsyncRepeatGuard, RepeatGuard, only_new
from baznashr.testing import StubServer


def use(client: Client, documents: list[Document]) -> list[str]:
    judgement: Judgement = client.ingest(Document("a", "b", published_at=datetime.now(timezone.utc)), replace=True)
    client.check("text").verdict is Verdict.NEW
    client.compare(StoredId("a"), "text", corpus="news")
    answers: Iterator[Judgement] = client.ingest_many(iter(documents), on_error="skip", progress=print)
    for outcome in client.check_many(["a", documents[0]], on_error="yield"):
        if isinstance(outcome, BaznashrError):
            outcome.retriable
        else:
            outcome.matches[0].spans[0].stored_start
    with RepeatGuard(client, on_unavailable="spool", spool="folder") as guard:
        admission: Admission = guard.admit(documents[0])
    new: Iterator[Document] = only_new(client, documents, progress=lambda number: None)
    return [judgement.reason, *(answer.reason for answer in answers), *(document.id for document in new)]


async def use_async(client: AsyncClient, feed: AsyncIterator[Document]) -> None:
    await client.ingest(Document("a", "b"), "news")
    async for judgement in client.ingest_many(feed):
        judgement.canonical_id
    async for document in only_new(client, feed, on_unavailable="accept"):
        document.text
    async with aclosing(only_new(client, feed)) as new:
        (await anext(new)).text
    async with AsyncRepeatGuard(client) as guard:
        (await guard.admit(Document("a", "b"))).store
    with StubServer() as server:
        AsyncClient([server.address], tls=TLS(ca_file="ca.pem"), token=None, timeout=1)
"""

WRONG = """
from baznashr import AsyncClient, Client, Document, Judgement, Override, Policy
from baznashr.pipeline import RepeatGuard, only_new
from baznashr.types import Verdict


def misuse(client: Client, document: Document, judgement: Judgement) -> None:
    Client()  # call-arg
    Client("host:1", 5)  # call-arg
    Client("host:1", retries=3)  # call-arg
    Client("host:1", tls=True)  # arg-type
    client.ingest("text")  # arg-type
    client.ingest({"id": "a", "text": "b"})  # arg-type
    client.ingest(document, on_error="skip")  # call-arg
    client.ingest_many(document)  # call-overload
    client.ingest_many(["text"])  # list-item
    client.ingest_many([document], on_error="ignore")  # call-overload
    client.ingest_many([document], progress=3)  # call-overload
    client.check(b"text")  # arg-type
    client.delete(3)  # arg-type
    client.create_corpus("news", 30)  # call-arg
    client.update_corpus("news", policy={})  # arg-type
    client.override(Override("a", "REPEAT_OF"))  # arg-type
    Document("a")  # call-arg
    Document("a", "b", published_at="2024-05-01")  # arg-type
    document.text = "other"  # misc
    judgement.verdict = Verdict.NEW  # misc
    judgement.duplicate  # attr-defined
    Policy(repeated_verdicts=["EXACT"])  # arg-type
    for outcome in client.ingest_many([document], on_error="yield"):
        outcome.verdict  # union-attr
    RepeatGuard(client, on_unavailable="ignore")  # arg-type
    RepeatGuard(AsyncClient("host:1"))  # arg-type
    only_new(client, document)  # call-overload
    for text in only_new(client, [document]):
        text.upper()  # attr-defined


async def misuse_async(client: AsyncClient, document: Document) -> None:
    client.ingest(document).verdict  # attr-defined
    for judgement in client.ingest_many([document]):  # attr-defined
        pass
    with client:  # attr-defined
        pass
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What mypy says of both programs: file name, line and code of each error."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    options = ["--strict", "--hide-error-context", "--no-error-summary", "--show-error-codes", "--no-pretty"]
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", *options, folder]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(\w+)\.py:(\d+): error: .*\[([\w-]+)\]", output)
    assert len(found) == output.count(": error:"), output
    return {(name, int(line), code) for name, line, code in found}


@pytest.mark.timeout(240)
def test_right_uses_pass(report):
    """The uses that the pages show have no error under the strictest settings."""
    assert not {error for error in report if error[0] == "right"}


@pytest.mark.timeout(240)
def test_wrong_uses_are_found(report):
    """Each wrong use is an error of the kind its comment names, and nothing else is."""
    expected = {
        ("wrong", number, line.split("  # ")[1])
        for number, line in enumerate(WRONG.splitlines(), start=1)
        if "  # " in line
    }
    assert {error for error in report if error[0] == "wrong"} == expected
