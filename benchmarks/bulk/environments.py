"""An environment for each peer, as its lock file in `environments/` says, made once and kept below `.uv`.

`BAZNASHR_PEERS` names another folder to keep them in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.corpus import ROOT

LOCKS = Path(__file__).parent / "environments"


class Unavailable(Exception):
    """An environment could not be made."""


def folder(name: str) -> Path:
    return Path(os.environ.get("BAZNASHR_PEERS") or ROOT / ".uv" / "peers") / name


def python(name: str) -> Path:
    """Return the interpreter of a peer's environment; make the environment where it is missing or out of date.

    Raises:
        Unavailable: uv or the package index cannot be reached, or the peer does not install here.
    """
    home, lock = folder(name), LOCKS / f"{name}.txt"
    interpreter, stamp = home / "bin" / "python", home / "lock.sha256"
    digest = sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return interpreter
    uv = ROOT / ".uv" / "uv"
    print(f"bulk: making an environment for {name} (the first time takes a minute)", file=sys.stderr)
    for command in (
        (uv, "venv", "--clear", "--python", sys.executable, home),
        (uv, "pip", "sync", "--compile-bytecode", "--python", interpreter, lock),
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Unavailable(f"{name}: {error}; tooling/setup.sh brings uv") from error
        if done.returncode:
            raise Unavailable(f"{name} could not be installed: {done.stderr.strip().rpartition('\n')[2]}")
    stamp.write_text(digest, encoding="ascii")
    return interpreter


def version(name: str) -> str:
    """Return the version that the lock file names."""
    lines = (LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{name}=="))
