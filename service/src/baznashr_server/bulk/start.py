"""`baznashr-server bulk` from its first moment: what judges starts to load before what reads does."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

from baznashr_server import garbage
from baznashr_server.bulk.apart import SINGLE, Apart

HELP = {"-h", "--help"}
JUDGES_NOTHING = {*HELP, "--dry-run"}
EXTRA = ("jdatetime", "jinja2", "pyarrow", "rich", "vl_convert")
"""Imported by this command, the last when all else is done."""


def _end(_number: int, _frame: object) -> NoReturn:
    """End before there is anything to be left in order."""
    os.write(2, b"baznashr-server: interrupted\n")
    os._exit(130)


def main() -> None:
    """Run the command as it was typed, without importing what the other commands need."""
    arguments = sys.argv[2:]
    if arguments and HELP.isdisjoint(arguments) and (missing := [name for name in EXTRA if find_spec(name) is None]):
        needed = ", ".join(missing)
        sys.exit(f"baznashr-server: bulk needs {needed}, not installed: pip install 'baznashr-server[bulk]'")
    garbage.put_off()
    os.environ.update({**SINGLE, **os.environ})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which what judges inherits: one process says what is to be done
    apart = Apart() if arguments and JUDGES_NOTHING.isdisjoint(arguments) else None
    signal.signal(signal.SIGINT, _end)
    try:
        from baznashr_server.bulk.cli import run_alone  # noqa: PLC0415 - slow to import, which is the point

        if apart is not None:
            import_module("baznashr_server.bulk.run")  # which is what takes the time, and not needed for help
        garbage.spare()
        run_alone(arguments, apart)
    finally:
        if apart is not None:
            apart.end()
