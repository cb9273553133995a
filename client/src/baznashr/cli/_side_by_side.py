"""Two texts beside each other, in a terminal that may or may not order right-to-left text by itself.

Each cell of a row is isolated (U+2067 or U+2066 … U+2069), or a terminal that follows the bidirectional algorithm would
take the words of two Persian cells for one run and swap them. The padding is inside the isolate, at the logical end of
its line: such a terminal then aligns Persian to the right, and one that shows letters in the order of memory still
keeps the columns apart. A border stands before each isolate: terminals keep marks of no width with the letter before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from rich.console import Console
from rich.text import Text

from baznashr.cli._for_people import isolated, printable
from baznashr.types import MatchedSpan

_LRI, _RLI, _PDI = "\u2066", "\u2067", "\u2069"
_STYLES = ("green", "yellow", "cyan", "magenta", "blue", "red")
_NARROWEST_COLUMN = 24
_BORDERS = 7
"""Cells of a row that hold no text: borders and the blanks beside them."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two texts."""

    name: str
    text: str

    @property
    def is_right_to_left(self) -> bool:
        """Whether the first letter says so."""
        strong = (unicodedata.bidirectional(c) for c in self.text)
        return next((kind != "L" for kind in strong if kind in {"L", "R", "AL"}), False)


def show(earlier: Side, later: Side, spans: Sequence[MatchedSpan]) -> None:
    """Print both texts; *spans* are of the later text, and their ``stored_`` ends of the earlier one.

    Persian columns run from right to left too: the earlier text stands on the right. On a narrow terminal it stands
    above.
    """
    out = Console(highlight=False, soft_wrap=True)
    in_colour = out.is_terminal and not out.no_color
    width = (out.width - _BORDERS) // 2
    is_narrow = width < _NARROWEST_COLUMN
    if is_narrow:
        width = max(out.width - _BORDERS // 2 - 1, 2)
    columns = []
    for kind, side, passages in (
        ("earlier", earlier, [(span.stored_start, span.stored_end) for span in spans]),
        ("later", later, [(span.start, span.end) for span in spans]),
    ):
        text = mark(side.text, passages, in_colour=in_colour)
        lines = list(_wrap(out, text, width, side.is_right_to_left))
        columns.append((_cell(f"{kind}: {isolated(side.name)}", width), lines))
    if is_narrow:
        tables = [[column] for column in columns]
    else:
        tables = [columns[::-1] if earlier.is_right_to_left and later.is_right_to_left else columns]
    for table in tables:
        for row in _table(table, width):
            out.print(row)


def mark(text: str, passages: Iterable[tuple[int, int]], *, in_colour: bool) -> Text:
    """Return *text*, fit for a terminal, with the passage of each number in its colour or its brackets."""
    text = text.rstrip()
    numbers: list[int | None] = [None] * len(text)
    for order, (start, end) in enumerate(passages):
        for place in range(start, min(end, len(text))):
            numbers[place] = order
    marked = Text()
    place = 0
    for number, run in groupby(numbers):
        end = place + sum(1 for _ in run)
        piece = printable(text[place:end])
        place = end
        if number is None:
            marked.append(piece)
        elif in_colour:
            marked.append(piece, f"bold {_STYLES[number % len(_STYLES)]}")
        else:
            marked.append(f"⟦{number + 1} {piece}⟧")
    return marked


def _wrap(out: Console, text: Text, width: int, right_to_left: bool) -> Iterator[Text]:
    """Yield the lines of a column, each as wide as the column and isolated in direction."""
    for line in text.wrap(out, width, overflow="fold"):
        line.rstrip()
        line.truncate(width, pad=True)
        yield Text(_RLI if right_to_left else _LRI).append(line).append(_PDI)


def _table(columns: Sequence[tuple[Text, Sequence[Text]]], width: int) -> Iterator[Text]:
    rule = ["─" * (width + 2)] * len(columns)
    yield Text("┌" + "┬".join(rule) + "┐", "dim")
    yield _row([head for head, _ in columns])
    yield Text("├" + "┼".join(rule) + "┤", "dim")
    for cells in zip_longest(*(lines for _, lines in columns), fillvalue=Text(" " * width)):
        yield _row(cells)
    yield Text("└" + "┴".join(rule) + "┘", "dim")


def _cell(head: str, width: int) -> Text:
    cell = Text(head, "bold")
    cell.truncate(width, overflow="ellipsis", pad=True)
    return Text(_LRI).append(cell).append(_PDI)


def _row(cells: Iterable[Text]) -> Text:
    row = Text().append("│ ", "dim")
    for number, cell in enumerate(cells):
        if number:
            row.append(" │ ", "dim")
        row.append(cell)
    return row.append(" │", "dim")
