"""A clock that jumps, and a process without file descriptors."""

import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from baznashr.errors import Unavailable
from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from tests.crash.history import told
from tests.support.audit import audit_engine, audit_folder, audit_stars
from tests.support.texts import article, light_edit

pytestmark = pytest.mark.crash
DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize("days", [-400, -3, 3])
def test_a_clock_that_jumps(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Documents before and after a jump of the wall clock are all there, with their answers, also after a restart."""
    rng = random.Random(seed)
    texts = {f"a{n}": article(rng) for n in range(5)}
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("window", window_days=30)
        first = {name: engine.ingest(Document(name, text), "window") for name, text in texts.items()}
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + days * DAY_NS)
        copies = {f"b{n}": light_edit(rng, texts[f"a{n}"]) for n in range(5)}
        second = {name: engine.ingest(Document(name, text), "window") for name, text in copies.items()}
        assert {answer.verdict for answer in second.values()} == {Verdict.NEAR_DUPLICATE}
        audit_engine(engine)
        audit_stars(engine, "window")
    with Engine.open(tmp_path / "data") as engine:
        for name, answer in {**first, **second}.items():
            again = engine.ingest(Document(name, {**texts, **copies}[name]), "window")
            assert again.replayed
            assert told(again) == told(answer)
        assert engine.corpus_stats("window").documents == 10
    audit_folder(tmp_path / "data")


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no further file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, hard))
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        pass
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in held:
            os.close(file)


def elsewhere(call: Callable[[], object]) -> object:
    """Return what the call gives, or the error it raises, in a thread of its own."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(call())
        except Unavailable as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert answers, "the call hangs"
    return answers[0]


def test_no_file_descriptors(tmp_path: Path, seed: int) -> None:
    """Without one, calls work or are refused retriably; the store does not turn read-only, and goes on when it can."""
    rng = random.Random(seed)
    text = article(rng)
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("a", text))
        with no_more_files():
            assert isinstance(elsewhere(lambda: engine.check(text)), Unavailable)
            answer = elsewhere(lambda: engine.ingest(Document("b", light_edit(rng, text))))
            assert isinstance(answer, Unavailable) or answer.canonical_id == "a"
            kept = engine.ingest(Document("c", article(rng)))  # this thread has its connection
            assert kept.stored
            time.sleep(1.5)  # what the writer does by itself, every second
        assert engine.read_only_reason is None
        assert elsewhere(lambda: engine.check(text)).verdict is Verdict.EXACT
        engine.ingest(Document("d", article(rng)))
        audit_engine(engine)
    audit_folder(tmp_path / "data")
