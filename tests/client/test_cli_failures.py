"""The command where something beside the texts is wrong: a full disk, an odd address, a server in two places."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baznashr.cli import EXIT_FILES
from tests.client.stub import judge_batch

COMMAND = Path(sys.executable).with_name("baznashr")


@pytest.fixture
def run(address):
    """Run the command against the stub's server and return what it did."""

    def run(*arguments, stdin=b"", stdout=subprocess.PIPE):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
            env=os.environ | {"BAZNASHR_SERVER": address},
        )

    return run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is always full")
@pytest.mark.parametrize("flags", [(), ("--json",), ("--quiet",)], ids=str)
def test_a_full_disk_is_one_line(run, stub, flags):
    """Answers that cannot be written are one line and an exit code of their own, not the one of refused inputs."""
    stub.answers["BatchCheckTexts"] = judge_batch
    with Path("/dev/full").open("wb") as full:
        result = run("check", *flags, stdin="خبر".encode(), stdout=full)
    assert result.stderr == b"baznashr: reading or writing failed: No space left on device\n"
    assert result.returncode == EXIT_FILES
