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


@pytest.fixture(scope="module", params=["highest", "lowest"])
def installed(request, tmp_path_factory):
    """The Python of an environment that holds the client's wheel and what it asks for, newest or oldest."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, "client")
    uv("venv", "--python", sys.executable, folder / "venv")
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("baznashr-*.whl")
    uv("pip", "install", "--python", python, "--resolution", request.param, wheel)
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


def test_the_command_says_what_it_lacks(installed):
    """Without the extra, the command says in one line what to install."""
    result = run(installed.with_name("baznashr"), "check", "-")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "pip install 'baznashr[cli]'" in result.stderr
    assert result.stdout == ""
