"""Programs run on a pseudo-terminal, as a person would run them."""

import errno
import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path


def run_on_terminal(
    command: list[str | Path], *, columns: int = 100, stdout: int | None = None, **environment: str
) -> tuple[int, str]:
    """Run a program with its streams on a terminal; return its exit code and all that the terminal was sent.

    Args:
        command: The program and its arguments.
        columns: How wide the terminal is.
        stdout: What standard output is in its place, such as ``subprocess.DEVNULL``.
        environment: Variables besides those of this process.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 1 << 16):
            shown += block
    except OSError as error:
        if error.errno != errno.EIO:  # how Linux says that the other side is closed
            raise
    finally:
        os.close(ours)
    return process.wait(30), shown.decode()
