"""What a result was measured on. Nothing here names a folder of the machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "baznashr-server",
    "datasketch",
    "rensa",
    "FastSketchLSH",
    "numpy",
    "numba",
    "apsw",
    "hazm",
    "grpcio",
    "protobuf",
    "uvloop",
)


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def package_versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def commit() -> str:
    """Return the abbreviated commit, with a mark where the sources differ from it; "unknown" outside a repository."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=10", "HEAD"],  # noqa: S607 - as in a shell
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        sources = ["client/src", "service/src", "benchmarks", ":!benchmarks/results"]
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--", *sources],  # noqa: S607 - as in a shell
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} with local changes" if changes else head


def command() -> str:
    """Return the command line, absolute paths cut to their names."""
    spec = sys.modules["__main__"].__spec__
    module = spec.name.removesuffix(".__main__") if spec else "benchmarks"
    return shlex.join(["python", "-m", module, *map(_without_folder, sys.argv[1:])])


def _without_folder(argument: str) -> str:
    option, sign, value = argument.rpartition("=")
    return f"{option}{sign}{Path(value).name}" if value.startswith(os.sep) else argument


def describe() -> dict[str, str]:
    """Return one line of text for each thing that a result depends on."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command(),
        "commit": commit(),
        "processor": cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "memory": f"{memory_gib():.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {found}" for name, found in package_versions().items()),
    }
