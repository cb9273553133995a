"""Draws docs/dashboard.png: every panel of the dashboard, from a real server under load, by a real Prometheus.

Usage: PYTHONPATH=. python tooling/draw_dashboard.py [SECONDS]

For whoever has no Grafana at hand. Needs prometheus on the PATH (Debian: prometheus) and matplotlib.
"""

from __future__ import annotations

import math
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from baznashr import Client, Document
from baznashr.errors import BaznashrError
from baznashr.types import Policy
from tests.support.prometheus import DASHBOARD, Api, panel_queries, program, scraping
from tests.support.server import serving
from tests.support.texts import article, light_edit

TARGET = Path(__file__).parent.parent / "docs/dashboard.png"
STEP_SECONDS = 2
RATE_INTERVAL = "15s"
WIDTH_INCHES, UNIT_INCHES = 19.0, 0.33
"""Of the figure, and of one unit of the grid's height."""
LEGEND_LINES = 6
COLOURS = mpl.colormaps["tab10"].colors

Load = Callable[[Client, random.Random, int], object]


def main() -> None:
    if program is None:
        sys.exit("the dashboard is drawn by a real Prometheus, and prometheus is not on the PATH (Debian: prometheus)")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    flags = (
        "--slow-call-seconds",
        "0.05",
        "--census-seconds",
        "2",
        "--snapshot-seconds",
        "5",
        "--max-queued-calls",
        "2",
    )
    flags += ("--max-concurrent-calls", "3", "--metrics-corpora", "default,news")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags += ("--backup-dir", str(folder / "backups"))
        with serving(folder / "data", *flags) as server, scraping(folder, server.metrics) as api:
            begun = time.time()
            load(server.listen, seconds)
            draw(api, begun, time.time())


def load(address: str, seconds: float) -> None:
    """Call the server as several callers would, for *seconds*."""
    with Client(address) as client:
        client.create_corpus("news", window_days=7, shadow_policy=Policy(repeated_verdicts=()))
    stopped = threading.Event()

    def run(work: Load, seed: int) -> None:
        rng = random.Random(seed)
        with Client(address) as client:
            number = 0
            while not stopped.is_set():
                with suppress(BaznashrError):
                    work(client, rng, number)
                number += 1

    works: list[Load] = [batches, singles, singles, checks, strange, now_and_then]
    threads = [threading.Thread(target=run, args=(work, seed)) for seed, work in enumerate(works)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stopped.set()
    for thread in threads:
        thread.join()


def batches(client: Client, rng: random.Random, number: int) -> None:
    """Fill the corpus whose window ends, two days at a time."""
    published = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=2 * number)
    originals = [article(rng) for _ in range(16)]
    texts = [*originals, *(light_edit(rng, text) for text in originals)]
    documents = [Document(f"b{number}-{n}", text, published_at=published) for n, text in enumerate(texts)]
    list(client.ingest_many(documents, corpus="news", on_error="skip"))
    time.sleep(0.2)


def singles(client: Client, rng: random.Random, number: int) -> None:
    """Send stories that come again and again, some of them doubled."""
    story = article(random.Random(rng.randrange(40)))
    text = rng.choice((story, light_edit(rng, story), article(rng), f"{story}\n{story}"))
    client.ingest(Document(f"s{number}-{rng.random()}", text))
    time.sleep(rng.random() / 20)


def checks(client: Client, _: random.Random, number: int) -> None:
    client.check(article(random.Random(number % 40)))
    time.sleep(0.02)


def strange(client: Client, rng: random.Random, number: int) -> None:
    """Make the mistakes that callers make."""
    time.sleep(0.3)
    match number % 3:
        case 0:
            client.check("")
        case 1:
            client.get("none")
        case _:
            client.check(article(rng), corpus="nowhere")


def now_and_then(client: Client, _: random.Random, number: int) -> None:
    time.sleep(15)
    client.backup(f"copy-{number}.sqlite3")


def draw(api: Api, begun: float, ended: float) -> None:
    panels = DASHBOARD["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    mpl.rcParams.update({"font.size": 8, "axes.titlesize": 9, "axes.titleweight": "bold"})
    figure = Figure(figsize=(WIDTH_INCHES, height * UNIT_INCHES), dpi=72)
    for panel in panels:
        at = panel["gridPos"]
        left, top = at["x"] / 24, 1 - at["y"] / height
        if panel["type"] == "row":
            figure.text(left + 0.008, top - 0.6 / height, panel["title"], fontsize=13, fontweight="bold", va="center")
            continue
        box = (left + 0.032, top - (at["h"] - 2.3) / height, at["w"] / 24 - 0.045, (at["h"] - 3.6) / height)
        axes = figure.add_axes(box)
        axes.set_title(panel["title"], loc="left")
        fill(axes, panel, api, begun, ended)
    figure.savefig(TARGET)


def fill(axes: Axes, panel: dict[str, Any], api: Api, begun: float, ended: float) -> None:
    times = {"start": str(begun), "end": str(ended), "step": str(STEP_SECONDS)}
    found = [
        (legend(template, series["metric"]), [(float(t) - begun, float(v)) for t, v in series["values"]])
        for query, template in panel_queries(panel, RATE_INTERVAL)
        for series in api.get("query_range", query=query, **times)["result"]
    ]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    known = [(name, [(t, v) for t, v in points if math.isfinite(v)]) for name, points in found]
    known = sorted((each for each in known if each[1]), key=lambda each: -max(v for _, v in each[1]))
    # Where something happened, what never did only hides it.
    known = [each for each in known if any(v for _, v in each[1])] or known[:LEGEND_LINES]
    if not known:
        axes.text(0.5, 0.5, "nothing", ha="center", va="center", transform=axes.transAxes, color="grey")
        axes.set_axis_off()
        return
    if panel["type"] == "stat":
        lines = [f"{said(points[-1][1], unit)}\n{name}" for name, points in known[:LEGEND_LINES]]
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", "\n".join(lines))
        axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=11, wrap=True)
        axes.set_axis_off()
        return
    for place, (name, points) in enumerate(known):
        colour, style = COLOURS[place % len(COLOURS)], "-" if place < len(COLOURS) else "--"
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1.3, color=colour, linestyle=style)
    axes.set_xlim(0, ended - begun)
    axes.set_ylim(0, 1.15 * max(v for _, points in known for _, v in points) or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(value, unit)))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.grid(alpha=0.3)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[:LEGEND_LINES],
        names[:LEGEND_LINES],
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.14),
        ncols=3,
        fontsize=7,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.0,
    )


def legend(template: str, labels: dict[str, str]) -> str:
    name = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)
    return re.sub(r"127\.0\.0\.1:\d+", "server", name)


def said(value: float, unit: str) -> str:
    """Return a value with its unit, as Grafana would write it."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        for name, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
            if value >= length:
                return f"{value / length:.3g} {name}"
        return "0 s"
    steps = ("B", "KiB", "MiB", "GiB", "TiB") if unit == "bytes" else ("", "k", "M", "G", "T")
    base, place = 1024 if unit == "bytes" else 1000, 0
    while value >= base and place < len(steps) - 1:
        value /= base
        place += 1
    after = {"reqps": " /s", "ops": " /s"}.get(unit, "")
    return f"{value:.3g} {steps[place]}".strip() + after


if __name__ == "__main__":
    main()
