"""Score the verdicts, print the tables, write them to `benchmarks/results/quality.*`; ids and figures only."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import ending, machine, report
from benchmarks.__main__ import RESULTS
from benchmarks.quality import curve, data, noise, pairs, plots, samples, stream

QUICK = 300
"""Articles of a quick stream; those of labelled pairs come on top."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--articles", type=int, default=1000, help="long articles that are damaged (1,000)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--quick", action="store_true", help="a part of the stream, a tenth of the noise; no files")
    parser.add_argument("--out", type=Path, help="folder of the result files (benchmarks/results; none when quick)")
    asked = parser.parse_args()
    if asked.articles < 10:
        parser.error("--articles must be at least 10")
    return asked


def shortened(found: data.Data) -> data.Data:
    """Keep the articles that pairs and faults name, and QUICK more."""
    named = {id_ for pair in found.pairs for id_ in (pair.a, pair.b)} | set(found.faults)
    named.update(islice((id_ for id_ in found.documents if id_ not in named), QUICK))
    kept = {id_: document for id_, document in found.documents.items() if id_ in named}
    return replace(found, documents=kept, line=f"{found.line}; of the stream {len(kept):,}")


def run(asked: argparse.Namespace) -> tuple[report.Report, dict[str, Figure]]:
    found, count = data.load(), asked.articles
    if asked.quick:
        found, count = shortened(found), count // 10
    of_pairs = pairs.measure(found, asked.seed)
    pairs.show_notes(of_pairs)
    of_stream = stream.measure(found)
    of_noise = noise.measure(found, count, asked.seed)
    bins = curve.measure(found, count, asked.seed)
    sample_table, sample_bar = samples.table()
    tables = [
        *pairs.tables(of_pairs, asked.seed),
        *stream.tables(found, of_stream),
        *noise.tables(of_noise),
        curve.table(bins),
        sample_table,
    ]
    bars = [*pairs.bars(of_pairs), *stream.bars(found, of_stream), *noise.bars(of_noise), sample_bar]
    figures = {
        "f1": plots.f1_by_threshold(of_pairs),
        "noise": plots.noise_shares(of_noise),
        "s-curve": plots.s_curve(bins),
    }
    return report.Report("quality", "Quality of the verdicts", found.line, tables, bars), figures


def main() -> None:
    asked = parse()
    ending.as_by_ctrl_c()
    out = asked.out or (None if asked.quick else RESULTS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    measured_on = machine.describe()
    start = time.perf_counter()
    result, figures = run(asked)
    measured_on["seconds"] = f"{time.perf_counter() - start:.0f}"
    report.show(result)
    if out is not None:
        report.write(result, measured_on, out)
        plots.save(figures, out)


if __name__ == "__main__":
    main()
