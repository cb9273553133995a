"""A real Prometheus beside a real server: what it scrapes, what the rules give, and an alert that fires."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from baznashr import Client, Document
from tests.support.server import serving

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
DASHBOARD = PROMETHEUS.parent / "grafana" / "baznashr.json"
TEXT = "کتابخانه مرکزی شهر با پنجاه هزار جلد کتاب پس از بازسازی دوباره به روی خوانندگان گشوده شد و نخستین روز شلوغ بود."
WAIT_SECONDS = 60
program = shutil.which("prometheus")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(program is None, reason="prometheus is not on the PATH (Debian: prometheus)"),
]


class Api:
    """The HTTP API of a Prometheus."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of one answer of the API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        """Return the value now of each series of *expression*."""
        return [float(series["value"][1]) for series in self.get("query", query=expression)["result"]]

    def wait_for(self, expression: str, holds: Callable[[float], bool]) -> float:
        """Return the value of the one series of *expression* once it holds."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            if values := self.values(expression):
                (value,) = values
                if holds(value):
                    return value
            time.sleep(0.5)
        pytest.fail(f"{expression} is {self.values(expression)} after {WAIT_SECONDS} seconds")


@contextmanager
def scraping(folder: Path, target: str) -> Iterator[Api]:
    """Run a Prometheus with the project's rules and alerts, quicker than in production, on *target*."""
    for name in ("rules.yml", "alerts.yml"):
        text = (PROMETHEUS / name).read_text(encoding="utf-8")
        (folder / name).write_text(re.sub(r"for: \d+m", "for: 2s", text), encoding="utf-8")
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert program is not None
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        wait_until_ready(address, folder / "prometheus.log")
        yield Api(address)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(address: str, log: Path) -> None:
    """Wait until Prometheus answers; fail with its log where it does not."""
    for _ in range(WAIT_SECONDS * 5):
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"Prometheus did not become ready:\n{log.read_text()}")


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
        unanswered = [query for query in panel_queries() if not api.values(query)]
        assert [query for query in unanswered if "shadow" not in query] == []
        assert api.values('ALERTS{alertname=~"BaznashrDown|BaznashrNotServing|BaznashrReadOnly"}') == []

        server.signal(signal.SIGKILL)
        assert api.wait_for('ALERTS{alertname="BaznashrDown",alertstate="firing"}', bool) == 1
        (alert,) = [each for each in api.get("alerts")["alerts"] if each["labels"]["alertname"] == "BaznashrDown"]
        assert alert["annotations"]["description"] == f"Not scraped for two minutes: {server.metrics}."


def panel_queries() -> Iterator[str]:
    """Yield the dashboard's queries as Grafana would send them."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "1m")
            yield query.replace("$job", "baznashr").replace("$instance", ".+")
