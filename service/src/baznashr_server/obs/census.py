"""How clusters and buckets are distributed: counted now and then in a thread of its own, shown at each scrape."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from baznashr.errors import BaznashrError
from baznashr_server.engine.operations import Census
from baznashr_server.obs.sizes import OTHERS

log = logging.getLogger(__name__)

LEAST_REST = 100
"""Times as long as a census took that none is taken."""
TABLES = ("bands", "passages")
BUCKET_ENTRIES = (1, 2, 4, 8, 16, 32, 64)
CLUSTER_DOCUMENTS = (1, 2, 4, 8, 16, 32, 64, 256, 1024)


class CensusCollector(Collector):
    """Takes a census now and then from `start` until `stop`, and shows the last; corpora are bounded as sizes' are."""

    def __init__(self, take: Callable[[], Mapping[str, Census]], names: Iterable[str], seconds: float) -> None:
        self._take = take
        self._names = tuple(names)
        self._seconds = seconds
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="census", daemon=True)
        self._census: Mapping[str, Census] = {}
        self._taken = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; one census is finished first."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        rest = 0.0
        while not self._stopped.wait(rest):
            begun = time.monotonic()
            try:
                self._census = self._take()
                self._taken = time.time()
            except BaznashrError as error:
                log.warning("no census was taken: %s", error.reason)
            except Exception:  # such as no room for a sort's temporary file: the next may be taken
                log.exception("no census was taken")
            rest = max(self._seconds, LEAST_REST * (time.monotonic() - begun))

    def collect(self) -> Iterable[Metric]:
        grouped: dict[str, list[Census]] = {name: [] for name in (*self._names, OTHERS)}
        for corpus, census in self._census.items():
            grouped.get(corpus, grouped[OTHERS]).append(census)
        clusters = GaugeHistogramMetricFamily(
            "baznashr_cluster_documents", "Documents of a cluster, at the last census.", labels=["corpus"]
        )
        buckets = GaugeHistogramMetricFamily(
            "baznashr_index_bucket_entries",
            "Entries under one key of the tables, estimated at the last census.",
            labels=["corpus", "table"],
        )
        rows = GaugeMetricFamily(
            "baznashr_store_row_bytes",
            "Bytes of the rows of documents, estimated at the last census.",
            labels=["corpus"],
        )
        for name, counted in grouped.items():
            _add(clusters, [name], [census.clusters for census in counted], CLUSTER_DOCUMENTS)
            for table in TABLES:
                _add(buckets, [name, table], [census.buckets.get(table, {}) for census in counted], BUCKET_ENTRIES)
            rows.add_metric([name], sum(census.row_bytes for census in counted))
        yield from (clusters, buckets, rows)
        yield GaugeMetricFamily(
            "baznashr_last_census_timestamp_seconds",
            "When clusters and buckets were last counted, since 1970; 0 before the first time.",
            self._taken,
        )


def _add(
    family: GaugeHistogramMetricFamily, labels: list[str], counts: list[Mapping[int, int]], bounds: tuple[int, ...]
) -> None:
    """Add one histogram of *counts*: how many things have which size."""
    sizes: Counter[int] = Counter()
    for each in counts:
        sizes.update(each)
    buckets = [(str(float(bound)), sum(n for size, n in sizes.items() if size <= bound)) for bound in bounds]
    buckets.append(("+Inf", sizes.total()))
    family.add_metric(labels, buckets, sum(size * n for size, n in sizes.items()))
