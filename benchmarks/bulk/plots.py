"""The figures of `results/bulk.md`, as SVG."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.bulk.records import OURS, Record
from benchmarks.bulk.sets import GENERATED

COLOURS = {OURS: "#08519c", "text-dedup": "#e6550d", "datatrove": "#31a354", "datasketch": "#756bb1"}


def curve(records: list[Record]) -> Figure:
    """Plot wall time, CPU time and memory over the number of generated articles, both axes logarithmic."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for place, (title, unit, of) in enumerate(
        (
            ("Wall time", "seconds", lambda one: one.wall),
            ("CPU time of all processes", "seconds", lambda one: one.cpu),
            ("Peak memory, children included", "MiB", lambda one: one.peak_mib),
        ),
        start=1,
    ):
        axes = figure.add_subplot(1, 3, place)
        for name, colour in COLOURS.items():
            found = [one for one in records if one.archive == GENERATED and one.contender == name]
            if found:
                axes.plot([one.articles for one in found], [of(one) for one in found], "o-", color=colour, label=name)
        axes.set(title=title, xlabel="generated articles", ylabel=unit, xscale="log", yscale="log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3, which="both")
        if place == 1 and axes.get_lines():
            axes.legend(fontsize=8)
    return figure
