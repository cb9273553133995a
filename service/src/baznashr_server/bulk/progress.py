"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, Self

from baznashr.types import Verdict
from baznashr_server.bulk.usage import resident

LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""


class Progress(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def phase(self, name: str, total: int, done: int = 0) -> None:
        """Something begins that takes *total* steps, of which *done* were made by an earlier run."""

    def advance(self, rows: int, size: int) -> None:
        """*rows* steps were made, over *size* bytes."""

    def judged(self, verdicts: Sequence[str], rows: int, size: int) -> None:
        """*rows* with *size* bytes were judged, or refused."""


class Quiet:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def phase(self, name: str, total: int, done: int = 0) -> None:
        pass

    def advance(self, rows: int, size: int) -> None:
        pass

    def judged(self, verdicts: Sequence[str], rows: int, size: int) -> None:
        pass


class _Counting:
    """What both kinds count."""

    def __init__(self) -> None:
        self.name = ""
        self.total = self.done = self.size = self.before = 0
        self.began = time.monotonic()
        self.verdicts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def phase(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.done, self.before, self.size = name, total, done, done, 0
        self.began = time.monotonic()

    def advance(self, rows: int, size: int) -> None:
        self.done += rows
        self.size += size
        self.show()

    def judged(self, verdicts: Sequence[str], rows: int, size: int) -> None:
        self.verdicts.update(verdicts)
        self.advance(rows, size)

    def show(self) -> None:
        raise NotImplementedError

    def speeds(self) -> str:
        seconds = max(1e-9, time.monotonic() - self.began)
        rate = (self.done - self.before) / seconds
        return f"{rate:,.0f}/s, {self.size / seconds / 1e6:.1f} MB/s, {resident() / 1e6:,.0f} MB of memory"

    def counts(self) -> str:
        return ", ".join(f"{v.value} {self.verdicts[v.value]:,}" for v in Verdict if self.verdicts[v.value])

    def left(self) -> float:
        """Return the seconds that the phase will take still."""
        made = self.done - self.before
        return (time.monotonic() - self.began) / made * max(0, self.total - self.done) if made else 0.0


class Lines(_Counting):
    def __init__(self) -> None:
        super().__init__()
        self._next = time.monotonic() + LINE_SECONDS

    def show(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_SECONDS
        of = f" of about {self.total:,}" if self.total else ""
        verdicts = f"; {self.counts()}" if self.verdicts else ""
        sys.stderr.write(f"{self.name}: {self.done:,}{of}, {self.speeds()}, {self.left():,.0f} s left{verdicts}\n")
        sys.stderr.flush()


class Bar(_Counting):
    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console  # noqa: PLC0415 - only where there is a terminal
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as Shown  # noqa: PLC0415

        columns: tuple[Any, ...] = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speeds]}\n{task.fields[counts]}"),
        )
        self._shown = Shown(*columns, console=Console(stderr=True), refresh_per_second=4)
        self._task: Any = None
        self._next = 0.0

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._update()
        self._shown.stop()

    def phase(self, name: str, total: int, done: int = 0) -> None:
        self._update()
        super().phase(name, total, done)
        self._task = self._shown.add_task(name, total=total or None, completed=done, speeds="", counts="")

    def show(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.25
            self._update()

    def _update(self) -> None:
        if self._task is not None:
            self._shown.update(self._task, completed=self.done, speeds=self.speeds(), counts=self.counts())


def shown(*, quiet: bool) -> Progress:
    """Return what suits standard error."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines()
