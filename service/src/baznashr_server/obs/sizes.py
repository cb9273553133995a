"""Sizes of the index, read from the engine at each scrape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Sizes = Mapping[str, Mapping[str, float]]

OTHERS = "_others"
"""Label of the corpora that are not exported by name; no corpus can be called so."""

_HELP = {
    "documents": "Documents stored.",
    "indexed": "Documents that later ones are compared with.",
    "memory_bytes": "Memory of the tables, in bytes.",
    "largest_bucket": "Entries of the fullest bucket.",
    "dropped_postings": "Entries left out because their bucket was full.",
    "boilerplate_passages": "Passages that too many stories hold, of the corpus or of one source.",
}
_NAMES = {"largest_bucket": "largest_bucket_entries"}
"""Metrics that are not called as the engine calls the size: only a histogram's series may end in ``_bucket``."""


class SizesCollector(Collector):
    """Exports the corpora called *names* one by one and all others as one, which bounds the number of series."""

    def __init__(self, read: Callable[[], Sizes], names: Iterable[str]) -> None:
        self._read = read
        self._names = tuple(names)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        sizes = self._read()
        others = [size for corpus, size in sizes.items() if corpus not in self._names]
        for key, description in _HELP.items():
            family = GaugeMetricFamily(f"baznashr_index_{_NAMES.get(key, key)}", description, labels=["corpus"])
            for corpus in self._names:
                family.add_metric([corpus], sizes.get(corpus, {}).get(key, 0))
            together = max if key == "largest_bucket" else sum
            family.add_metric([OTHERS], together([size[key] for size in others] or [0]))
            yield family
        snapshots = GaugeMetricFamily(
            "baznashr_index_snapshot_timestamp_seconds",
            "When the tables' snapshot last held what they do, since 1970; 0 where it never did, now if none is due.",
            labels=["corpus"],
        )
        for corpus in self._names:
            snapshots.add_metric([corpus], sizes.get(corpus, {}).get("snapshot_time", time.time()))
        snapshots.add_metric([OTHERS], min((size["snapshot_time"] for size in others), default=time.time()))
        yield snapshots
        corpora = GaugeMetricFamily("baznashr_corpora", "Corpora, the default one included.")
        corpora.add_metric([], len(sizes))
        yield corpora
