"""The server as people install it: its wheel beside the client's, in an environment of their own."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from baznashr import Client, Document

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "service" / "src"
TEXT = "پارک ملی کوهستان پس از مرمت مسیرهای پیاده‌روی و ساخت سه پناهگاه تازه از ابتدای هفته آینده میزبان کوهنوردان است."
pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(900)]


def uv(*arguments: str | Path) -> None:
    """Run uv; skip where it cannot work."""
    local = ROOT / ".uv/uv"
    program = os.environ.get("UV") or (str(local) if local.exists() else shutil.which("uv"))
    if program is None:
        pytest.skip("uv is not installed, and builds the wheels of this test")
    done = subprocess.run([ROOT / program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False)
    if "error sending request" in done.stderr or "dns error" in done.stderr:
        pytest.skip("PyPI cannot be reached, so neither the build's tools nor the dependencies can be fetched")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of the client and of the server."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in ("client", "service"):
        uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, package)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def programs(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds both wheels and what is locked for them, without the extras."""
    folder = tmp_path_factory.mktemp("environment")
    uv("venv", "--no-python-downloads", "--python", sys.executable, folder / "venv")
    locked = folder / "locked.txt"
    uv(
        "export",
        "--frozen",
        "-q",
        "--package",
        "baznashr-server",
        "--no-dev",
        "--no-emit-workspace",
        "--no-hashes",
        "-o",
        locked,
    )
    uv("pip", "install", "-q", "--python", folder / "venv/bin/python", "--constraint", locked, *wheels)
    return folder / "venv" / "bin"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program outside the checkout, with nothing of this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "BAZNASHR"))}
    return subprocess.run([*map(str, command)], cwd="/", capture_output=True, text=True, check=False, env=kept)


def test_the_wheel_is_whole(wheels: list[Path]) -> None:
    """It has every file of the package, the marker of types and the licence, and nothing else."""
    (server,) = [wheel for wheel in wheels if wheel.name.startswith("baznashr_server-")]
    with zipfile.ZipFile(server) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")]
        assert [name for name in archive.namelist() if re.search(r"licenses/(.*/)?LICENSE$", name)]
    files = (path for path in (SOURCES / "baznashr_server").rglob("*") if path.is_file())
    assert packed == {str(path.relative_to(SOURCES)) for path in files if "__pycache__" not in path.parts}
    assert set(re.findall(r"Provides-Extra: (\S+)", metadata)) >= {"bulk", "otel", "plots"}


def test_it_works_alone(programs: Path, tmp_path: Path) -> None:
    """The commands run, every module of the core can be imported, and what needs an extra says which."""
    assert re.fullmatch(r"baznashr-server \S+\n", run(programs / "baznashr-server", "--version").stdout)
    command = [programs / "python", "-m", "baznashr_server"]
    done = run(*command, "check-config", "--data", tmp_path / "data")
    assert (done.returncode, done.stdout, done.stderr) == (0, "The settings can be used.\n", "")
    done = run(*command, "doctor", tmp_path)
    assert (done.returncode, "holds no store" in done.stdout) == (1, True)
    done = run(programs / "python", "-c", "import baznashr_server.app, baznashr_server.obs.metrics")
    assert (done.returncode, done.stderr) == (0, "")
    flags = ("--data", tmp_path / "data", "--traces", "http://127.0.0.1:9", "--listen", "127.0.0.1:0")
    done = run(*command, "serve", *flags, "--metrics", "")
    assert done.returncode == 2
    assert "pip install 'baznashr-server[otel]'" in done.stderr
    done = run(*command, "bulk", "in.jsonl", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "pip install 'baznashr-server[bulk]'" in done.stderr


def test_it_serves(programs: Path, tmp_path: Path, long: bool) -> None:
    """The installed server judges; its kernels are compiled for its own place first, hence the long form alone."""
    if not long:
        pytest.skip("compiles every kernel for minutes: --long")
    flags = ("--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--metrics", "", "--kernel-cache", tmp_path / "k")
    command = [programs / "baznashr-server", "serve", *flags]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout is not None
        address = process.stdout.readline().split("listen=")[1].split()[0]
        with Client(address) as client:
            client.ingest(Document("a", TEXT))
            assert client.check(TEXT).canonical_id == "a"
        process.terminate()
        assert process.wait(60) == 0
