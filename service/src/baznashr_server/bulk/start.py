"""`baznashr-server bulk` from its first moment: what judges starts to load before what reads does."""

from __future__ import annotations

import os
import sys

from baznashr_server.bulk.apart import SINGLE, Apart

JUDGES_NOTHING = {"-h", "--help", "--dry-run"}


def main() -> None:
    """Run the command as it was typed, without importing what the other commands need."""
    arguments = sys.argv[2:]
    os.environ.update({**SINGLE, **os.environ})
    apart = Apart() if arguments and JUDGES_NOTHING.isdisjoint(arguments) else None
    try:
        from baznashr_server.bulk.cli import run_alone  # noqa: PLC0415 - slow to import, which is the point

        run_alone(arguments, apart)
    finally:
        if apart is not None:
            apart.end()
