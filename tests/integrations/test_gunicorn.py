"""A web application under gunicorn, loaded before its workers are forked."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("gunicorn", reason="the dependency group integrations is not installed")
pytestmark = pytest.mark.packaging

APPLICATION = """
import os
from baznashr import Client

client = Client(os.environ["BAZNASHR_SERVER"])  # before the fork, and first used after it

def application(environ, start_response):
    verdict = client.check("خبر کوتاه درباره‌ی باران امروز").verdict
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {verdict}".encode()]
"""
CONFIGURATION = """
from baznashr import Client

preload_app = True
workers = 2

def on_starting(server):  # the parent has a client of its own, and uses it
    import os
    with Client(os.environ["BAZNASHR_SERVER"]) as client:
        print("parent", client.server_status().profile, flush=True)
"""
GIVE_UP_SECONDS = 40


def test_a_client_made_at_import_serves_every_worker(baznashr_address, tmp_path):
    """With preload_app each forked worker gets its answers by the client of the module, and ends cleanly."""
    (tmp_path / "web.py").write_text(APPLICATION, encoding="utf-8")
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    log = (tmp_path / "log").open("w+")
    command = [Path(sys.executable).with_name("gunicorn"), "-c", "conf.py", "--bind", "127.0.0.1:0", "web:application"]
    # As docs/client/connections.md says for a parent that makes calls: without it 2 of 14 runs hung.
    environment = os.environ | {"BAZNASHR_SERVER": baznashr_address, "GRPC_ENABLE_FORK_SUPPORT": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while "Listening at" not in (text := Path(log.name).read_text()):
            assert time.monotonic() < give_up, text
            assert process.poll() is None, text
            time.sleep(0.1)
        address = text.split("Listening at: ")[1].split()[0]
        answers = set()
        while len({pid for pid, _ in answers}) < 2:
            assert time.monotonic() < give_up, answers
            with urllib.request.urlopen(address, timeout=20) as answer:
                answers.add(tuple(answer.read().decode().split()))
    finally:
        process.terminate()
        code = process.wait(20)
        log.close()
    assert {verdict for _, verdict in answers} == {"NEW"}
    text = Path(log.name).read_text()
    assert (code, "Traceback" in text, "parent fa-1" in text) == (0, False, True), text
