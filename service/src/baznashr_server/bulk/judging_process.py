"""What the process of `Apart` does: it opens the store of a run and judges what it is handed.

It ends when the process that started it does, however that ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CDLL
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, NoReturn

from baznashr.errors import BaznashrError, DataFolderInUse, InternalError
from baznashr.types import Document
from baznashr_server.bulk.apart import ANSWERS, CLOSE, CLOSED, OPENED, batch_of, read_frame, write_failure, write_frame
from baznashr_server.bulk.usage import peak

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
    asks, answers, parent = map(int, sys.argv[1:])
    CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to both processes; the other says what is to be done
        signal.signal(number, signal.SIG_IGN)
    with open(asks, "rb") as reading, open(answers, "wb") as writing:  # noqa: PTH123 - descriptors
        try:
            serve(reading, writing)
        except EOFError:
            return
        except BaznashrError as error:
            write_failure(writing, error)
        except Exception as error:
            write_failure(writing, InternalError(f"{type(error).__name__} while judging: {error}"))
            raise


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

    warm_up()
    _, settings, _ = read_frame(asks)
    with _opened(settings) as engine:
        write_frame(answers, OPENED)
        bench = Bench(engine, settings["corpus"])
        waiting: Queue[Callable[[], Answers] | None] = Queue(Bench.ahead)
        answering = Thread(target=_answer, args=(waiting, answers), name="answers", daemon=True)
        answering.start()
        while (asked := read_frame(asks))[0] != CLOSE:
            wait, rest = asked[1]
            waiting.put(bench.submit(batch_of(rest, asked[2]), wait=wait))
        waiting.put(None)
        answering.join()
        if not settings["build"]:
            _end(answers)  # with the store as a kill would leave it, which is whole and goes when the run is finished
    _end(answers)


def _end(answers: IO[bytes]) -> NoReturn:
    """Say that all is stored and end at once: to take the interpreter down takes a tenth of a second."""
    write_frame(answers, CLOSED, peak())
    os._exit(0)


def _answer(waiting: Queue[Callable[[], Answers] | None], answers: IO[bytes]) -> None:
    """Pass answers on in order, or the error in the place of one, after which the other process asks no more."""
    while (answer := waiting.get()) is not None:
        try:
            write_frame(answers, ANSWERS, list(answer()))
        except BaznashrError as error:
            write_failure(answers, error)


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
        for document in documents:
            engine.ingest(document)


if __name__ == "__main__":
    main()
