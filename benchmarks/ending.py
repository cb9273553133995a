"""How a benchmark ends that is told to: with its servers stopped and its temporary folders gone."""

from __future__ import annotations

import signal
import subprocess
import sys


def as_by_ctrl_c() -> None:
    """Let SIGTERM unwind this process as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def stop(process: subprocess.Popen[str], seconds: float) -> None:
    """Ask a process to end; kill it where it takes longer, or where nobody wants to wait."""
    process.terminate()
    try:
        process.wait(seconds)
    except BaseException:
        process.kill()
        process.wait()
        raise
