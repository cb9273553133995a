"""What is deleted, expired or dropped is gone: from answers, from tables, from files; in bounded pieces."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from baznashr.errors import CorpusNotFound, DocumentNotFound, InvalidArgument
from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine, changes, upkeep
from baznashr_server.engine.writer import Changes
from baznashr_server.limits import EXPIRY_BATCH
from baznashr_server.store.backup import copy_database
from baznashr_server.store.codec import compress
from tests.lifecycle.content import NOON, documents, ingest, live, wait_until
from tests.support.texts import article

DAY = timedelta(days=1)


def files_with(folder: Path, *needles: bytes) -> dict[str, list[bytes]]:
    """Return which files hold which of the needles."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and (held := [needle for needle in needles if needle in path.read_bytes()]):
            found[path.name] = held
    return found


def test_a_filter_deletes_what_it_says(tmp_path: Path) -> None:
    """Source and time are both respected, bounds included and excluded as said, and a dry run only counts."""
    content = documents(Random("filter"), 300)
    with Engine.open(tmp_path / "data") as engine:
        ingest(engine, content)
        after, before = content[100].published_at, content[207].published_at
        assert after
        assert before
        wanted = {d.id for d in content if d.source == "s1.example" and after <= (d.published_at or NOON) < before}
        assert {d.id for d in content if d.published_at in {after, before}} & wanted != {"d100", "d207"}
        filters = {"source": "s1.example", "published_after": after, "published_before": before}
        assert engine.delete_where(dry_run=True, **filters) == len(wanted) > 50
        assert engine.corpus_stats().documents == 300
        assert engine.delete_where(**filters) == len(wanted)
        assert engine.delete_where(**filters) == 0
        left = {d.id for d in content} - wanted
        assert {document_id for document_id in (d.id for d in content) if is_stored(engine, document_id)} == left
        assert engine.corpus_stats().documents == len(left)
        assert engine.delete_where(source="nobody.example") == 0


def is_stored(engine: Engine, document_id: str) -> bool:
    """Whether the engine has a document."""
    try:
        engine.get(document_id)
    except DocumentNotFound:
        return False
    return True


def test_a_document_without_time_counts_by_its_arrival(tmp_path: Path) -> None:
    """A filter by time takes the arrival where the publish time is unknown."""
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document(id="timeless", text="متنی بی‌زمان که همین اکنون رسیده است"))
        assert engine.delete_where(published_before=NOON, dry_run=True) == 0
        assert engine.delete_where(published_after=NOON) == 1


@pytest.mark.parametrize(
    ("filters", "field"), [({}, "source"), ({"published_before": NOON.replace(tzinfo=None)}, "published_before")]
)
def test_a_filter_must_be_meant(tmp_path: Path, filters: dict[str, object], field: str) -> None:
    """No condition at all, or a time without zone, deletes nothing."""
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document(id="a", text="متنی که می‌ماند"))
        with pytest.raises(InvalidArgument) as refused:
            engine.delete_where(**filters)  # type: ignore[arg-type]
        assert refused.value.field == field
        assert is_stored(engine, "a")
        with pytest.raises(CorpusNotFound):
            engine.delete_where("nowhere", source="a")


def test_deletion_by_filter_comes_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction deletes more than a batch, so others get their turn in between."""
    sizes = []
    call = changes.DeleteRows.__call__
    monkeypatch.setattr(
        changes.DeleteRows, "__call__", lambda self, made: (sizes.append(len(self.rows)), call(self, made))[1]
    )
    with Engine.open(tmp_path / "data") as engine:
        ingest(engine, documents(Random("batches"), 600))
        assert engine.delete_where(published_after=NOON) == 600
    assert sizes == [EXPIRY_BATCH, EXPIRY_BATCH, 600 - 2 * EXPIRY_BATCH]


@pytest.mark.parametrize("way", ["by id", "by filter", "by corpus", "by replacing"])
def test_nothing_of_a_deleted_document_stays_in_the_files(tmp_path: Path, way: str) -> None:
    """Its title, id and source, and the bytes of its text, are in no file when the call is answered, or soon after."""
    folder = tmp_path / "data"
    text = article(Random("takedown"), 400)
    target = Document(id="TAKEDOWN-ID-1", text=text, title="TAKEDOWN-TITLE", source="takedown.example")
    frame = compress(text.encode())
    needles = (b"TAKEDOWN-TITLE", b"takedown.example", frame[40:140], frame[-100:])
    with Engine.open(folder) as engine:
        engine.create_corpus("news")
        ingest(engine, documents(Random("others"), 50), "news")
        engine.ingest(target, "news")
        ingest(engine, documents(Random("later"), 50, "e"), "news")
        assert len(next(iter(files_with(folder, *needles).values()))) >= 3
        if way == "by id":
            engine.delete(target.id, "news")
        elif way == "by filter":
            assert engine.delete_where("news", source="takedown.example") == 1
        elif way == "by corpus":
            engine.delete_corpus("news")
            wait_until(lambda: not files_with(folder, *needles))
        else:
            other = Document(id=target.id, text="متن دیگری که به جای آن آمد و هیچ به آن نمی‌ماند")
            engine.ingest(other, "news", replace=True)
            wait_until(lambda: not files_with(folder, *needles))
        assert files_with(folder, *needles) == {}
    assert files_with(folder, *needles) == {}


def test_a_long_read_only_delays_the_erasure(tmp_path: Path) -> None:
    """A reader that holds the log is not waited for; when it is gone the log is erased in the background."""
    folder = tmp_path / "data"
    with Engine.open(folder) as engine:
        engine.ingest(Document(id="a", text=article(Random(3), 300), title="HELD-BY-A-READER"))
        held: list[float] = []

        def while_copying(done: int, _: int) -> None:
            if not held:
                start = time.monotonic()
                assert engine.delete("a")
                held.append(time.monotonic() - start)

        copy_database(folder / "baznashr.sqlite3", tmp_path / "copy.sqlite3", while_copying)
        assert held[0] < 2
        wait_until(lambda: not files_with(folder, b"HELD-BY-A-READER"))


def test_expiry_forgets_and_frees(tmp_path: Path) -> None:
    """What falls out of the window is neither matched nor kept, table and disk are freed, what is inside stays."""
    content = documents(Random("window"), 700, words=60)
    folder = tmp_path / "data"
    with Engine.open(folder) as engine:
        engine.create_corpus("news", window_days=30)
        ingest(engine, content, "news")
        memory = len(live(engine._corpora["news"].index))
        later = Document(id="later", text=article(Random("later")), published_at=NOON + 44 * DAY + timedelta(hours=12))
        assert engine.ingest(later, "news").stored
        # The window begins at day 14 and a half: at once for answers, ...
        old = next(d for d in content if d.published_at and d.published_at < NOON + 14 * DAY)
        young = next(d for d in content if d.published_at and d.published_at > NOON + 15 * DAY)
        assert engine.check(old.text, "news").verdict is Verdict.NEW
        assert engine.check(young.text, "news").verdict is Verdict.EXACT
        # ... soon for the store and the tables.
        kept = {d.id for d in content if d.published_at and d.published_at >= NOON + 14 * DAY + timedelta(hours=12)}
        wait_until(lambda: engine.corpus_stats("news").documents == len(kept) + 1)
        assert len(live(engine._corpora["news"].index)) < memory / 2
        engine.get(min(kept), "news")
        with pytest.raises(DocumentNotFound):
            engine.get(old.id, "news")
        again = engine.ingest(old, "news")
        assert (again.verdict, again.stored, again.replayed) == (Verdict.NEW, False, False)
        assert engine.corpus_stats("news").documents == len(kept) + 1
        # Free pages are taken by what comes next: the file does not grow.
        wait_until(lambda: not engine._store.log_is_to_be_erased)
        size = (folder / "baznashr.sqlite3").stat().st_size
        refill = [replace(d, published_at=later.published_at) for d in documents(Random("refill"), 300, "f", words=60)]
        ingest(engine, refill, "news")
    assert (folder / "baznashr.sqlite3").stat().st_size <= size * 1.1


def test_no_text_of_what_is_gone_is_kept_at_hand(tmp_path: Path) -> None:
    """Deleted, replaced or expired, a document leaves memory too; one that was not replaced after all stays there."""
    content = documents(Random("at hand"), 6)
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news", window_days=30)
        rows = {}
        for document in content:
            engine.ingest(document, "news")
            rows[document.id] = engine._row(document.id, "news").row

        def at_hand() -> set[str]:
            return {document_id for document_id, row in rows.items() if engine._bodies.get(row)}

        assert at_hand() == {"d0", "d1", "d2", "d3", "d4", "d5"}
        late = replace(content[1], text=article(Random(7)), published_at=NOON - 40 * DAY)
        assert not engine.ingest(late, "news", replace=True).stored
        assert at_hand() == {"d0", "d1", "d2", "d3", "d4", "d5"}
        engine.ingest(replace(content[1], text=article(Random(7))), "news", replace=True)
        assert at_hand() == {"d0", "d2", "d3", "d4", "d5"}
        engine.delete("d2", "news")
        assert engine.delete_where("news", source="s1.example") == 3  # d1 as it is now, d3 and d5
        assert at_hand() == {"d0", "d4"}
        engine.ingest(replace(content[0], id="later", published_at=NOON + 40 * DAY), "news")
        wait_until(lambda: not at_hand())


@pytest.mark.parametrize("name", ["default", "news"])
def test_no_text_of_a_deleted_corpus_is_kept_at_hand(tmp_path: Path, name: str) -> None:
    """Its documents leave memory at once, though they leave the store in pieces; also where the corpus stays."""
    with Engine.open(tmp_path / "data") as engine:
        if name != "default":
            engine.create_corpus(name)
        ingest(engine, documents(Random("at hand"), 6), name)
        rows = [engine._row(f"d{number}", name).row for number in range(6)]
        assert all(map(engine._bodies.get, rows))
        engine.delete_corpus(name)
        assert not any(map(engine._bodies.get, rows))


def test_the_clock_stays_when_the_newest_document_goes(tmp_path: Path) -> None:
    """What lay before the window still does after a deletion and a restart; a corpus of the same name begins anew."""
    old, new = (
        Document(id=n, text=article(Random(n)), published_at=NOON + d * DAY) for n, d in (("old", 0), ("new", 40))
    )
    folder = tmp_path / "data"
    with Engine.open(folder) as engine:
        engine.create_corpus("news", window_days=30)
        assert engine.ingest(new, "news").stored
        assert engine.delete("new", "news")
    with Engine.open(folder) as engine:
        assert not engine.ingest(old, "news").stored
        engine.delete_corpus("news")
        engine.create_corpus("news", window_days=30)
    with Engine.open(folder) as engine:
        assert engine.ingest(old, "news").stored


def test_expiry_comes_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction of expiry deletes a bounded number of documents."""
    sizes: list[int] = []
    call = changes.Expire.__call__

    def counted(self: changes.Expire, made: Changes) -> int:
        sizes.append(call(self, made))
        return sizes[-1]

    monkeypatch.setattr(changes.Expire, "__call__", counted)
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news", window_days=30)
        ingest(engine, documents(Random("expiry"), 600), "news")
        engine.ingest(Document(id="later", text="خبری از آینده", published_at=NOON + 200 * DAY), "news")
        wait_until(lambda: engine.corpus_stats("news").documents == 1)
    assert max(sizes) == EXPIRY_BATCH
    assert sum(sizes) == 600


def test_a_dropped_corpus_frees_rows_and_disk_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is free at once, its rows go in batches, others are untouched, and the file shrinks."""
    monkeypatch.setattr(upkeep, "MIN_FREE_PAGES", 16)
    folder = tmp_path / "data"
    content = documents(Random("drop"), 600, words=300)
    with Engine.open(folder) as engine:
        engine.create_corpus("news")
        ingest(engine, content[:50])
        ingest(engine, content, "news")
        size = (folder / "baznashr.sqlite3").stat().st_size + (folder / "baznashr.sqlite3-wal").stat().st_size
        engine.delete_corpus("news")
        engine.create_corpus("news")
        assert engine.ingest(content[0], "news").verdict is Verdict.NEW
        wait_until(lambda: not engine._store.is_dropping())
        wait_until(lambda: engine._store.free_share()[1] <= upkeep.MAX_FREE_SHARE)
        assert engine.corpus_stats("news").documents == 1
        assert engine.corpus_stats().documents == 50
        assert engine.check(content[1].text).verdict is Verdict.EXACT
    assert (folder / "baznashr.sqlite3").stat().st_size < size / 3


def test_dropping_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Rows of a dropped corpus that were still there at the end are deleted by the next owner."""
    folder = tmp_path / "data"
    with Engine.open(folder) as engine:
        ingest(engine, documents(Random("restart"), 300))
        engine._writer._idle = lambda: None
        engine.delete_corpus("default")
        assert engine._store.is_dropping()
    with Engine.open(folder) as engine:
        wait_until(lambda: not engine._store.is_dropping())
        assert engine.corpus_stats().documents == 0


def test_a_giant_cluster_is_dissolved_without_quadratic_work(tmp_path: Path) -> None:
    """A cluster of thousands of copies is deleted at a cost that grows with its size, not with its square."""
    rng = Random("giant")
    text = article(rng, 60)
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("small")
        seconds = {}
        for corpus, count in (("small", 1000), ("default", 4000)):
            copies = [
                Document(id=f"c{i}", text=text, source="s.example", published_at=NOON + timedelta(seconds=i))
                for i in range(count)
            ]
            ingest(engine, copies, corpus)
            start = time.process_time()
            assert engine.delete_where(corpus, source="s.example") == count
            seconds[corpus] = time.process_time() - start
        assert seconds["default"] < 10 * seconds["small"], seconds
        assert engine.check(text).verdict is Verdict.NEW
