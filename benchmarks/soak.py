"""Soak: a stream of articles through a 30-day window at accelerated time; does anything grow once the window is full?

`python -m benchmarks.soak --documents 1000000` writes `results/soak.json` and, with matplotlib, `results/soak.svg`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched, islice
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from baznashr.types import Document
from baznashr_server.engine import Engine
from benchmarks import ending
from benchmarks.corpus import ArticleModel
from benchmarks.machine import describe
from benchmarks.report import save

WINDOW_DAYS = 30
STREAM_DAYS = 120
"""Published within these: the window is full after a quarter of the stream."""
BATCH = 32
POINTS = 60
QUARTERS = 4
FLAT = {"rss_mib": 1.1, "disk_mib": 1.1, "descriptors": 1.0, "stored": 1.1, "cpu_us": 1.15, "p99_ms": 1.5}
"""How much the mean of the last quarter may exceed that of the third."""
RESULTS = Path(__file__).parent / "results"


def documents(count: int, seed: int, chars: int) -> Iterator[Document]:
    """Yield articles published one after another, the last one now."""
    start = datetime.now(UTC) - timedelta(days=STREAM_DAYS)
    for article in islice(ArticleModel(seed, mean_chars=chars).articles(), count):
        published = start + timedelta(days=STREAM_DAYS * article.number / count)
        yield Document(
            str(article.number), article.text, title=article.title, source=str(article.source), published_at=published
        )


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def sample(
    engine: Engine, folder: Path, done: int, started: float, calls: Sequence[float], cpu_seconds: float
) -> dict[str, float]:
    """Return a point of the series; processor time is that of a document, its making included."""
    return {
        "documents": done,
        "seconds": round(time.monotonic() - started, 1),
        "stored": engine.sizes()["soak"]["documents"],
        "rss_mib": round(rss_mib(), 1),
        "disk_mib": round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20, 1),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "cpu_us": round(1e6 * cpu_seconds / (len(calls) * (BATCH + 1))),
        "p99_ms": round(1000 * sorted(calls)[int(len(calls) * 0.99)], 2),
    }


def stream(options: argparse.Namespace, folder: Path) -> list[dict[str, float]]:
    """Feed the stream in batches, with a single call between them that is timed; stop when the time is up."""
    series: list[dict[str, float]] = []
    calls: list[float] = []
    done = 0
    every = options.documents // POINTS
    started = time.monotonic()
    spent = time.process_time()
    with Engine.open(folder) as engine:
        engine.create_corpus("soak", window_days=WINDOW_DAYS)
        for batch in batched(documents(options.documents, options.seed, options.chars), BATCH + 1):
            engine.ingest_batch(batch[:BATCH], "soak")
            for single in batch[BATCH:]:
                asked = time.perf_counter()
                engine.ingest(single, "soak")
                calls.append(time.perf_counter() - asked)
            done += len(batch)
            if done // every > len(series) and calls:
                series.append(sample(engine, folder, done, started, calls, time.process_time() - spent))
                calls.clear()
                spent = time.process_time()
            if time.monotonic() - started > options.seconds:
                break
    return series


def growth(series: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the mean of the last quarter of the stream divided by that of the third, for each figure."""
    half, quarter = len(series) // 2, 3 * len(series) // 4
    return {
        name: round(mean(p[name] for p in series[quarter:]) / mean(p[name] for p in series[half:quarter]), 3)
        for name in FLAT
    }


def plot(series: Sequence[dict[str, float]], path: Path) -> None:
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError:
        return
    figure, axes = plt.subplots(len(FLAT), 1, sharex=True, figsize=(7, 9))
    for axis, name in zip(axes, FLAT, strict=True):
        axis.plot([point["documents"] for point in series], [point[name] for point in series])
        axis.set_ylabel(name)
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel(f"documents; the window of {WINDOW_DAYS} days is full after a quarter")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--chars", type=int, default=2000, help="mean length of an article (2,000)")
    parser.add_argument("--seconds", type=float, default=6 * 3600, help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    ending.as_by_ctrl_c()
    if options.documents < POINTS * (BATCH + 1) or options.chars < 1 or options.seconds <= 0:
        parser.error(f"--documents must be at least {POINTS * (BATCH + 1):,}, --chars at least 1, --seconds above 0")
    options.out.mkdir(parents=True, exist_ok=True)
    machine = describe()
    with TemporaryDirectory(prefix="baznashr-soak-") as folder:
        series = stream(options, Path(folder))
    if len(series) < QUARTERS:
        raise SystemExit("stopped before there was anything to compare")
    grown = growth(series)
    complete = series[-1]["documents"] >= options.documents * (1 - 2 / POINTS)
    flat = complete and all(grown[name] <= most for name, most in FLAT.items())
    result = {
        "documents": series[-1]["documents"],
        "asked": options.documents,
        "mean_chars": options.chars,
        "seed": options.seed,
        "flat": flat,
        "growth": grown,
        "most_growth": FLAT,
        "machine": machine,
        "series": series,
    }
    save(options.out / "soak.json", json.dumps(result, indent=1) + "\n")
    plot(series, options.out / "soak.svg")
    print(json.dumps({key: result[key] for key in ("documents", "flat", "growth")}))
    if not flat:
        raise SystemExit("not flat, or not finished")


if __name__ == "__main__":
    main()
