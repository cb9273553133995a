"""Resident memory of the largest of the sizes; each index grows in a process of its own."""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from itertools import batched, islice
from pathlib import Path

from benchmarks.corpus import Article
from benchmarks.machine import ROOT
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.stock import Stock

PEER_SHARE = 10
"""datasketch's index gets one document in so many: it needs minutes and gigabytes for more."""
LEAST_DOCUMENTS = 100_000
"""Below these, what a process takes once hides what it takes for a document: nothing is asked then."""
OURS, OURS_BANDS, DATASKETCH = "tables", "tables without passages", "datasketch MinHashLSH, dict"


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def grow_tables(articles: Iterable[Article], *, passages: bool) -> dict[str, int]:
    """Enter what the engine would, and return what the index says its parts take."""
    from baznashr_server.index.corpus_index import CorpusIndex
    from baznashr_server.limits import MAX_BATCH_DOCUMENTS
    from benchmarks.stages import indexed_entries

    index = CorpusIndex()
    KEPT.append(index)
    for batch in batched(indexed_entries(articles, passages=passages), MAX_BATCH_DOCUMENTS):
        for entry in batch:
            index.add(entry)
        index.publish()
    parts = {name.strip("_"): part for name, part in vars(index).items() if hasattr(part, "memory_bytes")}
    assert index.memory_bytes == sum(part.memory_bytes for part in parts.values())
    return {name: part.memory_bytes for name, part in parts.items()}


def grow_datasketch(articles: Iterable[Article]) -> dict[str, int]:
    from benchmarks.engine import DictLoop, document

    loop = DictLoop()
    KEPT.append(loop)
    for article in articles:
        loop.fill([document(article)])
    return {}


KEPT: list[object] = []
"""What is measured must live until it was."""


def measure(what: str, documents: int, seed: int) -> dict[str, int]:
    """Grow one index in this process; return its bytes: resident, peak while growing, by its own account, its parts."""

    def grow(count: int) -> dict[str, int]:
        articles = islice(Stock(seed).articles(), count)
        return grow_datasketch(articles) if what == DATASKETCH else grow_tables(articles, passages=what == OURS)

    grow(100)  # Libraries, kernels and word list come first.
    KEPT.clear()
    gc.collect()
    before = resident_bytes()
    parts = grow(documents)
    gc.collect()
    return {
        "resident": resident_bytes() - before,
        "peak": max(0, peak_bytes() - before),
        "own": sum(parts.values()),
        **parts,
    }


def in_own_process(what: str, documents: int, seed: int) -> dict[str, int]:
    arguments = ["--what", what, "--documents", str(documents), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def run(options: Options) -> Report:
    documents = max(options.sizes)
    Stock(options.seed).make(documents)
    rows: list[list[Cell]] = []
    gigabytes, parts = {}, {}
    for what, count in ((OURS, documents), (OURS_BANDS, documents), (DATASKETCH, max(1, documents // PEER_SHARE))):
        found = in_own_process(what, count, options.seed)
        million = {name: value / count * 1e6 / 1e9 for name, value in found.items()}
        gigabytes[what] = million["resident"]
        own = million["own"] or None
        parts[what] = million
        rows.append([what, f"{count:,}", found["resident"] / count, million["resident"], million["peak"], own])
    columns = ["", "documents", "bytes each", "GB per million", "peak, GB per million", "by its own account"]
    table = Table("Resident memory of the index", columns, rows).noted(NOTES)
    kinds = [name for name in parts[OURS] if name not in {"resident", "peak", "own"}]
    shares: list[list[Cell]] = [[name, parts[OURS][name], parts[OURS_BANDS][name]] for name in kinds]
    by_part = Table("By its own account, GB per million documents", ["", OURS, OURS_BANDS], shares)
    bars = [
        Bar("GB per million documents, tables with passages", gigabytes[OURS], 1.5, at_least=False),
        Bar("GB per million documents, tables without passages", gigabytes[OURS_BANDS], 0.6, at_least=False),
    ]
    line = f"generated (seed {options.seed}), about 2,000 characters each"
    return Report("memory", "Memory", line, [table, by_part], bars if documents >= LEAST_DOCUMENTS else [])


NOTES = """\
Growth of the process's resident memory, divided by all documents of the stream; exact copies enter no table, edited \
ones enter no passages. The engine's cache of texts and SQLite's are bounded and not counted.
The tables grow by half when they are four fifths full, so the figure swings with the number of documents."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Measure one index, print JSON.")
    parser.add_argument("--what", choices=(OURS, OURS_BANDS, DATASKETCH), default=OURS)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.what, asked.documents, asked.seed)))


if __name__ == "__main__":
    main()
