"""What is left of clients, guards and servers that were closed: nothing."""

import subprocess
import sys

from baznashr.testing import StubServer

PROGRAM = """
import asyncio, gc, sys, threading, time
from baznashr import AsyncClient, Client, Document
from baznashr.errors import ReadOnly
from baznashr.pipeline import AsyncRepeatGuard, RepeatGuard, only_new

address, folder = sys.argv[1:]
documents = [Document(id=f"d{number}", text=str(number)) for number in range(200)]

def threads():
    with Client(address) as client:
        client.check("text")
        next(client.ingest_many(documents))  # left early
        next(only_new(client, documents, on_unavailable="spool", spool=folder))  # left early
        gc.collect()
        with RepeatGuard(client, on_unavailable="spool", spool=folder) as guard:
            assert len(list(guard.only_new(documents))) == 200
            guard.admit(documents[0])

async def tasks():
    async with AsyncClient(address) as client:
        await client.check("text")
        async for _ in client.ingest_many(documents):
            break
        async for _ in only_new(client, documents):
            break
        async with AsyncRepeatGuard(client, on_unavailable="spool", spool=folder) as guard:
            assert len([document async for document in guard.only_new(documents)]) == 200

threads()
asyncio.run(tasks())
gc.collect()
give_up = time.monotonic() + 5
while threading.active_count() > 1 and time.monotonic() < give_up:
    time.sleep(0.02)
print([thread.name for thread in threading.enumerate()])
"""


def test_nothing_is_left(tmp_path):
    """After everything was used and closed, or left early, no thread runs and Python's development mode is silent."""
    with StubServer() as server:
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, server.address, tmp_path / "spool"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "['MainThread']\n"
