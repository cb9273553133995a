"""The engine in a process of its own, from the side of the process that reads and writes.

Both start at once: this one never loads compiled kernels, the other no Arrow, and neither waits for the other's lock of
the interpreter. The other makes a third, which prepares what this one asks and hands it on. Frames go through pipes:
two lengths, JSON, and what else there is.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import orjson

from baznashr import errors
from baznashr.errors import BaznashrError, StoreError
from baznashr_server.bulk.batches import Answers, Given

if TYPE_CHECKING:
    from baznashr_server.bulk.options import Options

PIPE_BYTES = 1 << 20
"""Asked of the kernel: a batch then goes through without many a turn."""
SINGLE = {"OPENBLAS_NUM_THREADS": "1"}
"""Nothing is done that NumPy's threads of linear algebra, which take time to start, are for."""
LENGTHS = struct.Struct("<QQ")
OPEN, JUDGE, CLOSE = "open", "judge", "close"
OPENED, ANSWERS, CLOSED, FAILED = "opened", "answers", "closed", "failed"


def write_frame(pipe: IO[bytes], kind: str, value: Any = None, body: bytes = b"") -> None:
    """Write a frame; *value* is what JSON can hold."""
    head = orjson.dumps([kind, value])
    pipe.write(LENGTHS.pack(len(head), len(body)))
    pipe.write(head)
    pipe.write(body)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[str, Any, bytes]:
    """Return the kind, the value and the body of the next frame.

    Raises:
        EOFError: The other side is gone.
    """
    lengths = pipe.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        raise EOFError
    sizes = LENGTHS.unpack(lengths)
    head, body = (pipe.read(size) for size in sizes)
    if (len(head), len(body)) != sizes:
        raise EOFError
    kind, value = orjson.loads(head)
    return kind, value, body


def write_batch(pipe: IO[bytes], given: Sequence[Given], profile: str) -> None:
    """Write documents, to be prepared under the profile of that name.

    Their texts are the body, since JSON takes long to read them.
    """
    texts = [one[1].encode() for one in given]
    rest = [(id_, len(text), *others) for (id_, _, *others), text in zip(given, texts, strict=True)]
    write_frame(pipe, JUDGE, [profile, rest], b"".join(texts))


def batch_of(rest: list[list[Any]], body: bytes) -> list[Given]:
    """Return the documents that `write_batch` has written."""
    given: list[Given] = []
    start = 0
    for id_, size, title, source, url, micros in rest:
        given.append((id_, body[start : start + size].decode(), title, source, url, micros))
        start += size
    return given


def write_failure(pipe: IO[bytes], error: BaznashrError) -> None:
    """Write an error, which the other side raises again."""
    write_frame(pipe, FAILED, [type(error).__name__, error.message, error.reason, error.field])


class Apart:
    """Judges, as `Judges` says, in a process that starts when this is made. For one thread."""

    ahead = 6
    """Batches under way: those that the engine works on, and some that wait in the pipe."""

    def __init__(self) -> None:
        asks, self._asks = pipe()
        self._answers, answers = pipe()
        command = [sys.executable, "-P", "-m", "baznashr_server.bulk.judging_process"]
        ends = (asks.fileno(), answers.fileno())
        command += map(str, (*ends, os.getpid()))
        environment = {**SINGLE, **os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - all its own
            command, pass_fds=ends, stdin=subprocess.DEVNULL, env=environment
        )
        asks.close()
        answers.close()
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="sender")
        self._profile = ""
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
        self._send(OPEN, given | {"documents": documents, "letters": letters, "is_resumed": is_resumed})
        self._profile = self._receive()

    def submit(self, given: Sequence[Given]) -> Callable[[], Answers]:
        self._sender.submit(self._send_batch, given)
        return self._answer

    def _answer(self) -> Answers:
        rows, edges, refused = self._receive()
        return Answers(list(map(tuple, rows)), edges, list(map(tuple, refused)))

    def close(self) -> None:
        """Wait until all is stored and the store is closed."""
        self._sender.submit(self._send, CLOSE)
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

    def _send(self, kind: str, value: Any = None) -> None:
        with suppress(BrokenPipeError):  # which `_receive` finds out, too
            write_frame(self._asks, kind, value)

    def _send_batch(self, given: Sequence[Given]) -> None:
        with suppress(BrokenPipeError):
            write_batch(self._asks, given, self._profile)

    def _receive(self) -> Any:
        try:
            kind, value, _ = read_frame(self._answers)
        except EOFError:
            code = self._process.wait()
            raise StoreError(f"The process that judges ended with code {code}.", reason="INTERNAL") from None
        if kind == FAILED:
            name, message, reason, field = value
            raise getattr(errors, name)(message, reason=reason, field=field)
        return value


def pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Return both ends of a pipe that holds a batch."""
    reading, writing = os.pipe()
    with suppress(OSError):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
