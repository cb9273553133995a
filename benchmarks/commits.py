"""Group commit: what the most documents of a commit, and its wait for company, do to throughput and latency.

`python -m benchmarks.commits` prints a table; 16 threads ingest one document at a time.
"""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from tempfile import TemporaryDirectory

from baznashr.types import Document
from baznashr_server.engine import Engine
from benchmarks import ending
from benchmarks.corpus import ArticleModel
from benchmarks.machine import describe

CALLERS = 16
SETTINGS = ((1, 0.0), (8, 0.0), (512, 0.0), (512, 2.0), (512, 10.0))
"""Most documents of a commit, and milliseconds that it waits; 512 and 0 are the defaults."""


def measure(texts: list[str], most: int, wait_ms: float, seconds: float) -> tuple[float, float, float]:
    """Return documents a second, and the median and 99th percentile of a call in milliseconds."""
    taken: list[float] = []
    numbers = itertools.count()
    with (
        TemporaryDirectory(prefix="baznashr-") as folder,
        Engine.open(folder, group_commit_max_documents=most, group_commit_wait_ms=wait_ms) as engine,
    ):
        end = time.perf_counter() + seconds

        def call() -> None:
            while (begun := time.perf_counter()) < end:
                number = next(numbers)
                # A number of its own makes each text another one.
                engine.ingest(Document(str(number), f"{texts[number % len(texts)]} {number}"))
                taken.append(time.perf_counter() - begun)

        threads = [threading.Thread(target=call) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    taken.sort()
    return len(taken) / seconds, 1000 * taken[len(taken) // 2], 1000 * taken[int(len(taken) * 0.99)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each setting (5)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("--seconds must be above 0")
    ending.as_by_ctrl_c()
    articles = itertools.islice(ArticleModel(options.seed, mean_chars=1000).articles(), 4000)
    texts = [article.text for article in articles]
    measure(texts, 512, 0.0, 1.0)
    print("| documents of a commit | waits ms | documents a second | median ms | p99 ms |\n|--:|--:|--:|--:|--:|")
    for most, wait_ms in SETTINGS:
        rate, median, p99 = measure(texts, most, wait_ms, options.seconds)
        print(f"| {most} | {wait_ms:g} | {rate:.0f} | {median:.1f} | {p99:.1f} |", flush=True)
    machine = describe()
    print(f"\n{machine['processor']}, {machine['cores']} cores, load {machine['load before']}, {machine['measured']}")


if __name__ == "__main__":
    main()
