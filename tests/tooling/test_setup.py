"""tooling/setup.sh, run for real in a copy of what it reads, on a PATH that holds only what a test puts there."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ_BY_SETUP = ("pyproject.toml", "uv.lock", "client/pyproject.toml", "service/pyproject.toml", "tooling/setup.sh")
UTILITIES = ("bash", "cksum", "dirname", "head", "ln", "mkdir", "realpath", "rm", "sort")
PYTHON = Path(getattr(sys, "_base_executable", sys.executable))

EMPTY_PROJECT = '[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.12"\n[tool.uv]\npackage = false\n'
EMPTY_LOCK = """version = 1
requires-python = ">=3.12"

[[package]]
name = "empty"
version = "0"
source = { virtual = "." }
"""


class Machine:
    """A checkout and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.home = folder / "home"
        self.bin.mkdir()
        self.home.mkdir()
        for name in READ_BY_SETUP:
            target = self.checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        for name in UTILITIES:
            (self.bin / name).symlink_to(shutil.which(name) or pytest.fail(f"{name} is not on this machine"))

    def script(self, path: Path, body: str) -> None:
        """Put a shell script where the machine may find it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)

    def setup(self, *groups: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run setup.sh with nothing of this machine's environment but what is named."""
        return subprocess.run(
            [str(self.bin / "bash"), "tooling/setup.sh", *groups],
            cwd=self.checkout,
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine without Python and without uv."""
    return Machine(tmp_path)


def only_sentence(stderr: str) -> str:
    """Return the one sentence that says what is missing."""
    lines = [line for line in stderr.splitlines() if not line.startswith("setup: preparing")]
    assert len(lines) == 1, stderr
    assert lines[0].startswith("setup: ")
    assert lines[0].endswith(".")
    return lines[0]


def test_no_python_is_said_in_one_sentence(machine: Machine) -> None:
    """Without any Python, setup fails and names the versions that would do and where it looked."""
    result = machine.setup(PYENV_ROOT="/nonexistent/pyenv")
    assert result.returncode == 1
    sentence = only_sentence(result.stderr)
    assert "Python 3.12 or 3.13" in sentence
    assert "/nonexistent/pyenv/versions" in sentence
    assert not (machine.checkout / ".venv").exists()


def test_unsuitable_pythons_are_passed_over(machine: Machine) -> None:
    """Interpreters that refuse the version test, as old ones and pyenv's shims do, are not taken."""
    for name in ("python3.13", "python3", "python"):
        machine.script(machine.bin / name, "echo 'command not found' >&2; exit 127")
    machine.script(machine.home / ".pyenv/versions/3.11.9/bin/python", f'exec {PYTHON} "$@"')
    result = machine.setup()
    assert result.returncode == 1
    assert str(machine.home / ".pyenv/versions") in only_sentence(result.stderr)


def test_newest_python_of_pyenv_is_found(machine: Machine) -> None:
    """With none on the PATH, the newest suitable version of pyenv is run, 3.13.10 before 3.13.9."""
    for version in ("3.12.12", "3.13.9", "3.13.10", "3.14.0"):
        says = f'if [[ $1 == -c ]]; then echo "/opt/{version}/bin/python"; fi'
        machine.script(machine.home / f".pyenv/versions/{version}/bin/python", says)
    result = machine.setup()
    assert result.returncode == 1, "that interpreter does not exist, so nothing could be prepared"
    assert "preparing .venv with /opt/3.13.10/bin/python " in result.stderr


def test_unreachable_pypi_is_said_in_one_sentence(machine: Machine) -> None:
    """With Python but neither uv nor a package index, setup fails and says so."""
    (machine.bin / "python3").symlink_to(PYTHON)
    nowhere = "http://127.0.0.1:9/simple"
    result = machine.setup(PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=nowhere, PIP_RETRIES="0", PIP_NO_CACHE_DIR="1")
    assert result.returncode == 1
    assert "could not be installed from PyPI" in only_sentence(result.stderr)
    assert nowhere in (machine.checkout / ".uv/setup.log").read_text()


def test_old_uv_is_not_used(machine: Machine) -> None:
    """A uv on the PATH that is older than the lock needs is passed over, here into the want of PyPI."""
    machine.script(machine.bin / "uv", 'echo "uv 0.4.30"; touch used')
    (machine.bin / "python3").symlink_to(PYTHON)
    nowhere = "http://127.0.0.1:9/simple"
    result = machine.setup(PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=nowhere, PIP_RETRIES="0", PIP_NO_CACHE_DIR="1")
    assert result.returncode == 1
    assert "could not be installed from PyPI" in only_sentence(result.stderr)


def with_a_uv_that_obeys(machine: Machine) -> None:
    """Give the machine Python and a uv that makes what it is asked for, without a network."""
    (machine.bin / "python3").symlink_to(PYTHON)
    makes = f'mkdir -p .venv/bin; ln -sf {PYTHON} .venv/bin/python; echo "$PWD" >>.venv/bin/program'
    machine.script(machine.bin / "uv", f'if [[ $1 == --version ]]; then echo "uv 0.9.9"; exit; fi; {makes}')


def test_a_moved_environment_is_made_anew(machine: Machine) -> None:
    """Programs name the folder they were installed in, so nothing of an environment outlives the folder's move."""
    with_a_uv_that_obeys(machine)
    assert machine.setup().returncode == 0
    machine.checkout = machine.checkout.rename(machine.checkout.with_name("جای دیگر"))
    assert machine.setup().returncode == 0
    assert (machine.checkout / ".venv/bin/program").read_text() == f"{machine.checkout}\n"


def test_another_lock_is_seen_by_every_group(machine: Machine) -> None:
    """Once one group was installed by another lock, going back to the first is work for all of them."""
    with_a_uv_that_obeys(machine)
    lock = machine.checkout / "uv.lock"
    first = lock.read_text()
    assert "preparing" in machine.setup().stderr
    lock.write_text(f"{first}\n")
    assert "preparing" in machine.setup("bench").stderr
    lock.write_text(first)
    assert "preparing" in machine.setup().stderr
    assert machine.setup().stderr == ""


@pytest.mark.packaging
def test_prepared_once_until_the_lock_changes(machine: Machine) -> None:
    """From Python alone an environment is made; run again, nothing is prepared until the lock changes."""
    (machine.checkout / "pyproject.toml").write_text(EMPTY_PROJECT.format(name="empty"))
    (machine.checkout / "uv.lock").write_text(EMPTY_LOCK)
    (machine.bin / "python3").symlink_to(PYTHON)
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_INDEX"))}
    first = machine.setup(**settings)
    assert first.returncode == 0, first.stderr + (machine.checkout / ".uv/setup.log").read_text()
    assert (machine.checkout / ".venv/bin/python").exists()

    started = time.monotonic()
    again = machine.setup()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - started < 2

    with (machine.checkout / "uv.lock").open("a") as lock:
        lock.write("\n")
    assert "preparing" in machine.setup(**settings).stderr, "a changed lock must be looked at again"
