"""Figures to files, as `report` writes tables."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks import report


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, whole or not at all; without a date and with one salt, equal figures make equal files."""
    drawn = StringIO()
    with rc_context({"svg.hashsalt": "baznashr", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    report.save(path, drawn.getvalue())
