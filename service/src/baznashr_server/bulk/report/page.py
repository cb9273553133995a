"""The page: facts, figures and evidence put into the template."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jdatetime
import jinja2
import pyarrow.parquet as pq

from baznashr.errors import BaznashrError
from baznashr.types import Document, Verdict
from baznashr_server.bulk.report import charts, words
from baznashr_server.bulk.report.evidence import Pair, Piece, compared, pieces
from baznashr_server.bulk.report.facts import Facts, Row, gather, rows_of

Texts = Callable[[Collection[str]], Mapping[str, Document]]
"""Gives the documents with these ids, those it has."""

CLUSTERS, MEMBERS = 6, 12
"""Clusters shown, and members named of each."""
FAMILIES, REPORTS = 4, 8
"""Families of recurring reports shown, and reports named of each."""
FAULTY = 4
"""Self-repeating articles shown of each kind, of as many sources."""
REJECTS = 30
"""Rejected rows shown."""
ROW = ("title", "source", "published_at", "verdict", "similarity", "numbers_changed", "kept", "url", "repeated")


@dataclass(frozen=True, slots=True)
class Group:
    """A cluster, or a family of recurring reports."""

    name: str
    size: int
    sources: int | None
    members: list[Row]
    pair: Pair | None


@dataclass(frozen=True, slots=True)
class Faulty:
    row: Row
    share: float
    kind: str
    pieces: list[Piece]


def first_clusters(path: Path) -> list[Row]:
    """Return the largest clusters; the file has them first."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(CLUSTERS):
            rows: list[Row] = batch.to_pylist()
            return rows
    return []


def read_rejects(path: Path) -> tuple[Counter[str], list[Row]]:
    """Return how many rows were rejected for each reason, and the first ones."""
    reasons: Counter[str] = Counter()
    shown: list[Row] = []
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                reasons[row["reason"]] += 1
                if len(shown) < REJECTS:
                    shown.append(row)
    return reasons, shown


def _pair(texts: Mapping[str, Document], earlier: str, later: str) -> Pair | None:
    if earlier not in texts or later not in texts:
        return None
    try:
        return compared(texts[earlier], texts[later])
    except BaznashrError:
        return None


def _telling(members: list[Row]) -> str | None:
    """Return the member that differs most from what it repeats; where none does, the last one."""
    edited = [row for row in members if row["repeated"] and row["verdict"] != Verdict.EXACT]
    if edited:
        return str(min(edited, key=lambda row: (row["similarity"] or 0.0, row["id"]))["id"])
    copies = [row for row in members if row["repeated"]]
    return str(copies[-1]["id"]) if copies else None


def when(value: datetime | None, zone: tzinfo) -> str:
    """Return a date in both calendars."""
    if value is None:
        return "no date"
    day = value.astimezone(zone).date()
    jalali = jdatetime.date.fromgregorian(date=day)
    return f"{day:%Y-%m-%d} · " + f"{jalali:%Y/%m/%d}".translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))


class Shown:
    """What of single articles is shown: rows from the tables, texts from wherever they are kept."""

    def __init__(self, judgements: Path, clusters: list[Row], facts: Facts, texts: Texts) -> None:
        self._clusters = clusters
        self._families = facts.families[:FAMILIES]
        self._faulty = [
            (kind, share, id_)
            for kind in words.KINDS
            for share, id_ in sorted(facts.faulty.get(kind, {}).values(), key=lambda one: (-one[0], one[1]))[:FAULTY]
        ]
        self._edited = [(match, id_) for found in facts.edited.values() for _, id_, match in found]
        listed = [id_ for cluster in clusters for id_ in (cluster["cluster"], *self._first(cluster))]
        listed += [id_ for family in self._families for id_ in family[:REPORTS]]
        listed += [id_ for _, _, id_ in self._faulty]
        self._rows = rows_of(judgements, listed, (*ROW, "repetition_spans"))
        self._pairs = [self._pair_of(cluster) for cluster in clusters]
        wanted = {id_ for pair in self._pairs if pair for id_ in pair}
        wanted |= {id_ for pair in self._edited for id_ in pair}
        wanted |= {id_ for family in self._families for id_ in family[:2]} | {id_ for _, _, id_ in self._faulty}
        self._texts = texts(sorted(wanted))

    def _first(self, cluster: Row) -> list[str]:
        return list(islice(cluster["members"], MEMBERS))

    def _known(self, ids: Collection[str]) -> list[Row]:
        return [self._rows[id_] for id_ in ids if id_ in self._rows]

    def _pair_of(self, cluster: Row) -> tuple[str, str] | None:
        later = _telling(self._known(self._first(cluster)))
        return (cluster["cluster"], later) if later else None

    def clusters(self) -> list[Group]:
        return [
            Group(
                cluster["cluster"],
                cluster["size"],
                cluster["sources"],
                self._known(self._first(cluster)),
                _pair(self._texts, *pair) if pair else None,
            )
            for cluster, pair in zip(self._clusters, self._pairs, strict=True)
        ]

    def edited(self) -> list[Pair]:
        return [pair for ids in self._edited if (pair := _pair(self._texts, *ids))]

    def families(self) -> list[Group]:
        return [
            Group(
                family[0],
                len(family),
                None,
                self._known(family[:REPORTS]),
                _pair(self._texts, *family[:2]),
            )
            for family in self._families
        ]

    def faulty(self) -> list[Faulty]:
        found = []
        for kind, share, id_ in self._faulty:
            if id_ in self._texts and id_ in self._rows:
                spans = [(span["start"], span["end"]) for span in self._rows[id_]["repetition_spans"]]
                found.append(Faulty(self._rows[id_], share, kind, pieces(self._texts[id_].text, spans)))
        return found


def _environment(zone: tzinfo) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("baznashr_server.bulk.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = partial(when, zone=zone)
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    return environment


def write_report(path: Path, folder: Path, run: Mapping[str, Any], texts: Texts) -> None:
    """Write the report on the tables of *folder* to *path*.

    Args:
        run: What `run.json` is going to say.
        texts: Asked once, for some dozens of ids.
    """
    judgements = folder / "judgements.parquet"
    zone = run["settings"]["zone"]
    facts = gather(judgements, zone)
    shown = Shown(judgements, first_clusters(folder / "clusters.parquet"), facts, texts)
    reasons, rejects = read_rejects(folder / "rejects.jsonl")
    page = (
        _environment(ZoneInfo(zone))
        .get_template("report.html")
        .stream(
            run=run,
            facts=facts,
            words=words,
            charts=charts,
            zone=zone,
            clusters=shown.clusters(),
            edited=shown.edited(),
            families=shown.families(),
            faulty=shown.faulty(),
            faulty_of_a_kind=FAULTY,
            reasons=reasons.most_common(),
            rejects=rejects,
        )
    )
    with path.open("w", encoding="utf-8") as out:
        out.writelines(page)
