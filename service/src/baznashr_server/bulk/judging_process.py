"""What the process of `Apart` does: it opens the store of a run and judges what it is handed.

What needs no store is done in a copy of it, which hands on to it all that it is asked. Either ends when the process
that started it does, however that ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from pathlib import Path
from select import select
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, NoReturn

from baznashr.errors import BaznashrError, DataFolderInUse, InternalError
from baznashr.types import Document
from baznashr_server import garbage
from baznashr_server.bulk.apart import (
    ANSWERS,
    CLOSE,
    CLOSED,
    JUDGE,
    OPENED,
    batch_of,
    pipe,
    read_frame,
    write_failure,
    write_frame,
)
from baznashr_server.bulk.usage import own, peak

if TYPE_CHECKING:
    from baznashr_server.bulk.batches import Answers
    from baznashr_server.engine import Engine

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: have a signal sent when the thread that started this process ends."""
PATIENCE = 5.0
"""Seconds for which a process of a run that was killed may hold the store still."""
NOT_NEEDED = ("scipy", "yaml")
"""Imported by numba where it finds them, for what is not done here; they take a fifth of its time."""
WORDS = "خبر تازه از بازار امروز تهران که در گزارش روز آمده بود و مردم شهر را به فکر برد"


def main() -> None:
    garbage.put_off()
    asks, answers, parent = map(int, sys.argv[1:])
    _end_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all processes; the first says what is to be done
        signal.signal(number, signal.SIG_IGN)
    with open(asks, "rb") as reading, open(answers, "wb") as writing:  # noqa: PTH123 - descriptors
        try:
            serve(reading, writing)
        except EOFError:  # the process that asks is gone, or the one that prepares
            sys.exit(1)
        except BaznashrError as error:
            write_failure(writing, error)
        except Exception as error:
            write_failure(writing, InternalError(f"{type(error).__name__} while judging: {error}"))
            raise


def _end_with(parent: int) -> None:
    """Have this process end when *parent*, which started it, does."""
    CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def serve(asks: IO[bytes], answers: IO[bytes]) -> None:
    """Judge until asked to close.

    Raises:
        EOFError: The other process is gone.
        BaznashrError: As `opening.opened` and `Judges.submit` do.
    """
    for name in NOT_NEEDED:
        sys.modules[name] = None  # type: ignore[assignment]  # as the import system marks what is not there
    from baznashr_server.kernel import spare_imports  # noqa: PLC0415 - slow; a process that is to end need not wait

    spare_imports()
    from baznashr_server.bulk.bench import Bench  # noqa: PLC0415 - see above
    from baznashr_server.bulk.preparing import load  # noqa: PLC0415

    warm_up()
    garbage.spare()
    asked = _prepared(asks, answers)
    _, settings, _ = read_frame(asked)
    with _opened(settings) as engine:
        write_frame(answers, OPENED, engine.profile)
        bench = Bench(engine, settings["corpus"])
        waiting: deque[Callable[[], Answers]] = deque()

        def answer(*, but: int) -> None:
            while len(waiting) > but:
                write_frame(answers, ANSWERS, list(waiting.popleft()()))

        while True:
            if not _is_there_more(asked):
                answer(but=0)
            frame = read_frame(asked)
            if frame[0] == CLOSE:
                break
            waiting.append(bench.judge(load(*frame[1:])))
            answer(but=1)
        if not settings["build"]:
            _end(
                answers, frame[1]
            )  # with the store as a kill would leave it, which is whole and goes when the run is finished
    _end(answers, frame[1])


def _is_there_more(asked: IO[bytes]) -> bool:
    """Whether more of what is asked can be read; not where a frame so short that it was read with the last is all."""
    return bool(select([asked], [], [], 0)[0])


def _prepared(asks: IO[bytes], answers: IO[bytes]) -> IO[bytes]:
    """Start the process that prepares what is asked, and return what it hands on.

    A copy of this one, which has its kernels at hand and no thread but this; the pages that neither changes are shared.
    """
    parent = os.getpid()
    reading, writing = pipe()
    if os.fork():
        asks.close()
        writing.close()
        return reading
    try:
        _end_with(parent)
        reading.close()
        os.close(answers.fileno())
        _prepare(asks, writing)
    except Exception:  # noqa: BLE001 - told here, or nowhere; the process that judges finds that this one is gone
        traceback.print_exc()
    finally:
        os._exit(1)


def _prepare(asks: IO[bytes], handed: IO[bytes]) -> None:
    """Hand on what is asked, batches made ready, until nobody asks or takes it."""
    from baznashr_server.bulk.preparing import dump, prepare  # noqa: PLC0415 - see `serve`
    from baznashr_server.profile import PROFILE_OF  # noqa: PLC0415

    with suppress(EOFError, BrokenPipeError):
        while True:
            kind, value, body = read_frame(asks)
            if kind == JUDGE:
                profile, rest = value
                value, body = dump(prepare(batch_of(rest, body), PROFILE_OF[profile]))
            elif kind == CLOSE:
                value = own()
            write_frame(handed, kind, value, body)


def _end(answers: IO[bytes], of_the_other: int) -> NoReturn:
    """Say that all is stored and end at once: to take the interpreter down takes a tenth of a second.

    Args:
        of_the_other: Bytes of memory that the process has which prepares.
    """
    write_frame(answers, CLOSED, peak() + of_the_other)
    os._exit(0)


@contextmanager
def _opened(settings: dict[str, Any]) -> Iterator[Engine]:
    from baznashr_server.bulk.opening import opened  # noqa: PLC0415 - see above
    from baznashr_server.bulk.options import Options  # noqa: PLC0415
    from baznashr_server.bulk.state import State  # noqa: PLC0415

    against, build = (Path(settings[name]) if settings[name] else None for name in ("against", "build"))
    ranks, corpus = tuple(settings["source_ranks"]), settings["corpus"]
    options = Options((), Path(settings["out"]), source_ranks=ranks, against=against, build=build, corpus=corpus)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with opened(options, State(options.out), settings["documents"], settings["letters"]) as engine:
                yield engine
                return
        except DataFolderInUse:
            if time.monotonic() > until or not settings["is_resumed"]:
                raise
            time.sleep(0.05)


def warm_up() -> None:
    """Judge some words in a store that goes again, so that the kernels are there when the first articles come."""
    from baznashr_server.engine import Engine  # noqa: PLC0415 - see above

    words = WORDS.split()
    text = " ".join(words[(3 * i + i // 7) % len(words)] + ("" if i % 5 else str(i)) for i in range(240))
    texts = [text, text, text + " " + " ".join(words), " ".join(text.split()[100:]), f"{text}\n\n{text}"]
    documents = [Document(id=str(number), text=text, title=WORDS) for number, text in enumerate(texts)]
    with TemporaryDirectory(prefix="baznashr-") as folder, Engine.open(folder) as engine:
        rmtree(folder)  # what is open stays: nothing is left where this process is killed, as by a run that ends early
        for document in documents:
            engine.ingest(document)


if __name__ == "__main__":
    main()
