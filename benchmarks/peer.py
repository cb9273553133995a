"""datasketch's check and insert in a process of its own, so that its millions of objects slow nobody else's collector.

The parent says how many documents it is to hold, and asks for its pace in turn with ours.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import NamedTuple

from benchmarks.engine import CHUNK, DictLoop, Rate
from benchmarks.stock import Stock

SHARE = 4096
"""Documents filled in between two collections of garbage, which would else take most of the time."""


class Pace(NamedTuple):
    """Documents a second, checked and inserted."""

    from_text: float
    from_values: float

    @property
    def both(self) -> str:
        return f"{self.from_text:,.0f} from text, {self.from_values:,.0f} with hash values ready"


class Peer:
    """The parent's end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._paces: list[Pace] = []

    def fill(self, documents: int) -> None:
        """Have it hold so many documents."""
        self._connection.send(("fill", documents))
        self._connection.recv()

    def run(self, seconds: float) -> Pace:
        """Let it work for some seconds and return its pace."""
        self._connection.send(("run", seconds))
        pace: Pace = self._connection.recv()
        self._paces.append(pace)
        return pace

    def pace(self) -> Pace:
        """Return the median pace since this was asked last."""
        paces, self._paces = self._paces, []
        return Pace(median(pace.from_text for pace in paces), median(pace.from_values for pace in paces))


def _work(connection: Connection, seed: int) -> None:
    loop, stock, held = DictLoop(), Stock(seed), 0
    while True:
        what, amount = connection.recv()
        if what == "end":
            return
        if what == "fill":
            gc.disable()
            while held < amount:
                chunk = stock.take(min(SHARE, amount - held))
                loop.fill(chunk)
                held += len(chunk)
            gc.enable()
            gc.freeze()
            connection.send(held)
            continue
        text, values = Rate(), Rate()
        while text.wall + values.wall < amount:
            text.time(loop.from_text, stock.take(CHUNK))
            chunk = stock.take(CHUNK)
            loop.prepare(chunk)
            values.time(loop.from_values, chunk)
            held += 2 * CHUNK
        connection.send(Pace(text.per_second, values.per_second))


@contextmanager
def peer(seed: int) -> Iterator[Peer]:
    """Run it with an empty index."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, seed), daemon=True)
    process.start()
    theirs.close()  # so that the parent is told where the other end is gone
    try:
        yield Peer(ours)
    finally:
        with suppress(BrokenPipeError):
            ours.send(("end", 0))
        process.join(10)
        process.terminate()
