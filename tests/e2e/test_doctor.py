"""The doctor and a running server."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import start_http_server

from baznashr import Client, Document
from baznashr.errors import ReadOnly
from baznashr_server.cli.doctor import SOME_BROKEN, SOME_WARNINGS, WELL
from baznashr_server.obs.metrics import Metrics
from tests.support.server import environment, serving

TEXT = "گلخانه پژوهشی دانشگاه پس از یک سال بازسازی با دویست گونه گیاه کمیاب به روی دانشجویان و گردشگران گشوده شد."


def doctor(*arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]], str]:
    command = [sys.executable, "-m", "baznashr_server", "doctor", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return done.returncode, found, done.stdout


def test_a_server_is_asked(tmp_path: Path) -> None:
    """By its calls, its metrics and its folder: what is well, and what will not be for ever."""
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        client.ingest(Document("a", TEXT))
        flags = ("--server", server.listen, "--metrics", server.metrics)
        code, found, printed = doctor(str(server.data), *flags)
        assert code == SOME_WARNINGS
        levels = {each["level"] for findings in found.values() for each in findings}
        assert levels <= {"ok", "note", "warning"}
        assert {each["check"] for each in json.loads(printed)["findings"] if each["level"] == "warning"} == {"backup"}
        assert "1 documents" in found["server"][0]["what"]
        assert f"process {server.process.pid} has the folder open" in found["owner"][0]["what"]
        assert found["serving"][0]["what"] == "health says SERVING"
        assert {"queues", "disk", "descriptors", "memory", "read-only"} <= found.keys()
    code, found, _ = doctor(*flags)
    assert code == SOME_BROKEN
    assert "does not answer" in found["server"][0]["what"]
    assert "does not answer" in found["metrics"][0]["what"]


def test_a_server_with_an_admin_address(tmp_path: Path) -> None:
    """At the address of the calls it is well, and says where to ask; at the other it is asked."""
    with serving(tmp_path / "data", "--admin", "127.0.0.1:0") as server:
        code, found, _ = doctor("--server", server.listen)
        assert code == WELL
        assert [(each["level"], each["do"]) for each in found["server"]] == [
            ("note", "name the address that admin is set to")
        ]
        assert doctor("--server", server.admin)[1]["server"][0]["level"] == "ok"


def test_a_server_that_is_starting() -> None:
    """Before its store is open the endpoint has few metrics, which is told as what it is."""
    httpd, thread = start_http_server(0, "127.0.0.1", registry=Metrics().registry)
    try:
        code, found, _ = doctor("--metrics", f"127.0.0.1:{httpd.server_port}")
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
    assert code == SOME_BROKEN
    assert "still starting" in found["serving"][0]["what"]


def test_a_store_that_takes_no_writes(tmp_path: Path) -> None:
    """Is told with the reason, by the server and by its metrics."""
    with serving(tmp_path / "data") as server, Client(server.listen) as client:
        client.ingest(Document("a", TEXT))
        largest = max(file.stat().st_size for file in server.data.iterdir() if file.is_file())
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest, largest))
        with pytest.raises(ReadOnly):
            client.ingest(Document("big", " ".join(map(str, range(100_000)))))
        end = time.monotonic() + 20
        while not server.metric("baznashr_read_only") and time.monotonic() < end:
            time.sleep(0.05)
        code, found, _ = doctor("--server", server.listen, "--metrics", server.metrics)
    assert code == SOME_BROKEN
    assert [each["level"] for each in found["read-only"]] == ["broken", "broken"]
    assert "FullError" in found["read-only"][0]["what"] or "IOError" in found["read-only"][0]["what"]
