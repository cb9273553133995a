"""Plots of the sweeps. The plotting library is an extra: `baznashr-server[plots]`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from baznashr.types import Policy
from baznashr_server.index.bands import candidate_probability
from baznashr_server.tune.data import TuneError
from baznashr_server.tune.scoring import Compared
from baznashr_server.tune.sweep import NAMES, WITHOUT_TEXT, sweep

FORMATS = (".svg", ".png", ".pdf")


def check(path: Path) -> None:
    """Say before the work whether a plot can be drawn after it.

    Raises:
        TuneError: The library is not installed, or the file's name is of no format it draws.
    """
    if path.suffix.lower() not in FORMATS:
        raise TuneError(f"{path}: a plot's name ends in {', '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise TuneError("plots need matplotlib: pip install 'baznashr-server[plots]'")


def draw(path: Path, compared: Sequence[Compared], policy: Policy) -> None:
    """Draw precision, recall and F1 over each threshold, and the S-curve, into one file.

    Raises:
        TuneError: The file cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to import

    columns = 4
    rows = -(-(len(NAMES) + 1) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for name in NAMES:
        panel = next(panels)
        tried = list(sweep(compared, policy, name))
        values = [value for value, _ in tried]
        for figure_name in ("precision", "recall", "f1"):
            panel.plot(
                values, [getattr(found, figure_name) for _, found in tried], label=figure_name.replace("f1", "F1")
            )
        panel.axvline(getattr(policy.thresholds, name), color="grey", linestyle=":", label="now")
        panel.set(title=f"{name}, without texts" if name == WITHOUT_TEXT else name, ylim=(0, 1.02))
        panel.legend(fontsize="x-small")
    curve = next(panels)
    similarities = [step / 100 for step in range(101)]
    curve.plot(similarities, [candidate_probability(similarity) for similarity in similarities])
    curve.set(title="candidate by signature", xlabel="similarity", ylim=(0, 1.02))
    for panel in panels:
        panel.set_axis_off()
    try:
        figure.savefig(path)
    except OSError as error:
        raise TuneError(f"{path} cannot be written: {error.strerror or error}") from None
