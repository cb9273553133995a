"""Run the benchmarks, print their tables, write them to `benchmarks/results`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import ending, machine, report

SHORT = ("--articles", "50", "--documents", "2000", "--seconds", "0.6", "--sizes", "2000,8000")
"""What `--short` stands for; what is given beside it counts more."""

BENCHMARKS = (
    "sketching",
    "stages",
    "memory",
    "engine",
    "sizes",
    "rpc",
    "fsync",
    "mixed",
    "client",
    "overhead",
    "likeness",
)
"""Modules of this package, each with `run(options) -> Report`, in the order in which they run."""
RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="run this one; may be given several times")
    parser.add_argument("--articles", type=int, default=400, metavar="N", help="texts of 2,000 characters (400)")
    parser.add_argument("--documents", type=int, default=20_000, metavar="N", help="documents in the index (20,000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each contender of a comparison (5)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument(
        "--sizes",
        type=lambda given: tuple(int(size) for size in given.split(",")),
        default=(10_000, 100_000, 1_000_000),
        metavar="N,...",
        help="documents stored where sizes are compared (10000,100000,1000000, which takes half an hour)",
    )
    parser.add_argument(
        "--short", action="store_true", help="show in minutes that everything runs; no files without --out"
    )
    parser.add_argument("--out", type=Path, help="folder of the result files (benchmarks/results)")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args([*SHORT, *given] if "--short" in given else given)
    if options.out is None and not options.short:
        options.out = RESULTS
    if options.articles < 2 or options.documents < 1 or options.seconds <= 0 or min(options.sizes) < 1:
        parser.error("--articles must be at least 2, --documents and --sizes at least 1 and --seconds above 0")
    return options


def main() -> None:
    asked = parse()
    ending.as_by_ctrl_c()
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
    options = report.Options(asked.articles, asked.documents, asked.seconds, asked.seed, asked.sizes)
    for name in asked.only or BENCHMARKS:
        measured_on = machine.describe()
        try:
            result = importlib.import_module(f"benchmarks.{name}").run(options)
        except ModuleNotFoundError as error:
            sys.exit(f"benchmarks: {name} needs {error.name}, which is not installed: tooling/setup.sh bench")
        report.show(result)
        if asked.out:
            report.write(result, measured_on, asked.out)


if __name__ == "__main__":
    main()
