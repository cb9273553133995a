"""The client as people install it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.packaging


def uv(*arguments):
    """Run uv and return what it printed; skip where it cannot work."""
    local = ROOT / ".uv/uv"
    program = os.environ.get("UV") or (str(local) if local.exists() else shutil.which("uv"))
    if program is None:
        pytest.skip("uv is not installed, and builds the wheel of this test")
    result = subprocess.run(
        [ROOT / program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "error sending request" in result.stderr or "dns error" in result.stderr:
        pytest.skip("PyPI cannot be reached, so neither the build's tools nor the dependencies can be fetched")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module", params=["highest", "lowest", "lowest on Python 3.10"])
def installed(request, tmp_path_factory):
    """The Python of an environment that holds the client's wheel and what it asks for, newest or oldest."""
    resolution, _, version = request.param.partition(" on Python ")
    pythons = [sys.executable]
    if version:
        pythons = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
        pythons = [
            each for each in pythons if each and subprocess.run([each, "--version"], check=False).returncode == 0
        ]
        if not pythons:
            pytest.skip(f"Python {version} is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, "client")
    uv("venv", "--no-python-downloads", "--python", pythons[0], folder / "venv")
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("baznashr-*.whl")
    uv("pip", "install", "--python", python, "--resolution", resolution, wheel)
    return python


def run(*command):
    """Run a program outside the checkout."""
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)


def test_the_client_asks_for_little(installed):
    """The wheel brings grpcio, protobuf and what grpcio itself asks for, and nothing else."""
    names = {package["name"] for package in json.loads(uv("pip", "list", "--python", installed, "--format", "json"))}
    assert names - {"typing-extensions"} == {"baznashr", "grpcio", "protobuf"}


def test_the_client_works_alone(installed):
    """The installed client is complete: its contract loads, it is typed, and it calls a server that is not there."""
    program = (
        "import baznashr, baznashr.wire, baznashr.v1.check_service_pb2_grpc, pathlib\n"
        "assert (pathlib.Path(baznashr.__file__).parent / 'py.typed').exists()\n"
        "from baznashr.errors import Unavailable\n"
        "try:\n"
        "    baznashr.Client('127.0.0.1:9', timeout=1).check('خبر')\n"
        "except Unavailable as error:\n"
        "    print(error.reason)\n"
    )
    result = run(installed, "-W", "error", "-c", program)
    assert (result.stdout, result.stderr) == ("UNREACHABLE\n", "")


PIPELINE = """
import asyncio, sys
from baznashr import AsyncClient, Client, Document, errors
from baznashr.pipeline import AsyncRepeatGuard, only_new
from baznashr.testing import StubServer

documents = [Document(f"d{n}", str(n % 60)) for n in range(100)]

async def late(address):
    async with AsyncClient(address) as client:
        async with AsyncRepeatGuard(client, on_unavailable="spool", spool=sys.argv[1], max_pause=0.01) as guard:
            states = {str((await guard.admit(document)).state) for document in documents}
            await asyncio.sleep(0.02)
            return states, len([late async for late in guard.replayed()])

with StubServer() as server:
    with Client(server.address) as client:
        print(len(list(only_new(client, documents))))
    server.fail(errors.ReadOnly("The disk is full."))
    print(asyncio.run(late(server.address)))
"""


def test_the_pipeline_helpers_work_alone(installed, tmp_path):
    """Guards, their spool and the stub server need nothing else, on the oldest Python and dependencies too."""
    result = run(installed, "-W", "error", "-c", PIPELINE, str(tmp_path / "spool"))
    assert (result.stdout.splitlines(), result.stderr) == (["60", "({'SPOOLED'}, 100)"], "")


def test_the_command_says_what_it_lacks(installed):
    """Without the extra, the command says in one line what to install."""
    result = run(installed.with_name("baznashr"), "check", "-")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "pip install 'baznashr[cli]'" in result.stderr
    assert result.stdout == ""
