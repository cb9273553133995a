"""Articles, labelled pairs and known faults: the evaluation data, or the project's samples where that is absent.

The samples become labelled data by their expected verdicts; they are few and only show that everything runs.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from baznashr.types import Document, RepetitionKind, Verdict
from benchmarks.corpus import ROOT, data_folder

SAMPLES = ROOT / "tests" / "samples" / "articles.jsonl"
FAULTS = {
    "whole_text_doubled": RepetitionKind.WHOLE_TEXT,
    "paragraph_repeated": RepetitionKind.PARAGRAPH,
    "title_repeated_in_body": RepetitionKind.HEADLINE,
}
LABELS = {
    Verdict.EXACT: "DUP",
    Verdict.NEAR_DUPLICATE: "DUP",
    Verdict.EXCERPT: "CONTAINS",
    Verdict.EXTENDED: "CONTAINS",
    Verdict.OVERLAP: "CONTAINS",
    Verdict.TEMPLATE: "TEMPLATE",
}
REPEATED = {Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT}


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    ordered: bool
    """Whether `a` is known to be the earlier one."""
    label: str
    """Of one reader or, where they differ, of both: "CONTAINS or EVENT"."""
    repeated: str
    """yes, no or unsure."""
    why: str
    """The readers' note; for the terminal only."""


@dataclass(frozen=True, slots=True)
class Data:
    line: str
    """What it is, for a result file."""
    real: bool
    documents: dict[str, Document]
    """By id, in the order of the stream: by time, unknown ones last, then by id."""
    pairs: list[Pair]
    faults: dict[str, tuple[RepetitionKind, ...]]
    """What articles are known to repeat; empty for those that only look as if they did."""


def published(text: str) -> datetime | None:
    """Return an aware time; None for what is empty or no Gregorian date."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.year < 1900:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _in_time(documents: list[Document]) -> dict[str, Document]:
    last = datetime.max.replace(tzinfo=UTC)
    documents.sort(key=lambda document: (document.published_at or last, document.id))
    return {document.id: document for document in documents}


def _lines(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().split("\n")
    return [json.loads(line) for line in lines if line]


def load() -> Data:
    """Return the evaluation data where it is present, else the samples."""
    folder = data_folder()
    if not (folder / "articles.jsonl.gz").exists():
        return load_samples()
    documents = [
        Document(
            id=a["id"],
            text=a["body"],
            title=a["title"],
            source=a["source"],
            published_at=published(a["published_at"]),
        )
        for a in _lines(folder / "articles.jsonl.gz")
    ]
    pairs = [
        Pair(p["a"], p["b"], p["ordered"], p["label"].replace("|", " or "), p["repeated"], p["why"])
        for p in _lines(folder / "pairs.jsonl")
    ]
    faults = {f["id"]: tuple(FAULTS[kind] for kind in f["kinds"]) for f in _lines(folder / "self_repeat.jsonl")}
    line = f"{len(documents):,} real news articles, {len(pairs)} labelled pairs, {len(faults)} looked at for repetition"
    return Data(line, True, _in_time(documents), pairs, faults)


def samples() -> list[dict[str, Any]]:
    """Return the project's own sample articles with what is expected of them."""
    return _lines(SAMPLES)


def sample_document(sample: dict[str, Any]) -> Document:
    return Document(
        id=sample["id"],
        text=sample["text"],
        title=sample["title"],
        source=sample["source"],
        url=sample["url"],
        published_at=published(sample["published_at"]),
    )


def load_samples() -> Data:
    """Return the samples as data: each with the one it is expected to match, each new one with another new one."""
    rows = samples()
    pairs = []
    new = [row["id"] for row in rows if row["expect"]["verdict"] == Verdict.NEW]
    random.Random(1).shuffle(new)
    for earlier, later in zip(new[::2], new[1::2], strict=False):
        pairs.append(Pair(earlier, later, False, "DIFF", "no", "unrelated samples"))
    for row in rows:
        expect = row["expect"]
        target = expect["canonical_id"] or expect["related_id"]
        if target is not None:
            verdict = Verdict(expect["verdict"])
            repeated = "yes" if verdict in REPEATED else "no"
            pairs.append(Pair(target, row["id"], True, LABELS[verdict], repeated, ", ".join(row["faults"])))
    faults = {row["id"]: tuple(map(RepetitionKind, row["expect"]["kinds"])) for row in rows}
    documents = _in_time([sample_document(row) for row in rows])
    return Data(f"{len(rows)} sample articles, {len(pairs)} pairs of them", False, documents, pairs, faults)
