"""A real Prometheus beside a real server: what it scrapes, what the rules give, and an alert that fires."""

import re
import signal
import time
from pathlib import Path

import pytest

from baznashr import Client, Document
from baznashr_server.store.backup import backup_folder
from tests.support.prometheus import DASHBOARD, panel_queries, program, scraping
from tests.support.server import serving

TEXT = "کتابخانه مرکزی شهر با پنجاه هزار جلد کتاب پس از بازسازی دوباره به روی خوانندگان گشوده شد و نخستین روز شلوغ بود."
HAS_NONE = re.compile("shadow|last_expiry|certificate_expiry|refusals_total|tokens|secrets_unusable")
"""In queries that have no answer in this test: nothing expires, is refused, or is secret."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(program is None, reason="prometheus is not on the PATH (Debian: prometheus)"),
]


def test_prometheus_sees_a_server(tmp_path: Path) -> None:
    """Rules have the values of the load, every panel's query is answered, nothing fires, and a killed server does."""
    with serving(tmp_path / "data") as server, scraping(tmp_path, server.metrics) as api:
        assert api.wait_for('up{job="baznashr"}', bool) == 1
        with Client(server.listen) as client:
            for number in range(40):
                client.ingest(Document(id=f"copy-{number}", text=TEXT))
                time.sleep(0.1)
        assert api.wait_for("instance:baznashr_repeated:ratio_rate1h", lambda value: value > 0) <= 1
        method = 'instance_method:grpc_server_handled:rate5m{grpc_method="IngestDocument"}'
        assert api.wait_for(method, lambda value: value > 0) > 0
        assert api.wait_for("instance:grpc_server_errors:ratio_rate5m", lambda value: value == 0) == 0
        assert 0 < api.wait_for("instance:baznashr_commit_seconds:p99_5m", lambda value: value > 0) <= 5
        api.wait_for('baznashr_index_documents{corpus="default"}', lambda value: value == 40)

        groups = api.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []
        assert len(rules) > 15
        backup_folder(server.data, tmp_path / "backup")
        api.wait_for("time() - baznashr_last_backup_timestamp_seconds", lambda age: age < 60)
        queries = [query for panel in DASHBOARD["panels"] for query, _ in panel_queries(panel)]
        assert [query for query in queries if not api.values(query) and not HAS_NONE.search(query)] == []
        assert api.values('ALERTS{alertname=~"BaznashrDown|BaznashrNotServing|BaznashrReadOnly"}') == []

        server.signal(signal.SIGKILL)
        assert api.wait_for('ALERTS{alertname="BaznashrDown",alertstate="firing"}', bool) == 1
        (alert,) = [each for each in api.get("alerts")["alerts"] if each["labels"]["alertname"] == "BaznashrDown"]
        assert alert["annotations"]["description"] == f"Not scraped for two minutes: {server.metrics}."
