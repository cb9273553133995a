"""What was measured, one record for each archive and contender; later runs replace their own records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.bulk.processes import Cost
from benchmarks.bulk.sets import GENERATED, REAL, Archive, Scores
from benchmarks.report import Bar, Cell, Report, Table, save

MILLION = 1_000_000
OURS = "baznashr"
GIGABYTES_2 = 2e9 / (1 << 20)


@dataclass(frozen=True, slots=True)
class Record:
    archive: str
    articles: int
    megabytes: float
    contender: str
    version: str
    settings: str
    wall: float
    """Seconds, the process's start included; the median of the rounds."""
    cpu: float
    peak_mib: float
    """The most of all rounds."""
    rounds: int
    scores: Scores
    measured: dict[str, str]

    @property
    def key(self) -> tuple[str, int, str]:
        return self.archive, self.articles, self.contender


def record(
    archive: Archive,
    name: str,
    version: str,
    settings: str,
    costs: list[Cost],
    scores: Scores,
    measured: dict[str, str],
) -> Record:
    return Record(
        archive=archive.name,
        articles=archive.rows,
        megabytes=round(archive.megabytes, 1),
        contender=name,
        version=version,
        settings=settings,
        wall=round(median(cost.wall for cost in costs), 2),
        cpu=round(median(cost.cpu for cost in costs), 2),
        peak_mib=round(max(cost.peak_mib for cost in costs), 1),
        rounds=len(costs),
        scores={name: round(value, 5) for name, value in scores.items()},
        measured=measured,
    )


def read(path: Path) -> list[Record]:
    if not path.exists():
        return []
    return [Record(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))["records"]]


def merged(old: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    found = {one.key: one for one in (*old, *new)}
    names = [OURS, *sorted({one.contender for one in found.values()} - {OURS})]
    return sorted(found.values(), key=lambda one: (one.archive != REAL, one.articles, names.index(one.contender)))


def write(path: Path, records: list[Record]) -> None:
    data = {"records": [asdict(one) for one in records]}
    save(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def _ratio(records: list[Record], archive: str, articles: int | None, peer: str, of: str = "wall") -> float | None:
    """Return how many times as long a peer took as we did; None where one of the two is missing."""
    taken = {
        one.contender: float(getattr(one, of))
        for one in records
        if one.archive == archive and (articles is None or one.articles == articles)
    }
    return taken[peer] / taken[OURS] if peer in taken and OURS in taken else None


def bars(records: list[Record]) -> list[Bar]:
    found = []
    for peer, archive, articles, needed in (
        ("text-dedup", REAL, None, 6.0),
        ("datatrove", REAL, None, 15.0),
        ("text-dedup", GENERATED, MILLION, 10.0),
    ):
        ratio = _ratio(records, archive, articles, peer)
        if ratio is not None:
            where = "the real articles" if archive == REAL else "a million articles"
            found.append(Bar(f"times as fast as {peer} on {where}, wall time", ratio, needed))
    ours = {one.articles: one for one in records if one.archive == GENERATED and one.contender == OURS}
    if MILLION in ours:
        found.append(Bar("seconds for a million articles", ours[MILLION].wall, 180.0, at_least=False))
        found.append(Bar("MiB for a million articles", ours[MILLION].peak_mib, GIGABYTES_2, at_least=False))
        if MILLION // 10 in ours:
            growth = ours[MILLION].wall / ours[MILLION // 10].wall / 10
            found.append(Bar("growth from 100,000 to a million, 1 is linear", growth, 1.2, at_least=False))
    return found


def _costs(one: Record, records: list[Record]) -> list[Cell]:
    wall, cpu = (_ratio(records, one.archive, one.articles, one.contender, of) for of in ("wall", "cpu"))
    return [
        one.wall,
        wall,
        one.cpu,
        cpu,
        one.articles / one.wall,
        one.peak_mib,
        *map(one.measured.get, ("load before", "commit")),
    ]


COSTS = ["wall s", "× ours", "CPU s", "× ours", "articles/s", "peak MiB", "load before", "commit"]


def tables(records: list[Record]) -> list[Table]:
    found = []
    on_real = [one for one in records if one.archive == REAL]
    if on_real:
        rows: list[list[Cell]] = []
        for one in on_real:
            told = one.scores
            f1 = f"{told['f1']:.3f} ({told['f1_low']:.2f} to {told['f1_high']:.2f})"
            rows.append([one.contender, *_costs(one, records), f1, told["precision"], told["recall"]])
        columns = ["", *COSTS, "F1 on pairs (95 %)", "precision", "recall"]
        found.append(
            Table(f"{on_real[0].articles:,} real articles, {on_real[0].megabytes:.0f} MB", columns, rows).noted(
                f"Quality: the {on_real[0].scores['pairs']:.0f} labelled pairs whose readers were sure. A pair counts"
                " as called repeated where both are in one cluster and the later one is called a repeat.\n"
                "Word shingles at 0.7 are blind to excerpts and call bulletins that differ in figures alike."
            )
        )
    for articles in sorted({one.articles for one in records if one.archive == GENERATED}):
        of_size = [one for one in records if one.archive == GENERATED and one.articles == articles]
        kinds = ("exact", "edited", "template", "new")
        rows = [[one.contender, *_costs(one, records), *(one.scores[kind] for kind in kinds)] for one in of_size]
        columns = ["", *COSTS, *(f"{kind} called copies" for kind in kinds)]
        title = f"{articles:,} generated articles, {of_size[0].megabytes:,.0f} MB"
        found.append(
            Table(title, columns, rows).noted(
                "Exact and edited copies should be found with their originals (1), bulletins and new articles not (0)."
            )
        )
    return found


def report(records: list[Record]) -> Report:
    rows: list[list[Cell]] = []
    for name in dict.fromkeys(one.contender for one in records):
        latest = max((one for one in records if one.contender == name), key=lambda one: one.measured["measured"])
        rows.append([f"{name} {latest.version}", latest.settings])
    how = Table("How each is run", ["", "settings"], rows).noted(
        "The load before a run is the last minute's, with that of whoever was measured before it. Where it is of other "
        "work, wall time says little; CPU time is that of all processes.\n"
        "When and by which command a row was measured is in bulk.json. Rows of different commits were not run in turn."
    )
    line = "the real ones where they are present, and generated ones (seed 1 where a row's command names no other)"
    line += "; JSON lines in, process start counted"
    return Report("bulk", "Whole archives, beside the peers", line, [*tables(records), how], bars(records))
