"""What goes into the store comes out, whole and once it is committed."""

import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baznashr_server.profile import FA_1
from baznashr_server.store.folder import DataFolder
from baznashr_server.store.rows import ClusterRow, CorpusRow, DocumentRow, IndexedRow, OverrideRow
from baznashr_server.store.store import Store
from tests.store.rows import INT64, TEXT, corpus_row, document_row, document_rows

FAST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@contextmanager
def transaction(store: Store) -> Iterator[None]:
    """Commit what is written inside."""
    store.begin()
    yield
    store.commit()


def insert(store: Store, row: DocumentRow) -> DocumentRow:
    """Store a document under the next row number; return it as it lies there."""
    row = row._replace(row=store.next_row())
    store.insert_document(row)
    return row


def drop(store: Store, corpus: int) -> None:
    """Drop a corpus, and delete its documents two at a time."""
    store.drop_corpus(corpus)
    while store.is_dropping():
        store.delete_dropped(2)


def elsewhere[T](read: Callable[[], T]) -> T:
    """Return what another thread reads."""
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(read()))
    thread.start()
    thread.join()
    return answers[0]


def indexed(row: DocumentRow) -> IndexedRow:
    """What of a document is in the tables: its passages where it is there with them."""
    passages = row.passages if row.indexed == 2 else b""
    return IndexedRow(row.row, row.digest, row.signature, passages, row.letters, row.time, row.source)


@FAST
@given(rows=st.lists(document_rows, max_size=6, unique_by=lambda row: (row.corpus, row.id)))
def test_documents_come_back(store: Store, rows: list[DocumentRow]) -> None:
    """Every field of a document survives, NUL and odd characters in texts too."""
    with transaction(store):
        stored = [insert(store, row) for row in rows]
    for row in stored:
        assert store.document(row.corpus, row.id) == store.document_at(row.row) == row
        assert row.time == (row.arrived if row.published is None else row.published)
    in_tables = sorted((row for row in stored if row.indexed), key=lambda row: (row.corpus, row.row))
    assert [row for corpus in (1, 2, 3) for row in store.indexed_documents(corpus)] == list(map(indexed, in_tables))
    with transaction(store):
        for row in stored:
            store.delete_document(row.row)
    assert all(store.document_at(row.row) is None for row in stored)


@FAST
@given(
    corpus=st.builds(CorpusRow, st.just(0), TEXT, INT64, st.booleans(), TEXT, INT64, INT64),
    override=st.builds(OverrideRow, INT64, TEXT, TEXT, st.none() | TEXT, TEXT, INT64),
)
def test_corpora_and_overrides_come_back(store: Store, corpus: CorpusRow, override: OverrideRow) -> None:
    """Every field of a corpus and of an override survives; an override replaces the one before."""
    with transaction(store):
        number = store.insert_corpus(corpus)
        store.put_override(override)
        store.put_override(replace(override, note=override.note + "!"))
    assert store.corpora() == [replace(corpus, corpus=number)]
    latest = replace(override, note=override.note + "!")
    assert store.overrides_of(override.corpus, [override.document_id]) == {override.document_id: latest}
    assert len(store.overrides(override.corpus)) == 1
    with transaction(store):
        changed = replace(corpus, corpus=number, window_days=1, policy="p", policy_revision=9)
        store.update_corpus(changed)
    assert store.corpora() == [changed]
    with transaction(store):
        drop(store, number)
        drop(store, override.corpus)
    assert store.corpora() == store.overrides(override.corpus) == []


def test_overrides_are_listed_by_time_and_corpus(store: Store) -> None:
    """The oldest first, of one corpus only."""
    with transaction(store):
        for corpus, document_id, created in [(1, "b", 3), (1, "a", 9), (2, "c", 1), (1, "z", 3)]:
            store.put_override(OverrideRow(corpus, document_id, "NOT_REPEAT", None, "", created))
    assert [row.document_id for row in store.overrides(1)] == ["b", "z", "a"]
    assert store.overrides_of(1, ["c"]) == {}


def test_clusters_and_their_members(store: Store) -> None:
    """A cluster names its centre; its members come in order of arrival, as many as asked for."""
    with transaction(store):
        cluster = 300
        store.insert_cluster(cluster, 1, 77)
        rows = [insert(store, document_row(id=str(i), cluster=cluster)).row for i in range(5)]
        loner = insert(store, document_row(id="loner", cluster=0)).row
    assert store.cluster(cluster) == ClusterRow(cluster, 1, 77, pinned=False)
    assert [row.row for row in store.members(cluster, 3)] == rows[:3]
    assert store.count_members(cluster) == 5
    with transaction(store):
        store.update_cluster(cluster, rows[1], pinned=True)
        store.set_cluster(loner, cluster)
        store.set_indexed(loner, 2)
    assert store.cluster(cluster) == ClusterRow(cluster, 1, rows[1], pinned=True)
    assert store.count_members(cluster) == 6
    found = store.document_at(loner)
    assert found is not None
    assert (found.cluster, found.indexed) == (cluster, 2)
    with transaction(store):
        store.delete_cluster(cluster)
    assert store.cluster(cluster) is None


def test_a_deleted_corpus_takes_its_rows_along(store: Store) -> None:
    """Documents, clusters and overrides of the corpus go, those of another stay, and its number is not used again."""
    with transaction(store):
        one, other = store.insert_corpus(corpus_row(name="one")), store.insert_corpus(corpus_row(name="other"))
        clusters = [10 + one, 10 + other]
        for corpus in (one, other):
            store.insert_cluster(10 + corpus, corpus, 1)
            for name in ("a1", "a2", "a3", "a4"):
                insert(store, document_row(corpus=corpus, id=name, cluster=10 + corpus))
            store.put_override(OverrideRow(corpus, "a1", "NOT_REPEAT", None, "", 0))
    with transaction(store):
        drop(store, other)
        assert store.insert_corpus(corpus_row(name="third")) > other
    assert [row.name for row in store.corpora()] == ["one", "third"]
    assert store.document(one, "a1") is not None
    assert [store.count_and_newest(corpus)[0] for corpus in (one, other)] == [4, 0]
    assert [bool(store.cluster(cluster)) for cluster in clusters] == [True, False]
    assert (len(store.overrides(one)), store.overrides(other)) == (1, [])


def test_ids_and_names_are_unique(store: Store) -> None:
    """One id a corpus, one corpus a name; the same id in two corpora is two documents."""
    store.begin()
    store.insert_corpus(corpus_row())
    insert(store, document_row())
    insert(store, document_row(corpus=2))
    with pytest.raises(apsw.ConstraintError):
        store.insert_corpus(corpus_row())
    insert(store, document_row())
    with pytest.raises(apsw.ConstraintError):
        store.commit()
    store.rollback()


def test_row_numbers_are_never_used_again(folder: DataFolder) -> None:
    """A row number is higher than any before it, those of deleted documents and of earlier runs too."""
    store = Store(folder, FA_1)
    with transaction(store):
        numbers = [insert(store, document_row(id=str(i))).row for i in range(3)]
        store.delete_document(numbers[-1])
    numbers.append(store.next_row())
    assert numbers == sorted(set(numbers))
    store.close()
    again = Store(folder, FA_1)
    assert again.next_row() > numbers[2]
    again.close()


def test_rollback_leaves_nothing(store: Store) -> None:
    """Nothing written since `begin` is left in any table, and the store takes the next transaction."""
    store.begin()
    corpus = store.insert_corpus(corpus_row())
    cluster = 12
    store.insert_cluster(cluster, corpus, 1)
    row = insert(store, document_row(corpus=corpus)).row
    store.put_override(OverrideRow(corpus, "a1", "NOT_REPEAT", None, "", 0))
    assert store.document_at(row) is not None
    store.rollback()
    assert store.corpora() == store.overrides(corpus) == []
    assert store.cluster(cluster) is store.document_at(row) is None
    store.rollback()
    with transaction(store):
        store.insert_corpus(corpus_row())
    assert len(store.corpora()) == 1


def test_a_savepoint_undoes_its_part_alone(store: Store) -> None:
    """What came before it stays in the transaction, and what a released one wrote; one inside it goes with it."""
    with transaction(store):
        kept = insert(store, document_row(id="kept"))
        store.savepoint("part")
        insert(store, document_row(id="undone"))
        store.savepoint("inner")
        insert(store, document_row(id="undone with it"))
        store.rollback_to_savepoint("part")
        store.savepoint("part")
        released = insert(store, document_row(id="released"))
        store.release_savepoint("part")
    assert list(store.indexed_documents(1)) == [indexed(kept), indexed(released)]


def test_others_see_the_last_commit(store: Store) -> None:
    """The writing thread reads its own transaction; other threads read what was committed."""
    store.begin()
    row = insert(store, document_row()).row
    assert store.document_at(row) is not None
    assert elsewhere(lambda: store.document_at(row)) is None
    store.commit()
    assert elsewhere(lambda: store.document_at(row)) == store.document_at(row) is not None


def test_commits_survive_a_crash(folder: DataFolder, store: Store, tmp_path: Path) -> None:
    """The files as they lie when `commit` returned hold the transaction, and nothing of one that is open."""
    with transaction(store):
        row = insert(store, document_row(title="committed")).row
    store.begin()
    insert(store, document_row(id="open"))
    shutil.copytree(folder.path, tmp_path / "crashed")
    store.rollback()
    copy = DataFolder.acquire(tmp_path / "crashed")
    reopened = Store(copy, FA_1)
    assert reopened.document_at(row) == store.document_at(row) is not None
    assert reopened.document(1, "open") is None
    reopened.close()
    copy.release()


def test_reopening_finds_everything(folder: DataFolder) -> None:
    """A closed store, opened again and again, holds what it held."""
    stored: list[DocumentRow] = []
    for time in range(3):
        store = Store(folder, FA_1)
        assert list(store.indexed_documents(1)) == list(map(indexed, stored))
        with transaction(store):
            stored.append(insert(store, document_row(id=f"متن {time}", text=bytes(time * 5000))))
        store.close()


def test_commits_wait_for_the_disk(store: Store) -> None:
    """The log is synced at each commit; every page carries a checksum, which no memory map gets around."""
    pragmas = {
        name: store._writer.execute(f"PRAGMA {name}").get for name in ("journal_mode", "synchronous", "mmap_size")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "mmap_size": 0}
    assert store._writer.execute("PRAGMA page_size").get == 8192
    assert store._writer.reserve_bytes("main") == 8
    assert store._writer.execute("PRAGMA checksum_verification").get == "1"


def test_readers_cannot_write(store: Store) -> None:
    """A reading connection refuses to write."""
    assert store.corpora() == []
    with pytest.raises(apsw.ReadOnlyError):
        store._reader().execute("DELETE FROM documents")


def test_statistics_count_what_is_there(store: Store) -> None:
    """Counts over random documents equal those made by hand, and other corpora do not count."""
    rng = random.Random(9)
    rows = [
        document_row(
            corpus=rng.choice([1, 2]),
            id=str(i),
            published=rng.choice([None, rng.randrange(100)]),
            text=rng.choice([None, bytes(rng.randrange(9))]),
            text_bytes=rng.randrange(100),
            indexed=rng.randrange(3),
            cluster=rng.randrange(30),
            verdict=rng.choice(["NEW", "EXACT"]),
            judgement=rng.choice(["{}", '{"self_repetition": {"share": 0.4}}', '{"self_repetition": {"share": 0.0}}']),
        )
        for i in range(80)
    ]
    with transaction(store):
        for row in rows:
            insert(store, row)
    own = [row for row in rows if row.corpus == 1]
    sizes = Counter(row.cluster for row in own)
    assert store.statistics(1) == {
        "documents": len(own),
        "indexed": sum(row.indexed > 0 for row in own),
        "text_bytes": sum(row.text_bytes for row in own),
        "stored_bytes": sum(len(row.text or b"") for row in own),
        "newest": max(row.published for row in own if row.published is not None),
        "self_repeating": sum("0.4" in row.judgement for row in own),
        "verdicts": dict(Counter(row.verdict for row in own)),
        "clusters": sum(size > 1 for size in sizes.values()),
    }
    nothing = store.statistics(9)
    assert (nothing["documents"], nothing["newest"], nothing["verdicts"], nothing["clusters"]) == (0, None, {}, 0)


def test_the_oldest_are_found_for_expiry(store: Store) -> None:
    """Documents before a time come oldest first, as many as asked for; an unknown publish time is the arrival's."""
    with transaction(store):
        for name, published, arrived in [("a", 5, 50), ("b", None, 3), ("c", 9, 50), ("d", 4, 50), ("e", None, 60)]:
            insert(store, document_row(id=name, published=published, arrived=arrived))
        insert(store, document_row(corpus=2, published=1))
    assert [row.id for row in store.documents_before(1, 9, 10)] == ["b", "d", "a"]
    assert [row.id for row in store.documents_before(1, 100, 2)] == ["b", "d"]
    assert store.documents_before(1, 3, 10) == []


def test_the_newest_time_is_capped_at_arrival(store: Store) -> None:
    """A corpus's clock is its newest publish time, but never ahead of the arrival of the document that says so."""
    assert store.count_and_newest(1) == (0, None)
    with transaction(store):
        insert(store, document_row(id="a", published=5, arrived=50))
        insert(store, document_row(id="b", published=10**9, arrived=40))
        insert(store, document_row(id="c", published=None, arrived=30))
        insert(store, document_row(corpus=2, published=1000, arrived=1000))
    assert store.count_and_newest(1) == (3, 40)
