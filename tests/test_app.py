"""The server process: what is made ready before it says so."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from baznashr_server import app, kernel
from baznashr_server.access.protection import Protection

ROOT = Path(__file__).parent.parent

COMPILED = """
import json, sys, tempfile
from baznashr.types import Document
from baznashr_server.app import warm_up
from baznashr_server.engine import Engine

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("baznashr_server")]
    kernels = {each for module in modules for each in vars(module).values() if hasattr(each, "py_func")}
    return {f"{each.py_func.__module__}.{each.__name__}": len(each.signatures) for each in kernels}

warm_up()
before = compiled()
assert sum(before.values()) > 10, before
with tempfile.TemporaryDirectory() as folder, Engine.open(folder) as engine:
    for line in open(sys.argv[1], encoding="utf-8"):
        article = json.loads(line)
        document = Document(article["id"], article["text"], article["title"], article["source"])
        engine.ingest(document)
        engine.check(document.text + " پایان")
    engine.ingest_batch([Document(id=str(n), text=f"{article['text']} {n}") for n in range(250)])
    engine.delete("0")
    engine.list_boilerplate()
    engine.compare(document, article["text"])
print(sorted(set(compiled().items()) ^ set(before.items())))
"""


@pytest.mark.timeout(300)  # compiles everything on a fresh machine
def test_nothing_is_compiled_after_warming_up() -> None:
    """Ingesting, checking, comparing and deleting the samples, and growing the tables, needs no new machine code."""
    samples = ROOT / "tests" / "samples" / "articles.jsonl"
    command = [sys.executable, "-c", COMPILED, str(samples)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_kernels_that_are_not_kept_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of each start says why it takes a minute longer than it has to, and nothing where it does not."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("BAZNASHR_KERNEL_CACHE", str(tmp_path / "file"))
    for kept, lines in ((True, []), (False, [f"{tmp_path / 'file'} is no folder"])):
        monkeypatch.setattr(kernel, "CACHED", kept)
        with capture_logs() as logged:
            app._warn(Protection(None, None))
        assert [line["reason"] for line in logged] == lines
