"""Results as tables and bars: printed, and written as JSON for programs and Markdown for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Cell = str | int | float | None


@dataclass(slots=True)
class Table:
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)

    def noted(self, notes: str) -> Table:
        """Return this table with each line of *notes* below it."""
        return Table(self.title, self.columns, self.rows, notes.splitlines())


@dataclass(slots=True)
class Bar:
    """A figure that must be reached."""

    name: str
    found: float
    needed: float
    at_least: bool = True

    @property
    def holds(self) -> bool:
        return self.found >= self.needed if self.at_least else self.found <= self.needed

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        # Rounding must not hide on which side of what is needed a figure lies.
        found = text(self.found) if text(self.found) != text(self.needed) else exact(self.found)
        return f"{'holds' if self.holds else 'FAILS'}: {self.name}: {found} ({sign} {exact(self.needed)})"


@dataclass(slots=True)
class Report:
    name: str
    """Of the benchmark and of its result files."""
    title: str
    articles: str
    """The corpus it was measured on, in one line."""
    tables: list[Table]
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    articles: int
    """Texts in a benchmark of single articles."""
    documents: int
    """Documents already stored, in benchmarks of index and engine."""
    seconds: float
    """For each contender of a comparison."""
    seed: int
    sizes: tuple[int, ...] = (10_000, 100_000)
    """Documents already stored, in benchmarks that compare sizes of the index."""


def text(cell: Cell) -> str:
    """Return a figure with three digits that say something, thousands parted."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    size = abs(cell)
    if isinstance(cell, int) or size >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.1f}" if size >= 10 else f"{cell:.2f}" if size >= 0.1 or cell == 0 else f"{cell:.4f}"


def exact(value: float) -> str:
    """Return a figure as in a table, or with more digits where those would say another one."""
    rounded = text(value)
    return rounded if float(rounded.replace(",", "")) == value else f"{value:,.7g}"


def _aligned(row: list[str], widths: list[int]) -> str:
    rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return " | ".join([row[0].ljust(widths[0]), *rest])


def markdown_table(table: Table) -> str:
    rows = [table.columns, *([text(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    rule = "|".join("-" * (w + 1) + "-" if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths))
    lines = [f"| {_aligned(row, widths)} |" for row in rows]
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def markdown(report: Report, machine: dict[str, str]) -> str:
    parts = [f"# {report.title}", f"Articles: {report.articles}."]
    if report.bars:
        parts.append("\n".join(f"- {bar.line()}" for bar in report.bars))
    for table in report.tables:
        parts += [f"## {table.title}", markdown_table(table)]
        parts += ["\n".join(f"- {note}" for note in table.notes)] if table.notes else []
    parts += ["## Measured on", "\n".join(f"- {key}: {value}" for key, value in machine.items())]
    return "\n\n".join(parts) + "\n"


def as_json(report: Report, machine: dict[str, str]) -> dict[str, Any]:
    return {
        "machine": machine,
        **asdict(report),
        "bars": [{**asdict(bar), "holds": bar.holds} for bar in report.bars],
    }


def save(path: Path, told: str) -> None:
    """Replace a file as a whole: what it held before stays where that is broken off."""
    unfinished = path.with_name(f".{path.name}")
    try:
        unfinished.write_text(told, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write(report: Report, machine: dict[str, str], out: Path) -> None:
    """Write `<name>.json` and `<name>.md` to the folder *out*."""
    data = json.dumps(as_json(report, machine), ensure_ascii=False, indent=1)
    save(out / f"{report.name}.json", data + "\n")
    save(out / f"{report.name}.md", markdown(report, machine))


def show(report: Report) -> None:
    print(f"\n{report.title}\narticles: {report.articles}")
    for table in report.tables:
        print(f"\n{table.title}\n{markdown_table(table)}")
        for note in table.notes:
            print(f"  {note}")
    print()
    for bar in report.bars:
        print(bar.line())
