"""A bar for work that takes long."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress
    from typing_extensions import Self

_FIRST_SHOWN_SECONDS = 1.0
"""Shorter work needs no bar."""


class Bar:
    """Tells on standard error how many inputs are answered and, where their size is known, how many are left.

    Args:
        total_bytes: The size of all inputs, None where standard input is one of them.
        shown: Whether there is anybody to tell.
    """

    def __init__(self, total_bytes: int | None, *, shown: bool) -> None:
        self._total = total_bytes
        self._shown = shown
        self._began = time.monotonic()
        self._answered = 0
        self._bytes = 0
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, size_bytes: int) -> None:
        """Note that an input of this size is answered."""
        self._answered += 1
        self._bytes += size_bytes
        if self._progress is None and self._shown and time.monotonic() - self._began > _FIRST_SHOWN_SECONDS:
            self._progress = _start(self._total)
        if self._progress is not None:
            self._progress.update(
                self._progress.task_ids[0], completed=self._bytes, answered=f"{self._answered:,} answered"
            )


def _start(total_bytes: int | None) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - most calls need no bar, and rich takes time to import
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.fields[answered]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    # Lines on standard output stay what they are: programs may read them.
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    progress.add_task("", total=total_bytes, answered="")
    progress.start()
    return progress
