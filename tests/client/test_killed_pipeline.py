"""A pipeline that is itself killed, again and again, while the service comes and goes."""

import random
import subprocess
import sys
from itertools import islice

import pytest

from baznashr import errors
from baznashr._batching import MAX_ITEMS
from baznashr.testing import StubServer

ARTICLES = 400
IN_HAND = 2 * MAX_ITEMS
"""A batch that goes to the disk at the moment of the kill, and the one read behind it."""
PROGRAM = """
import os, sys, time
from itertools import islice
from pathlib import Path
from baznashr import Client, Document
from baznashr.pipeline import RepeatGuard

address, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
place, store = folder / "settled", os.open(folder / "stored", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
settled = int(place.read_text() or 0) if place.exists() else 0
counter = os.open(place, os.O_CREAT | os.O_WRONLY)

def feed():
    for n in range(settled, number):
        time.sleep(0.001)
        yield Document(f"d{n}", f"text {n}")

def progress(count):
    os.pwrite(counter, b"%08d" % (settled + count), 0)

def keep(document):
    os.write(store, f"{document.id}\\n".encode())
    print(document.id, flush=True)

with Client(address) as client:
    with RepeatGuard(client, on_unavailable="spool", spool=folder / "spool", max_pause=0.05) as guard:
        for document in guard.only_new(feed(), progress=progress):
            keep(document)
        while guard.waiting:
            for late in guard.replayed():
                keep(late.document)
            time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="spools need POSIX locks")
def test_a_killed_pipeline_loses_nothing(tmp_path, seed):
    """Going on from progress and spool, every article is stored, in order, and again at most what was in hand."""
    rng = random.Random(seed)
    kills = 0
    with StubServer() as server:
        while True:
            server.fail(errors.ReadOnly("The disk is full."), times=rng.randrange(3))
            command = [sys.executable, "-c", PROGRAM, server.address, tmp_path, str(ARTICLES)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pipeline:
                enough = rng.randint(1, 150)
                if len(list(islice(pipeline.stdout, enough))) < enough:
                    assert pipeline.wait() == 0
                    break
                pipeline.kill()
                kills += 1
    stored = (tmp_path / "stored").read_text().split()
    print(f"killed {kills} times, {len(stored) - ARTICLES} stored again")
    assert list(dict.fromkeys(stored)) == [f"d{n}" for n in range(ARTICLES)]
    assert kills
    assert len(stored) <= ARTICLES + kills * IN_HAND
