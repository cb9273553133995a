"""The command ``baznashr``, the extra ``baznashr[cli]``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from baznashr.errors import BaznashrError, DeadlineExceeded, Unavailable

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_FAILED = 4
EXIT_FILES = 5
EXIT_REPEATED = 10
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command and end the process."""
    # Read when gRPC is imported: it would tell of each attempt's handshake before the command tells of the call.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        from baznashr.cli._app import app  # noqa: PLC0415 - without the extra there is nothing to import
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich", "watchfiles"}:
            raise
        print(f"baznashr: the command needs {error.name}: pip install 'baznashr[cli]'", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    try:
        app(prog_name="baznashr")
    except OSError as error:
        _let_go_of_stdout()
        name = f"{error.filename}: " if error.filename else ""
        print(f"baznashr: reading or writing failed: {name}{error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FILES)
    except BaznashrError as error:
        print(f"baznashr: {error}", file=sys.stderr)
        sys.exit(EXIT_UNREACHABLE if isinstance(error, (Unavailable, DeadlineExceeded)) else EXIT_FAILED)


def _let_go_of_stdout() -> None:
    """Send what could not be written nowhere: Python writes it once more as it ends, and would fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
