"""A real Prometheus with the project's rules and alerts, scraping a server of this machine."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
DASHBOARD = json.loads((PROMETHEUS.parent / "grafana" / "baznashr.json").read_text(encoding="utf-8"))
WAIT_SECONDS = 60
program = shutil.which("prometheus")


class Api:
    """The HTTP API of a Prometheus."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of one answer of the API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}?{query}", timeout=30) as answer:
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
        raise TimeoutError(f"{expression} is {self.values(expression)} after {WAIT_SECONDS} seconds")


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
        _wait_until_ready(address, folder / "prometheus.log")
        yield Api(address)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(address: str, log: Path) -> None:
    for _ in range(WAIT_SECONDS * 5):
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"Prometheus did not become ready:\n{log.read_text()}")


def panel_queries(panel: dict[str, Any], interval: str = "1m") -> Iterator[tuple[str, str]]:
    """Yield a panel's queries as Grafana would send them, each with its legend."""
    for target in panel.get("targets", ()):
        query = target["expr"].replace("$__rate_interval", interval)
        yield query.replace("$job", "baznashr").replace("$instance", ".+"), target["legendFormat"]
