"""Run the benchmarks, print their tables, write them to `benchmarks/results`."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks import machine, report

BENCHMARKS = ("sketching", "stages", "memory", "engine", "rpc", "client", "overhead", "likeness")
"""Modules of this package, each with `run(options) -> Report`, in the order in which they run."""
RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run this one; may be given several times")
    parser.add_argument("--articles", type=int, default=400, metavar="N", help="texts of 2,000 characters (400)")
    parser.add_argument("--documents", type=int, default=20_000, metavar="N", help="documents in the index (20,000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each contender of a comparison (5)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files (benchmarks/results)")
    options = parser.parse_args(arguments)
    if options.articles < 2 or options.documents < 1 or options.seconds <= 0:
        parser.error("--articles must be at least 2, --documents at least 1 and --seconds above 0")
    return options


def main() -> None:
    asked = parse()
    options = report.Options(asked.articles, asked.documents, asked.seconds, asked.seed)
    for name in asked.only or BENCHMARKS:
        measured_on = machine.describe()
        result = importlib.import_module(f"benchmarks.{name}").run(options)
        report.show(result)
        report.write(result, measured_on, asked.out)


if __name__ == "__main__":
    main()
