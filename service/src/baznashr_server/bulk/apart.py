"""The engine in a process of its own, from the side of the process that reads and writes.

Both start at once: this one never loads compiled kernels, the other no Arrow, and neither waits for the other's lock of
the interpreter. Frames go through two pipes: eight bytes of length, then what `marshal` makes of tuples.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from baznashr import errors
from baznashr.errors import BaznashrError, StoreError
from baznashr_server.bulk.batches import Answers, Given

if TYPE_CHECKING:
    from baznashr_server.bulk.options import Options

PIPE_BYTES = 1 << 20
"""Asked of the kernel: a batch then goes through without many a turn."""
OPEN, JUDGE, CLOSE = "open", "judge", "close"
FAILED = "failed"


def write_frame(pipe: IO[bytes], value: Any) -> None:
    data = marshal.dumps(value)
    pipe.write(len(data).to_bytes(8, "little"))
    pipe.write(data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Any:
    """Return what the other side has written next.

    Raises:
        EOFError: It is gone.
    """
    size = int.from_bytes(pipe.read(8), "little")
    data = pipe.read(size)
    if not size or len(data) < size:
        raise EOFError
    return marshal.loads(data)  # noqa: S302 - written by a process that this one started, or that started this one


def failure(error: BaznashrError) -> tuple[str, str, str, str, str]:
    """Return a frame for an error, which the other side raises again."""
    return FAILED, type(error).__name__, error.message, error.reason, error.field


class Apart:
    """Judges, as `Judges` says, in a process that starts when this is made. For one thread."""

    ahead = 6
    """Batches under way: those that the engine works on, and some that wait in the pipe."""

    def __init__(self) -> None:
        asks, self._asks = _pipe()
        self._answers, answers = _pipe()
        command = [sys.executable, "-P", "-m", "baznashr_server.bulk.judging_process"]
        ends = (asks.fileno(), answers.fileno())
        command += map(str, (*ends, os.getpid()))
        self._process = subprocess.Popen(command, pass_fds=ends, stdin=subprocess.DEVNULL)  # noqa: S603 - all its own
        asks.close()
        answers.close()
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="sender")
        self.peak = 0
        """Bytes of memory that the process has had at most, once it is closed."""

    def open(self, options: Options, documents: int, letters: int, *, is_resumed: bool) -> None:
        """Have the store opened.

        Args:
            documents, letters: That are to come.
            is_resumed: Whether a process that was killed may just be letting the store go.

        Raises:
            BaznashrError: As `opening.opened` does.
        """
        paths = {name: str(getattr(options, name) or "") for name in ("out", "against", "build")}
        given = paths | {"corpus": options.corpus, "source_ranks": options.source_ranks}
        self._send((OPEN, given | {"documents": documents, "letters": letters, "is_resumed": is_resumed}))
        self._receive()

    def submit(self, given: Sequence[Given], *, wait: bool) -> Callable[[], Answers]:
        self._sender.submit(self._send, (JUDGE, (wait, list(given))))
        return self._answer

    def _answer(self) -> Answers:
        return Answers(*self._receive())

    def close(self) -> None:
        """Wait until all is stored and the store is closed."""
        self._sender.submit(self._send, (CLOSE, None))
        self.peak = self._receive()
        self._process.wait()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._sender.shutdown()
        for pipe in (self._asks, self._answers):
            with suppress(OSError):
                pipe.close()

    def _send(self, frame: object) -> None:
        with suppress(BrokenPipeError):  # which `_receive` finds out, too
            write_frame(self._asks, frame)

    def _receive(self) -> Any:
        try:
            kind, *value = read_frame(self._answers)
        except EOFError:
            code = self._process.wait()
            raise StoreError(f"The process that judges ended with code {code}.", reason="INTERNAL") from None
        if kind == FAILED:
            name, message, reason, field = value
            raise getattr(errors, name)(message, reason=reason, field=field)
        return value[0]


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
