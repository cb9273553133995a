"""The census: what it counts is what is stored, and its series are bounded."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import apsw
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from baznashr.errors import StoreDamaged
from baznashr.types import Document
from baznashr_server.engine import Engine
from baznashr_server.engine.operations import Census, storage
from baznashr_server.index.postings import Postings
from baznashr_server.obs.census import CensusCollector
from baznashr_server.obs.sizes import OTHERS
from baznashr_server.obs.storage import StorageCollector
from tests.judge.parts import text


def test_it_counts_what_is_stored(tmp_path: Path) -> None:
    """Clusters by size, keys by entries and the bytes of rows, for each corpus; nothing for an empty one."""
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news")
        for number in range(3):
            engine.ingest(Document(f"copy-{number}", text(("story", 600))))
        engine.ingest(Document("other", text(("other", 400))))
        census = engine.operations.census()
        stored = engine.corpus_stats().stored_bytes
        memory = {name: sizes["indexed"] for name, sizes in engine.sizes().items()}
    assert census["default"].clusters == {3: 1, 1: 1}
    assert census["default"].buckets["bands"] == {1: 25 * memory["default"]}
    assert stored < census["default"].row_bytes < stored + 4 * 8000
    assert census["news"].clusters == {}
    assert census["news"].row_bytes == 0


@pytest.mark.parametrize("most", [10**9, 4000])
def test_bucket_sizes_are_estimated_well(most: int, seed: int) -> None:
    """All partitions give the true distribution, some of them one that is near it."""
    rng = random.Random(seed)
    postings = Postings(64)
    true: Counter[int] = Counter()
    for _ in range(4000):
        key, size = rng.getrandbits(64), rng.choice((1, 1, 1, 2, 7))
        true[size] += 1
        for slot in range(size):
            postings.insert(np.array([key], np.uint64), np.array([slot]))
    found = postings.sample(most).key_sizes()
    if most > postings.entries:
        assert found == true
    for size, count in true.items():
        assert found[size] == pytest.approx(count, rel=0.35)


def test_series_are_bounded_and_sum_up() -> None:
    """Named corpora have a series each, all others one; buckets are cumulative."""
    counted = {name: Census({1: 5, 3: 1, 2000: 1}, {"bands": {1: 2, 64: 1}}, 10) for name in ("default", "a", "b")}
    collector = CensusCollector(lambda: counted, ["default"], 60)
    registry = CollectorRegistry()
    registry.register(collector)
    collector.start()
    while not registry.get_sample_value("baznashr_last_census_timestamp_seconds"):
        time.sleep(0.01)
    collector.stop()
    read = registry.get_sample_value

    def clusters(corpus: str, most: str) -> float | None:
        return read("baznashr_cluster_documents_bucket", {"corpus": corpus, "le": most})

    assert [clusters("default", most) for most in ("1.0", "2.0", "4.0", "1024.0", "+Inf")] == [5, 5, 6, 6, 7]
    assert clusters(OTHERS, "+Inf") == 14
    assert read("baznashr_index_bucket_entries_bucket", {"corpus": OTHERS, "table": "bands", "le": "64.0"}) == 6
    assert read("baznashr_index_bucket_entries_bucket", {"corpus": OTHERS, "table": "passages", "le": "+Inf"}) == 0
    assert read("baznashr_store_row_bytes", {"corpus": OTHERS}) == 20
    labels = {sample.labels["corpus"] for family in registry.collect() for sample in family.samples if sample.labels}
    assert labels == {"default", OTHERS}


@pytest.mark.parametrize("error", [StoreDamaged("a page"), apsw.FullError("no room to sort in")])
def test_a_census_that_fails_is_taken_again(error: Exception) -> None:
    """A damaged store is told by other means, and what is unforeseen by the log; the thread goes on."""
    tries = threading.Semaphore(0)

    def fail() -> dict[str, Census]:
        tries.release()
        raise error

    collector = CensusCollector(fail, [], 0.01)
    collector.start()
    for _ in range(3):
        assert tries.acquire(timeout=10)
    collector.stop()
    assert list(collector.collect())[-1].samples[0].value == 0


def test_storage_is_looked_at(tmp_path: Path) -> None:
    """Sizes and the last backup are those of the folder; a folder that is gone is no reason for a scrape to fail."""
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("a", text(("story", 600))))
        assert engine.operations.storage().last_backup is None
        engine.backup(tmp_path / "copy")
        looked = storage(tmp_path / "data")
        assert looked.files["database"] == (tmp_path / "data" / "baznashr.sqlite3").stat().st_size
        assert 0 < looked.disk_free <= looked.disk_size
        assert time.time() - (looked.last_backup or 0) < 60
        registry = CollectorRegistry()
        registry.register(StorageCollector(engine.operations))
        assert registry.get_sample_value("baznashr_last_backup_timestamp_seconds") == looked.last_backup
        assert registry.get_sample_value("baznashr_writes_waiting_limit") == 4096
        (tmp_path / "data").rename(tmp_path / "gone")
        assert registry.get_sample_value("baznashr_disk_bytes") == 0
        (tmp_path / "gone").rename(tmp_path / "data")
