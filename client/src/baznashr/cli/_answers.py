"""What becomes of each input: paired with it, shown, and counted."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import typer

from baznashr._batching import Outcome
from baznashr.cli import EXIT_REFUSED, EXIT_REPEATED
from baznashr.cli._inputs import Input
from baznashr.cli._printing import printer
from baznashr.cli._progress import Bar
from baznashr.errors import BaznashrError
from baznashr.types import Document

_T = TypeVar("_T")


def paired(
    inputs: Iterable[Input[_T]], ask: Callable[[Iterator[_T]], Iterator[Outcome]]
) -> Iterator[tuple[Input[_T], Outcome]]:
    """Yield each input with the answer to it, or with why it could not be read, in order."""
    waiting: deque[Input[_T]] = deque()

    def readable() -> Iterator[_T]:
        for entry in inputs:
            waiting.append(entry)
            if entry.item is not None:
                yield entry.item

    def unreadable() -> Iterator[tuple[Input[_T], Outcome]]:
        while waiting and (error := waiting[0].error) is not None:
            yield waiting.popleft(), error

    for outcome in ask(readable()):
        yield from unreadable()
        yield waiting.popleft(), outcome
    yield from unreadable()


class Answers:
    """Shows answers and sums them up.

    Args:
        json: In the form for programs.
        quiet: Shows only what was refused, and the sums at the end.
    """

    def __init__(self, *, json: bool, quiet: bool = False) -> None:
        self.out = printer(json=json)
        self.refused = 0
        self.repeated = 0
        self.verdicts: Counter[str] = Counter()
        self._quiet = quiet

    def add(self, entry: Input[_T], outcome: Outcome) -> None:
        """Count an answer, and show it."""
        if isinstance(outcome, BaznashrError):
            self.refused += 1
            self.out.error(entry.name, outcome)
            return
        self.repeated += outcome.repeated
        self.verdicts[outcome.verdict.value] += 1
        if not self._quiet:
            self.out.judgement(entry.name, _text(entry.item), outcome)

    def show_sums(self) -> None:
        """Show how many there were of each kind."""
        self.out.sums(self.verdicts, self.repeated, self.refused)


def answer_all(
    inputs: Iterable[Input[_T]],
    ask: Callable[[Iterator[_T]], Iterator[Outcome]],
    total_bytes: int | None,
    *,
    json: bool,
    quiet: bool,
    exit_code: bool,
) -> None:
    """Show what becomes of each input, and end with the exit code that sums it up.

    A bar on standard error tells how far it is where that is a terminal on which no answers are shown.
    """
    answers = Answers(json=json, quiet=quiet)
    with Bar(total_bytes, shown=sys.stderr.isatty() and (quiet or not sys.stdout.isatty())) as bar:
        for entry, outcome in paired(inputs, ask):
            answers.add(entry, outcome)
            bar.advance(entry.size_bytes)
    if quiet:
        answers.show_sums()
    raise typer.Exit(EXIT_REFUSED if answers.refused else EXIT_REPEATED if exit_code and answers.repeated else 0)


def _text(item: object) -> str:
    return item.text if isinstance(item, Document) else str(item)
