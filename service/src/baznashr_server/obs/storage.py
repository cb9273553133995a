"""The store on its disk and the writer's queue, read at each scrape."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from baznashr_server.engine.operations import Operations, Storage

FILES = ("database", "log", "snapshots")
_NOTHING = Storage(dict.fromkeys(FILES, 0), 0, 0, None)


class StorageCollector(Collector):
    """Without *operations* it exports its series at zero, for the page of metrics."""

    def __init__(self, operations: Operations | None) -> None:
        self._operations = operations

    def collect(self) -> Iterable[GaugeMetricFamily]:
        waiting, limit = self._operations.writes if self._operations else (0, 0)
        yield GaugeMetricFamily("baznashr_writes_waiting", "Changes that wait for the writer.", waiting)
        yield GaugeMetricFamily(
            "baznashr_writes_waiting_limit", "Changes that may wait; the next is refused as OVERLOADED.", limit
        )
        storage = self._storage()
        files = GaugeMetricFamily("baznashr_store_bytes", "Size of the store on disk, in bytes.", labels=["file"])
        for name in FILES:
            files.add_metric([name], storage.files[name])
        yield files
        yield GaugeMetricFamily("baznashr_disk_bytes", "Size of the store's disk, in bytes.", storage.disk_size)
        yield GaugeMetricFamily(
            "baznashr_disk_free_bytes", "Free on the store's disk for the service, in bytes.", storage.disk_free
        )
        yield GaugeMetricFamily(
            "baznashr_last_backup_timestamp_seconds",
            "When the last backup of the store was taken, since 1970; 0 where none is known.",
            storage.last_backup or 0,
        )

    def _storage(self) -> Storage:
        try:
            return self._operations.storage() if self._operations else _NOTHING
        except OSError:  # the disk is gone, which other metrics tell; the scrape must not fail with it
            return _NOTHING
