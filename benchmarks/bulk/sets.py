"""The archives that are deduplicated, as files, and what is known of them."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from benchmarks.archive import write
from benchmarks.corpus import data_folder
from benchmarks.quality import data as labelled
from benchmarks.quality.scoring import components, decided, interval, score, truth

REAL = "real"
GENERATED = "generated"
REPEATING = {"exact", "edited"}

Copies = Mapping[int, int]
"""Row number of each article found to repeat another, and the first row of its cluster."""
Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Archive:
    name: str
    articles: Path
    """JSON lines in order of time, those without a letter left out: what they are good for is another question."""
    rows: int

    @property
    def megabytes(self) -> float:
        return self.articles.stat().st_size / 1e6

    def shards(self, count: int) -> Path:
        """Return a folder with the same lines in *count* files of nearly equal length, for who wants a file a task."""
        folder = self.articles.with_name(f"shards-{count}")
        shutil.rmtree(folder, ignore_errors=True)  # a run before may have been broken off, or had other articles
        folder.mkdir()
        with self.articles.open("rb") as lines:
            for number, (start, end) in enumerate(shard_rows(self.rows, count)):
                with (folder / f"{number:03d}.jsonl").open("wb") as out:
                    out.writelines(islice(lines, end - start))
        return folder

    def first(self, count: int, folder: Path) -> Archive:
        """Return an archive of the first *count* lines, in *folder*, which is made."""
        folder.mkdir()
        with self.articles.open("rb") as lines, (folder / "articles.jsonl").open("wb") as out:
            out.writelines(islice(lines, count))
        return Archive(self.name, folder / "articles.jsonl", min(count, self.rows))


def shard_rows(rows: int, count: int) -> list[tuple[int, int]]:
    """Return the first row and the one after the last of each shard."""
    edges = [rows * number // count for number in range(count + 1)]
    return list(pairwise(edges))


def real(folder: Path) -> Archive | None:
    """Write the real articles; None where they are absent."""
    source = data_folder() / "articles.jsonl.gz"
    if not source.exists():
        return None
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    order = {id_: number for number, id_ in enumerate(labelled.load().documents)}
    kept = sorted((row for row in rows if any(map(str.isalnum, row["body"]))), key=lambda row: order[row["id"]])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "articles.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for row in kept:
            time = labelled.published(row["published_at"])
            # Readers that guess types take a column of times and nulls, and stumble over other notations.
            fields = {name: row[name] for name in ("id", "title", "source")}
            fields |= {"text": row["body"], "published_at": time and time.isoformat()}
            out.write(json.dumps(fields, ensure_ascii=False) + "\n")
    return Archive(REAL, path, len(kept))


def generated(folder: Path, documents: int, seed: int) -> Archive:
    """Write generated articles, unless a run before has."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "articles.jsonl"
    if not path.exists():
        write(path, documents, seed, workers=len(os.sched_getaffinity(0)))
    return Archive(GENERATED, path, documents)


def pair_scores(archive: Archive, copies: Copies, seed: int) -> Scores:
    """Return precision, recall and F1 on the labelled pairs, with 95 % intervals of F1.

    A pair counts as called repeated where both are of one cluster and the later one is called a repeat.
    """
    with archive.articles.open("rb") as lines:
        row_of = {json.loads(line)["id"]: number for number, line in enumerate(lines)}
    pairs = [pair for pair in labelled.load().pairs if pair.a in row_of and pair.b in row_of]
    pairs = [pair for pair, counts in zip(pairs, decided(pairs), strict=True) if counts]

    def called(pair: labelled.Pair) -> bool:
        earlier, later = sorted((row_of[pair.a], row_of[pair.b]))
        return later in copies and copies.get(earlier, earlier) == copies[later]

    found, true = np.array([called(pair) for pair in pairs], bool), truth(pairs)
    reached = score(found, true)
    low, high = interval(found, true, components(pairs), seed)["f1"]
    return {
        "pairs": len(pairs),
        "f1": reached.f1,
        "f1_low": low,
        "f1_high": high,
        "precision": reached.precision,
        "recall": reached.recall,
    }


def truth_scores(archive: Archive, copies: Copies) -> Scores:
    """Return which shares of the copies were found with their originals, and of all else were taken for copies."""
    row_of: dict[str, int] = {}
    found = dict.fromkeys(("exact", "edited", "template", "new"), 0)
    seen = found.copy()
    with archive.articles.open("rb") as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            row_of[row["id"]] = number
            kind = row["kind"]
            seen[kind] += 1
            if kind in REPEATING:
                origin = row_of[row["of"]]
                found[kind] += number in copies and copies[number] == copies.get(origin, origin)
            else:
                found[kind] += number in copies
    return {kind: found[kind] / max(1, count) for kind, count in seen.items()}


def scores(archive: Archive, copies: Copies, seed: int) -> Scores:
    return pair_scores(archive, copies, seed) if archive.name == REAL else truth_scores(archive, copies)
