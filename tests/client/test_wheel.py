"""The client as people install it: on every Python it supports, with the newest and the oldest dependencies."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
IMPORT_SECONDS = 0.15
pytestmark = pytest.mark.packaging


def pytest_generate_tests(metafunc):
    """Try the newest dependencies on each Python and the oldest on the oldest; in the long form, on each too."""
    oldest = PYTHONS if metafunc.config.getoption("long") else PYTHONS[:1]
    lowest = [f"lowest on {version}" for version in oldest]
    highest = [f"highest on {version}" for version in PYTHONS]
    if "installed" in metafunc.fixturenames:
        metafunc.parametrize("installed", highest + lowest, indirect=True, scope="module")
    if "with_command" in metafunc.fixturenames:
        chosen = highest + lowest if metafunc.config.getoption("long") else highest[:1] + lowest
        metafunc.parametrize("with_command", chosen, indirect=True, scope="module")


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


def find_python(version):
    """Return an interpreter of this version, on the path or of pyenv; skip where there is none."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    candidates = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for each in candidates:
        # pyenv's shims lie on the path for versions that are not switched on.
        if each and subprocess.run([each, "--version"], capture_output=True, check=False).returncode == 0:
            return each
    pytest.skip(f"Python {version} is not installed")


@dataclass
class Installed:
    """An environment that holds the client's wheel and what it asks for."""

    python: Path
    is_lowest: bool

    def run(self, *command, program=None):
        """Run this environment's Python, or another of its programs, outside the checkout."""
        programs = self.python.parent
        first = [self.python, "-W", "error"] if program is None else [programs / program]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run([*first, *command], cwd="/", capture_output=True, text=True, check=False, env=kept)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The client's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, "client")
    (wheel,) = folder.glob("baznashr-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(request, wheel, tmp_path_factory):
    """An environment with this resolution of the dependencies on this Python."""
    resolution, _, version = request.param.partition(" on ")
    python = make_environment(version, tmp_path_factory)
    uv("pip", "install", "--python", python, "--resolution", resolution, wheel)
    return Installed(python, resolution == "lowest")


@pytest.fixture(scope="module")
def with_command(request, wheel, tmp_path_factory):
    """The same with the command; of the oldest, what others ask for in turn is new, as nobody tries that old."""
    resolution, _, version = request.param.partition(" on ")
    python = make_environment(version, tmp_path_factory)
    project = tomllib.loads((ROOT / "client/pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["cli"]
    oldest = [each.replace(">=", "==") for each in declared] if resolution == "lowest" else []
    uv("pip", "install", "--python", python, f"baznashr[cli] @ file://{wheel}", *oldest)
    return Installed(python, resolution == "lowest")


def make_environment(version, tmp_path_factory):
    """Make an empty environment on this Python; return its interpreter."""
    folder = tmp_path_factory.mktemp("environment")
    uv("venv", "--no-python-downloads", "--python", find_python(version), folder / "venv")
    return folder / "venv/bin/python"


def test_the_client_asks_for_little(installed):
    """The wheel brings grpcio, protobuf and what grpcio asks for, nothing else; the oldest are those declared."""
    listed = json.loads(uv("pip", "list", "--python", installed.python, "--format", "json"))
    versions = {package["name"]: package["version"] for package in listed}
    assert versions.keys() - {"typing-extensions"} == {"baznashr", "grpcio", "protobuf"}
    project = tomllib.loads((ROOT / "client/pyproject.toml").read_text(encoding="utf-8"))["project"]
    floors = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", each).groups() for each in project["dependencies"])
    for name, floor in floors.items():
        assert (versions[name] in {floor, f"{floor}.0"}) is installed.is_lowest


PROGRAM = """
import asyncio, pathlib, sys
import baznashr, baznashr.wire, baznashr.v1.check_service_pb2_grpc
from baznashr import AsyncClient, Client, Document, errors
from baznashr.pipeline import AsyncRepeatGuard, only_new
from baznashr.testing import StubServer

address, spool = sys.argv[1:]
assert (pathlib.Path(baznashr.__file__).parent / "py.typed").exists()

# Nobody listens.
try:
    with Client("127.0.0.1:9", timeout=1) as client:
        client.check("خبر")
except errors.Unavailable as error:
    print(error.reason)

# A server that fails.
documents = [Document(f"d{n}", str(n % 60)) for n in range(100)]

async def late(address):
    async with AsyncClient(address) as client:
        async with AsyncRepeatGuard(client, on_unavailable="spool", spool=spool, max_pause=0.01) as guard:
            states = {str((await guard.admit(document)).state) for document in documents}
            await asyncio.sleep(0.02)
            return states, len([late async for late in guard.replayed()])

with StubServer() as server:
    with Client(server.address) as client:
        print(len(list(only_new(client, documents))))
    server.fail(errors.ReadOnly("The disk is full."))
    print(asyncio.run(late(server.address)))

# A real one.
text = "وزیر نیرو گفت سدهای تهران تا پایان پاییز به هشتاد درصد ظرفیت خود می‌رسند و نگرانی از کم‌آبی نیست."

async def again(corpus):
    async with AsyncClient(address, timeout=30) as client:
        answers = client.ingest_many([Document("c", text), Document("a", text)], corpus)
        return [str(each.verdict) async for each in answers]

with Client(address, timeout=30) as client:
    corpus = client.create_corpus("wheel-" + pathlib.Path(spool).parent.name.replace("_", "-").lower()[-50:]).name
    first = client.ingest(Document("a", text), corpus)
    second = client.ingest(Document("b", "به گزارش ما، " + text), corpus)
    assert second.matches[0].spans[0].end > 0
    print(first.verdict, second.canonical_id, *asyncio.run(again(corpus)))
    print(sorted(member.document_id for member in client.list_cluster("a", corpus).members))
    try:
        client.check("؟", corpus)
    except errors.InvalidText as error:
        print(error.reason, error.field)
    client.delete_corpus(corpus)
"""


def test_the_client_works_alone(installed, baznashr_address, tmp_path):
    """The installed client is whole and typed, and speaks with no server, a failing one and a real one, unwarned."""
    result = installed.run("-c", PROGRAM, baznashr_address, str(tmp_path / "spool"))
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "UNREACHABLE",
        "60",
        "({'SPOOLED'}, 100)",
        "NEW a EXACT NEW",
        "['a', 'b', 'c']",
        "EMPTY_TEXT item.text",
    ]


def test_the_command_says_what_it_lacks(installed):
    """Without the extra, the command says in one line what to install."""
    result = installed.run("check", "-", program="baznashr")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "pip install 'baznashr[cli]'" in result.stderr
    assert result.stdout == ""


COMMANDS = """
set -e
printf 'خبر کوتاه درباره‌ی باران امروز تهران' >a.txt
baznashr corpus create $CORPUS --window-days 3 | tail -n 1 | cut -d ' ' -f 1
baznashr ingest --corpus $CORPUS --quiet a.txt | head -n 1
echo '{"text": "خبر کوتاه درباره‌ی باران امروز تهران"}' | baznashr check --corpus $CORPUS --jsonl | head -n 1
baznashr compare --side-by-side stored:a.txt - --corpus $CORPUS <a.txt | tail -n 2 | head -n 1
mkdir inbox; cp a.txt inbox/
baznashr watch inbox --corpus $CORPUS --settle 0 >watched 2>err & watcher=$!
for _ in {1..200}; do test -s watched && break; sleep 0.1; done
kill $watcher; cat err; head -n 1 watched
baznashr corpus delete $CORPUS --yes
baznashr status | grep -o 'profile fa-1'
"""


@pytest.mark.timeout(150)
def test_the_command_works_from_its_wheel(with_command, baznashr_address, tmp_path):
    """On the oldest Python, with the oldest and the newest of what the extra brings, each command does its work."""
    path = f"{with_command.python.parent}{os.pathsep}{os.environ['PATH']}"
    corpus = f"wheel-{'oldest' if with_command.is_lowest else 'newest'}"
    variables = {"PATH": path, "BAZNASHR_SERVER": baznashr_address, "CORPUS": corpus}
    if not with_command.is_lowest:  # an old typer warns of what it uses of a new click
        variables["PYTHONWARNINGS"] = "error"
    result = subprocess.run(
        ["bash", "--norc", "-c", COMMANDS],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.sub("[\u2066-\u2069]", "", result.stdout).splitlines() == [
        corpus,
        "           1  NEW",
        "-:1  EXACT  repeated  SAME_TEXT",
        "│ تهران⟧                               │ تهران⟧                               │",
        f"watching {tmp_path}/inbox; Ctrl-C ends",
        "a.txt  NEW  replayed  NOTHING_COMPARABLE",
        "profile fa-1",
    ]


def test_the_import_is_quick(installed):
    """Importing the package takes less than 150 ms at its best; gRPC and protobuf come with the first client class."""

    def seconds(code):
        started = time.perf_counter()
        assert installed.run("-c", code).returncode == 0
        return time.perf_counter() - started

    listed = installed.run("-c", "import sys, baznashr, baznashr.types, baznashr.errors; print(*sys.modules)").stdout
    assert not {"grpc", "google.protobuf", "asyncio"} & set(listed.split())
    best = [min(seconds(code) for _ in range(5)) for code in ("import baznashr", "pass")]
    assert best[0] - best[1] < IMPORT_SECONDS
