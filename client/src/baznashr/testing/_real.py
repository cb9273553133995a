"""A real server as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STOP_SECONDS = 30


@contextmanager
def real_server(data: str | Path, *flags: str) -> Iterator[str]:
    """Run ``baznashr-server`` on the folder *data* and a free port of this machine; give its address, end it at last.

    Args:
        data: The data folder, made where it is missing.
        flags: More flags of ``baznashr-server serve``.

    Raises:
        RuntimeError: The server did not start, as where ``baznashr-server`` is not installed; its log says why.
    """
    free = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    command = [sys.executable, "-m", "baznashr_server", "serve", "--data", str(data), *free, *flags]
    log_file = Path(f"{data}.log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603 - our own
    try:
        line = process.stdout.readline() if process.stdout else ""
        addresses = dict(part.split("=", 1) for part in line.split()[1:])
        if "listen" not in addresses:
            raise RuntimeError(f"The server did not start: {log_file.read_text(encoding='utf-8')[-2000:]}")
        yield addresses["listen"]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
