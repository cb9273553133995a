"""The figures beside the tables, as SVG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baznashr.types import Verdict
from baznashr_server.index.bands import candidate_probability
from benchmarks.figures import save as save_figure
from benchmarks.quality import curve, noise, pairs
from benchmarks.quality.scoring import score

COLOURS = {
    Verdict.EXACT: "#08519c",
    Verdict.NEAR_DUPLICATE: "#3182bd",
    Verdict.EXCERPT: "#9ecae1",
    Verdict.EXTENDED: "#fdae6b",
    Verdict.TEMPLATE: "#e6550d",
    Verdict.OVERLAP: "#bdbdbd",
    Verdict.NEW: "#636363",
}
"""Blue for what is called repeated."""


def f1_by_threshold(results: pairs.PairResults) -> Figure:
    """Plot F1 of each baseline over its threshold, ours as a line with its cross-validated figure below."""
    figure, axes = _figure("Repeated or not: F1 by threshold", "threshold on the Jaccard similarity", "F1")
    true = results.true[results.counted]
    thresholds = np.linspace(0.05, 0.95, 91)
    for name, values in results.similarities.items():
        reached = [score(values[results.counted] >= threshold, true).f1 for threshold in thresholds]
        axes.plot(thresholds, reached, label=name)
    ours = results.methods[0]
    axes.axhline(results.score(ours).f1, color="black", label="baznashr, fitted")
    if ours.validated:
        axes.axhline(ours.validated.f1, color="black", linestyle=":", label="baznashr, cross-validated")
    axes.legend(loc="lower center", fontsize=8)
    return figure


def noise_shares(results: noise.NoiseResults) -> Figure:
    """Plot the shares of verdicts for each kind of noise on long articles."""
    rows = [row for row in results.rows if row.length == noise.LONGEST and row.texts][::-1]
    figure, axes = _figure(f"Verdicts under noise, {noise.LONGEST}", "share of articles", "", height=0.28 * len(rows))
    left = np.zeros(len(rows))
    for verdict, colour in COLOURS.items():
        shares = np.array([row.share(row.verdicts[verdict]) for row in rows])
        axes.barh([row.kind for row in rows], shares, left=left, color=colour, label=verdict.value)
        left += shares
    axes.set_xlim(0, 1)
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.1), ncols=4, fontsize=8)
    return figure


def s_curve(bins: list[curve.Bin]) -> Figure:
    """Plot the probability of becoming a candidate, by arithmetic and as found."""
    figure, axes = _figure("S-curve: chance of becoming a candidate", "Jaccard similarity", "share of pairs")
    similarities = np.linspace(0, 1, 101)
    axes.plot(similarities, [candidate_probability(s) for s in similarities], color="#3182bd", label="bands, expected")
    found = [b.similarity for b in bins]
    axes.plot(found, [b.by_bands for b in bins], "o", color="#08519c", label="bands, found")
    axes.plot(found, [b.by_either for b in bins], "^", color="#e6550d", label="bands or passages, found")
    axes.legend(fontsize=8)
    return figure


def _figure(title: str, x: str, y: str, *, height: float = 4.2) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, max(2.5, height)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    return figure, axes


def save(figures: dict[str, Figure], out: Path) -> None:
    """Write each figure as `quality-<name>.svg`; equal results give equal files."""
    for name, figure in figures.items():
        save_figure(figure, out / f"quality-{name}.svg")
