"""A real server that may be killed, stopped and started again many times a minute."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.server import environment

CHILD = Path(__file__).with_name("child.py")


class Victims:
    """Starts servers, one at a time."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self._last: Victim | None = None

    def _line(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()

    def start(self, data: Path, failpoint: str = "") -> "Victim":
        """Start a server on *data* with a failpoint armed; it may end before it is ready.

        The last one is ended, if the test that it was for has failed to.
        """
        self._end_last()
        assert self._parent.stdin is not None
        print(data, failpoint, file=self._parent.stdin, flush=True)
        line = self._line()
        pid = int(data.with_suffix(".pid").read_text())
        is_ready = line.startswith("ready listen=")
        self._last = Victim(
            self, data, pid, line.removeprefix("ready listen=") if is_ready else "", "" if is_ready else line
        )
        return self._last

    def _end_last(self) -> None:
        if self._last is not None:
            self._last.kill()

    def ended(self) -> int:
        """Wait for the server's end and return its exit code."""
        return int(self._line().removeprefix("ended "))

    def close(self) -> None:
        self._end_last()
        self._parent.kill()
        self._parent.communicate()


class Victim:
    def __init__(self, victims: Victims, data: Path, pid: int, listen: str, last_words: str = "") -> None:
        self._victims = victims
        self.data = data
        self.pid = pid
        self.listen = listen
        """Empty where it ended before it was ready."""
        self._code = int(last_words.removeprefix("ended ")) if last_words else None

    def arm(self, failpoint: str) -> None:
        """Arm a failpoint of the running server."""
        self.data.with_suffix(".arm").write_text(failpoint + "\n")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end and return the exit code: the signal's number, negative, where one ended it."""
        if self._code is None:
            self._code = self._victims.ended()
        return self._code

    def kill(self) -> int:
        """End it as the machine's end would, if it has not ended, and return its exit code."""
        if self._code is None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        return self.wait()


@contextmanager
def victims() -> Iterator[Victims]:
    """Start the process that starts servers."""
    started = Victims()
    try:
        yield started
    finally:
        started.close()
