"""`baznashr-server bulk` from its first moment: what judges starts to load before what reads does."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

from baznashr_server import garbage
from baznashr_server.bulk.apart import SINGLE, Apart

JUDGES_NOTHING = {"-h", "--help", "--dry-run"}


def _end(_number: int, _frame: object) -> NoReturn:
    """End before there is anything to be left in order."""
    os.write(2, b"baznashr-server: interrupted\n")
    os._exit(130)


def main() -> None:
    """Run the command as it was typed, without importing what the other commands need."""
    garbage.put_off()
    arguments = sys.argv[2:]
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
