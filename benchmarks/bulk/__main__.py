"""Deduplicate whole archives with Baznashr and its peers, and tell time, memory and quality.

Without options: the real articles where they are present, and 10,000, 30,000 and 100,000 generated ones, each with
every contender (some 40 minutes on two cores). A run replaces its own rows of `benchmarks/results/bulk.*` and keeps
the others, so that the long ones may be run one by one:

  python -m benchmarks.bulk --only baznashr --no-real --sizes 300000,1000000
  python -m benchmarks.bulk --only text-dedup --no-real --sizes 1000000
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import ending, figures, machine, report
from benchmarks.__main__ import RESULTS
from benchmarks.bulk import plots, records, sets
from benchmarks.bulk.contenders import CONTENDERS, Contender
from benchmarks.bulk.environments import Unavailable
from benchmarks.bulk.processes import Cost, Failed
from benchmarks.stock import home

SIZES = (10_000, 30_000, 100_000)


def _absolute(path: str) -> Path:
    """Return a path that holds in the folders of the contenders, too."""
    return Path(path).absolute()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bulk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--only", action="append", choices=names, help="run this one; may be given several times")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",") if part],
        default=SIZES,
        metavar="N,N",
        help="of the generated archives (10000,30000,100000); '' for none",
    )
    parser.add_argument("--no-real", action="store_true", help="leave the real articles out")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each, in turns; the median counts (1)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--work", type=_absolute, help="folder for archives and outputs, kept (a temporary one)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result files (benchmarks/results)")
    asked = parser.parse_args(arguments)
    if asked.rounds < 1 or any(size < 1 for size in asked.sizes):
        parser.error("--rounds and --sizes must be at least 1")
    return asked


def archives(asked: argparse.Namespace, work: Path) -> Iterator[sets.Archive]:
    """Yield the archives, each made only when its turn comes."""
    if not asked.no_real:
        found = sets.real(work / sets.REAL)
        if found is None:
            print("bulk: the real articles are absent (BAZNASHR_EVAL_DATA); left out", file=sys.stderr)
        else:
            yield found
    for size in asked.sizes:
        # The folder is kept for later runs, which may be of another seed or another model.
        yield sets.generated(work / f"{sets.GENERATED}-{size}-{home(asked.seed).name}", size, asked.seed)


def usable(names: list[str] | None) -> list[Contender]:
    found = []
    for contender in CONTENDERS:
        if names and contender.name not in names:
            continue
        try:
            contender.ready()
        except (Unavailable, Failed) as error:
            print(f"bulk: {contender.name} left out: {error}", file=sys.stderr)
        else:
            found.append(contender)
    return found


def measure(
    archive: sets.Archive, contenders: list[Contender], asked: argparse.Namespace, failed: list[str]
) -> Iterator[records.Record]:
    """Yield after each run a record of that contender's rounds so far; they take turns. *failed* takes who fails."""
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    found: dict[str, sets.Scores] = {}
    measured = {contender.name: machine.describe() for contender in contenders}
    for number in range(asked.rounds):
        for contender in contenders if number % 2 == 0 else contenders[::-1]:
            folder = archive.articles.with_name(contender.name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                if number == 0:
                    contender.warm(archive, folder)
                    measured[contender.name] = machine.describe()
                    load = measured[contender.name]["load before"]
                    print(
                        f"bulk: {archive.name} {archive.rows:,} {contender.name}: load {load} before", file=sys.stderr
                    )
                cost = contender.run(archive, folder)
            except Failed as error:
                failed.append(f"{contender.name} on {archive.name} {archive.rows:,}")
                print(f"bulk: {contender.name} failed on {archive.name} {archive.rows:,}: {error}", file=sys.stderr)
                continue
            print(
                f"bulk: {archive.name} {archive.rows:,} {contender.name}: {cost.wall:.1f} s,"
                f" {cost.cpu:.1f} s of CPU, {cost.peak_mib:,.0f} MiB",
                file=sys.stderr,
            )
            costs[contender.name].append(cost)
            if contender.name not in found:
                found[contender.name] = sets.scores(archive, contender.copies(archive, folder), asked.seed)
            shutil.rmtree(folder)
            yield records.record(
                archive,
                contender.name,
                contender.version(),
                contender.settings,
                costs[contender.name],
                found[contender.name],
                measured[contender.name],
            )


def run(asked: argparse.Namespace, work: Path) -> None:
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / "bulk.json"
    contenders = usable(asked.only)
    if not contenders:
        sys.exit("bulk: nobody is left to be measured")
    measured_on = machine.describe()
    measured_on["command"] = "python -m benchmarks.bulk; each row's own beside it in bulk.json"
    failed: list[str] = []
    for archive in archives(asked, work):
        for new in measure(archive, contenders, asked, failed):
            kept = records.merged(records.read(path), [new])
            records.write(path, kept)
            report.save(asked.out / "bulk.md", report.markdown(records.report(kept), measured_on))
            figures.save(plots.curve(kept), asked.out / "bulk.svg")
    report.show(records.report(records.read(path)))
    if failed:
        sys.exit(f"bulk: failed: {', '.join(dict.fromkeys(failed))}")


def main() -> None:
    asked = parse()
    ending.as_by_ctrl_c()
    if asked.work:
        asked.work.mkdir(parents=True, exist_ok=True)
        run(asked, asked.work)
        return
    with TemporaryDirectory(prefix="baznashr-bulk-") as folder:
        run(asked, Path(folder))


if __name__ == "__main__":
    main()
