"""Clients and forks, as in gunicorn and Celery: a client belongs to the process that first uses it."""

import os
import subprocess
import sys

import pytest

from baznashr.testing import StubServer

PROGRAM = """
import os, sys
from baznashr import Client
address, when = sys.argv[1:]
client = Client(address)  # as an application does that is loaded before its workers are forked
if when == "after use":
    client.check("خبر")
child = os.fork()
if child == 0:
    try:
        print("theirs", client.check("خبر").verdict, flush=True)
    except RuntimeError as error:
        print("theirs", error, flush=True)
    client.close()
    with Client(address) as own:
        print("own", own.check("خبر").verdict, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", client.check("خبر").verdict, flush=True)
client.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("when", ["before use", "after use"])
def test_a_fork_has_a_client_of_its_own(when):
    """A client made before the fork works in the child unless the parent has used it: then it says what to do."""
    with StubServer() as server:
        # Python warns of forking beside gRPC's threads, which is what this is about.
        flags = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
        command = [sys.executable, *flags, "-c", PROGRAM, server.address, when]
        result = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    theirs, own, parent = result.stdout.splitlines()
    if when == "before use":
        assert theirs == "theirs NEW"
    else:
        assert "is a fork: make a client after the fork" in theirs
    assert (own, parent) == ("own NEW", "parent NEW")
