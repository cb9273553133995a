"""Changes of corpora that arrive together: each is made once, none is lost, and the store goes on."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from baznashr.errors import BaznashrError, CorpusExists, CorpusNotFound, DocumentIdReused, DocumentNotFound
from baznashr.types import Document, Override, OverrideKind, Policy, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.changes import Change
from baznashr_server.engine.writer import Changes
from tests.lifecycle.content import wait_until
from tests.support.audit import audit_engine
from tests.support.texts import article

TEXT = article(random.Random(1))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose commits wait for company, so that what comes together shares one."""
    with Engine.open(tmp_path / "data", group_commit_wait_ms=50) as opened:
        yield opened
        assert opened.read_only_reason is None
        audit_engine(opened)
        opened.ingest(Document("last", TEXT))


def together(*calls: Callable[[], object]) -> list[object]:
    """Make the calls at once and return their answers or errors."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        start.wait()
        try:
            return call()
        except BaznashrError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def kinds(answers: Sequence[object]) -> dict[str, int]:
    names = [type(answer).__name__ for answer in answers]
    return {name: names.count(name) for name in names}


def test_a_corpus_is_created_once(engine: Engine) -> None:
    """Of several who create it, one does and the others are told that it exists."""
    answers = together(*[lambda: engine.create_corpus("news")] * 8)
    assert kinds(answers) == {"Corpus": 1, CorpusExists.__name__: 7}


def test_a_corpus_is_deleted_once(engine: Engine) -> None:
    """Of several who delete it, one does and the others are told that it is gone."""
    engine.create_corpus("news")
    answers = together(*[lambda: engine.delete_corpus("news")] * 8)
    assert kinds(answers) == {"NoneType": 1, CorpusNotFound.__name__: 7}


def test_no_change_of_a_corpus_is_lost(engine: Engine) -> None:
    """Two who change different settings at once both have their way, also after a restart."""
    policy = Policy(source_ranks=("a",))
    together(
        lambda: engine.update_corpus("default", window_days=9), lambda: engine.update_corpus("default", policy=policy)
    )
    corpus = engine.get_corpus()
    assert (corpus.window_days, corpus.policy) == (9, policy)
    assert engine._store.corpora()[0] == engine._corpora["default"].row


@pytest.mark.parametrize("name", ["default", "news"])
def test_nothing_is_stored_in_a_corpus_that_is_gone(engine: Engine, name: str) -> None:
    """Documents that race with the deletion of their corpus are there afterwards, or were deleted, or are refused."""
    if name != "default":
        engine.create_corpus(name)
    engine.ingest(Document("before", TEXT), name)
    queued: list[Future] = []
    calls: list[Callable[[], object]] = [lambda: engine.delete_corpus(name)]
    calls += [lambda n=n: queued.append(engine.submit([Document(f"d{n}", TEXT)], name)) for n in range(6)]
    together(*calls)
    for work in queued:
        work.exception()
    stored = {row for (row,) in engine._store._rows("all", "SELECT corpus FROM documents", ())}
    known = {corpus.corpus for corpus in engine._store.corpora()} | dropped(engine)
    assert stored <= known
    assert all(isinstance(work.exception(), CorpusNotFound) for work in queued if work.exception())
    if name == "default":
        assert engine.corpus_stats().verdicts["NEW"] == min(1, engine.corpus_stats().documents)


@pytest.mark.parametrize("name", ["default", "news"])
def test_no_word_is_kept_of_a_corpus_that_is_gone(engine: Engine, name: str) -> None:
    """An override queued behind the deletion of its corpus is refused, though documents of that one are still there."""
    if name != "default":
        engine.create_corpus(name)
    engine.ingest(Document("before", TEXT), name)
    is_held, release = threading.Event(), threading.Event()

    def hold(_: Changes) -> None:
        is_held.set()
        release.wait()

    with ThreadPoolExecutor(3) as pool:
        pool.submit(engine._change, Change(hold))
        try:
            assert is_held.wait(10)
            deletion = pool.submit(engine.delete_corpus, name)
            wait_until(lambda: engine._writer.waiting == 1)
            word = pool.submit(engine.override, Override("before", OverrideKind.PIN_CANONICAL, note="secret"), name)
            wait_until(lambda: engine._writer.waiting == 2)
        finally:
            release.set()
        deletion.result()
        assert isinstance(word.exception(), DocumentNotFound if name == "default" else CorpusNotFound)
    assert not engine._store._rows("all", "SELECT * FROM overrides", ())


def dropped(engine: Engine) -> set[int]:
    """Return the corpora whose documents are deleted in the background."""
    return {row for (row,) in engine._store._rows("all", "SELECT corpus FROM dropped_corpora", ())}


def test_a_refused_batch_leaves_the_clock(engine: Engine) -> None:
    """The publish times of a batch that was taken back move no window."""
    from datetime import UTC, datetime, timedelta

    engine.create_corpus("window", window_days=2)
    now = datetime.now(UTC)
    engine.ingest(Document("old", TEXT, published_at=now - timedelta(days=5)), "window")
    batch = [
        Document("young", article(random.Random(2)), published_at=now),
        Document("old", article(random.Random(3)), published_at=now),
    ]
    with pytest.raises(DocumentIdReused):
        engine.ingest_batch(batch, "window")
    assert engine.check(TEXT, "window").verdict is Verdict.EXACT
    assert engine.corpus_stats("window").documents == 1


def test_readers_end_with_their_threads(engine: Engine) -> None:
    """Threads that come, ask and go leave no connection behind."""
    engine.ingest(Document("a", TEXT))
    for _ in range(20):
        thread = threading.Thread(target=engine.check, args=(TEXT,))
        thread.start()
        thread.join()
    assert len(engine._store._readers) <= 3
