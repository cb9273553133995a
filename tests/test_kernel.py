"""Kernels are compiled, run without the GIL, and are cached where nobody else can write."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import baznashr_server
from baznashr_server.kernel import (
    KEPT_VERSIONS,
    PART,
    forget_others,
    kernel,
    of_these_sources,
)
from baznashr_server.kernel_cache import cache_folder, fault_of

COMPILE_ONE = """
from baznashr_server import kernel
from baznashr_server.text.canonical import canonicalise
print(canonicalise("می‌رود").text() == "میرود", kernel.CACHED)
"""


def compile_one(cache: Path) -> str:
    """Run a kernel in a process of its own, with this cache folder; return what it prints."""
    environment = {**os.environ, "BAZNASHR_KERNEL_CACHE": str(cache), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE_ONE], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


CALLED_BOTH_WAYS = """
import numpy as np
from baznashr_server.kernel import kernel

@kernel
def inner(values):
    return values + 1, values * 2

@kernel
def outer(values):
    return inner(values)[0] + inner(values)[1]
"""


def test_a_kernel_is_its_own_in_every_process(tmp_path: Path) -> None:
    """One that others call too may be compiled anew beside theirs, by any process, and is right in all that follow."""
    (tmp_path / "kernels_both_ways.py").write_text(CALLED_BOTH_WAYS)
    cache = tmp_path / "cache"
    environment = {**os.environ, "BAZNASHR_KERNEL_CACHE": str(cache), "PYTHONPATH": str(tmp_path)}
    begin = "from kernels_both_ways import *; v = np.arange(2);"
    inner, outer = "print([a.tolist() for a in inner(v)]);", "print(outer(v).tolist());"
    for calls in (inner + outer, outer + inner, outer + inner):
        done = subprocess.run(
            [sys.executable, "-c", begin + calls], env=environment, capture_output=True, text=True, check=True
        )
        assert set(done.stdout.splitlines()) == {"[1, 4]", "[[1, 2], [0, 2]]"}
        if calls.startswith(inner):
            for path in cache.rglob("*inner*.nbi"):
                path.unlink()


def test_kernels_run_compiled_and_without_the_gil() -> None:
    """A kernel is what numba made of the function, and lets other threads run."""

    def total(values: np.ndarray) -> float:
        result = 0.0
        for value in values:
            result += value
        return result

    compiled = kernel(total)
    assert compiled.targetoptions["nogil"]
    assert compiled(np.arange(4.0)) == 6
    assert compiled.signatures


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By our variable, else by the system's, else below the home folder."""
    monkeypatch.setenv("BAZNASHR_KERNEL_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("BAZNASHR_KERNEL_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "baznashr" / "kernels"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "baznashr" / "kernels"


@pytest.mark.parametrize(
    ("mode", "private"), [(0o700, True), (0o755, True), (0o775, False), (0o777, False), (0o1777, False)]
)
def test_a_folder_that_others_may_write_is_not_private(tmp_path: Path, mode: int, private: bool) -> None:
    """Only who owns the folder may write it."""
    tmp_path.chmod(mode)
    assert bool(fault_of(tmp_path)) != private


def test_what_keeps_kernels_from_being_kept_is_said(tmp_path: Path) -> None:
    """A file, what lies below one or nowhere, and a folder that is yet to be made are told apart; nothing is made."""
    file = tmp_path / "file"
    file.touch()
    assert fault_of(file) == f"{file} is no folder"
    assert fault_of(file / "below") == f"{file / 'below'} cannot be used: Not a directory"
    assert fault_of(Path("/proc/kernels")) or os.geteuid() == 0  # who may write anywhere, as far as can be asked
    assert not fault_of(tmp_path / "new" / "kernels")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_machine_code_is_kept_in_a_private_folder(tmp_path: Path) -> None:
    """A folder that is not there is made for its owner alone and filled."""
    folder = tmp_path / "a" / "kernels"
    assert compile_one(folder) == "True True"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.rglob("*.nbi"))


def test_without_a_private_folder_kernels_run_uncached(tmp_path: Path) -> None:
    """Where the folder is open to all nothing is read from it or written to it, and kernels work all the same."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    folder.chmod(0o777)
    assert compile_one(folder) == "True False"
    assert not list(folder.iterdir())


KEPT = """
import numpy as np
from baznashr_server.kernel import kept_arrays

def build():
    print("built")
    return {"numbers": np.arange(1000), "letters": np.array([1, 2], np.uint32)}

found = kept_arrays("some", build)
print({name: (str(array.dtype), int(array.sum()), array.flags.writeable) for name, array in sorted(found.items())})
"""


def test_tables_are_kept_beside_machine_code(tmp_path: Path) -> None:
    """What takes long to build is built once, again where its file is damaged, and each time where none is private."""
    folder = tmp_path / "kernels"
    environment = {**os.environ, "BAZNASHR_KERNEL_CACHE": str(folder), "PYTHONUTF8": "1"}

    def told() -> list[str]:
        done = subprocess.run([sys.executable, "-c", KEPT], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    built, arrays = told()
    assert built == "built"
    assert told() == [arrays]
    (kept,) = folder.rglob("some.npz")
    content = bytearray(kept.read_bytes())
    for damaged in (content[:100], content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :], b""):
        kept.write_bytes(damaged)
        assert told() == ["built", arrays]
        assert told() == [arrays]
    folder.chmod(0o777)
    assert told() == ["built", arrays]


SHINGLES = """
import numpy as np
from baznashr_server.judge.align import shingle_letters
print(shingle_letters(np.arange(9, dtype=np.uint32)).tolist())
"""


def test_another_version_finds_nothing_of_the_last_ones(tmp_path: Path) -> None:
    """A kernel whose own file is as it was is compiled anew where one that it calls has changed."""
    installed = Path(baznashr_server.__file__).parent
    shutil.copytree(installed, tmp_path / "baznashr_server", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "BAZNASHR_KERNEL_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(tmp_path),
        "PYTHONUTF8": "1",
    }

    def told() -> str:
        done = subprocess.run(
            [sys.executable, "-c", SHINGLES], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    before = told()
    callee = tmp_path / "baznashr_server" / "sketch" / "hashing.py"
    source = callee.read_text("utf-8")
    changed = source.replace("    return h[:n]\n", "    return h[:n] + np.uint64(1)\n")
    assert changed != source
    callee.write_text(changed, "utf-8")
    assert told() != before


def test_machine_code_of_old_versions_goes(tmp_path: Path) -> None:
    """Of the parts for other versions those used last stay, this version's own, and all that is none."""
    folders = [tmp_path / f"{PART}{age}" for age in range(KEPT_VERSIONS + 3)]
    strangers = [tmp_path / "articles", tmp_path / "tables"]
    for age, folder in enumerate([*strangers, *folders]):
        folder.mkdir()
        os.utime(folder, (age, age))
    forget_others(tmp_path, folders[0])
    assert set(tmp_path.iterdir()) == {folders[0], *folders[-KEPT_VERSIONS:], *strangers}


FROM_AN_IMAGE = """
import os, pathlib, sys
os.geteuid() or os.setuid(65534)
from numba import config
from baznashr_server import kernel
folder = pathlib.Path(sys.argv[1])
assert not os.access(folder, os.W_OK)
os.environ["BAZNASHR_KERNEL_CACHE"] = str(folder)
kernel.CACHED = kernel._prepare()
made = pathlib.Path(config.CACHE_DIR)
print(kernel.CACHED, made != folder, oct(made.stat().st_mode & 0o777), (made / "sub" / "kernel.nbc").read_text())
(made / "sub" / "new.nbc").write_text("written")
print(made)
"""


def test_a_cache_that_cannot_be_written_is_copied() -> None:
    """From an image's cache the service makes a private copy, which can be written, and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = of_these_sources(folder)
        (own / "sub").mkdir(parents=True)
        (own / "sub" / "kernel.nbc").write_text("code")
        places = (own / "sub", own, folder)
        for place in places:
            place.chmod(0o555)
        # The modules are loaded while root may still read them.
        script = f"import baznashr_server.kernel\n{FROM_AN_IMAGE}"
        done = subprocess.run([sys.executable, "-c", script, name], capture_output=True, text=True, check=False)
        for place in reversed(places):
            place.chmod(0o755)
        assert done.returncode == 0, done.stderr
        told, copy = done.stdout.splitlines()
        assert told == "True True 0o700 code"
        assert not Path(copy).exists()
