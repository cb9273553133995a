"""How near the generated articles are to real ones: lengths, shingles, chance likeness, candidates, copies."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.sketch.fingerprint import fingerprint
from benchmarks.corpus import Article, ArticleModel, Kind
from benchmarks.engine import document
from benchmarks.quality import data as labelled
from benchmarks.quality.stream import ingest
from benchmarks.report import Cell, Options, Report, Table

PAIRS = 2000
"""Drawn at random from each set."""
SHARES = (5, 25, 50, 75, 95)
"""Percentiles told."""
Floats = NDArray[np.float64]


class Candidates(Silence):
    """Counts what the tables give for each article."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self.verified: list[int] = []

    def searched(self, candidates: int, verified: int) -> None:
        self.found.append(candidates)
        self.verified.append(verified)


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """What is measured of one set of articles."""

    chars: Floats
    shingles: Floats
    """Distinct, of each article."""
    chance: Floats
    """Jaccard similarities of pairs drawn at random."""
    candidates: Candidates
    verdicts: Counter[Verdict]


def similarity(one: str, other: str) -> float:
    """Return the exact Jaccard similarity of two texts' sets of shingles."""
    a, b = fingerprint(one).shingles, fingerprint(other).shingles
    shared = np.intersect1d(a, b, assume_unique=True).size
    return shared / max(1, a.size + b.size - shared)


def similarities(pairs: list[tuple[str, str]]) -> Floats:
    return np.array([similarity(one, other) for one, other in pairs])


def measure(documents: list[Document], seed: int) -> Likeness:
    rng = random.Random(seed)
    drawn = [rng.sample(range(len(documents)), 2) for _ in range(PAIRS)]
    counted = Candidates()
    with tempfile.TemporaryDirectory() as folder, Engine.open(folder, observer=counted) as engine:
        judgements, _ = ingest(engine, documents)
    return Likeness(
        chars=np.array([len(document.text) for document in documents], np.float64),
        shingles=np.array([fingerprint(document.text).shingles.size for document in documents], np.float64),
        chance=similarities([(documents[i].text, documents[j].text) for i, j in drawn]),
        candidates=counted,
        verdicts=Counter(judgement.verdict for judgement in judgements),
    )


def spread(values: Floats) -> list[Cell]:
    return [float(value) for value in (*np.percentile(values, SHARES), values.mean())]


def copies(articles: list[Article], data: labelled.Data) -> list[list[Cell]]:
    """Return rows of the similarity of copies to what they copy, and of bulletins to the one before."""
    edited = [(a.text, articles[a.origin].text) for a in articles if a.kind is Kind.EDITED and a.origin is not None]
    series: dict[tuple[int, str], list[str]] = {}
    for article in articles:
        if article.kind is Kind.TEMPLATE:
            wording = "".join(word for word in article.title.split() if not word.isdigit())
            series.setdefault((article.source, wording), []).append(article.text)
    bulletins = [pair for texts in series.values() for pair in pairwise(texts)]
    rows: list[list[Cell]] = [
        ["generated: edited copies", len(edited), *spread(similarities(edited))],
        ["generated: bulletins", len(bulletins), *spread(similarities(bulletins))],
    ]
    for label in ("DUP", "TEMPLATE"):
        texts = [(data.documents[p.a].text, data.documents[p.b].text) for p in data.pairs if p.label == label]
        rows.insert(0, [f"labelled pairs: {label}", len(texts), *spread(similarities(texts))])
    return rows


def run(options: Options) -> Report:
    """Return the statistics of as many generated articles as there are real ones, beside theirs."""
    data = labelled.load()
    real = list(data.documents.values())
    articles = list(islice(ArticleModel(options.seed).articles(), len(real)))
    name = "real" if data.real else "samples"
    sets = {name: measure(real, options.seed), "generated": measure(list(map(document, articles)), options.seed)}
    columns = ["", *(f"{share} %" for share in SHARES), "mean"]
    tables = [
        Table("Length in characters", columns, [[who, *spread(found.chars)] for who, found in sets.items()]),
        Table("Distinct shingles", columns, [[who, *spread(found.shingles)] for who, found in sets.items()]),
        Table(
            f"Similarity of {PAIRS:,} pairs drawn at random",
            ["", "mean", "99 %", "largest"],
            [
                [who, *map(float, (f.chance.mean(), np.percentile(f.chance, 99), f.chance.max()))]
                for who, f in sets.items()
            ],
        ),
        Table(
            "What the tables give when the articles come one after another",
            ["", "candidates an article", "compared text by text", "articles with a candidate"],
            [
                [
                    who,
                    float(np.mean(found.candidates.found)),
                    float(np.mean(found.candidates.verified)),
                    float(np.mean(np.array(found.candidates.found) > 0)),
                ]
                for who, found in sets.items()
            ],
        ),
        Table(
            "Similarity of copies to their originals, and of bulletins to the one before",
            ["", "pairs", *columns[1:]],
            copies(articles, data),
        ).noted("The labelled pairs were chosen over the whole range of similarity: harder than copies as they come."),
        Table(
            "Shares of the verdicts",
            ["", *(verdict.value for verdict in Verdict)],
            [[w, *(f.verdicts[v] / max(1, f.verdicts.total()) for v in Verdict)] for w, f in sets.items()],
        ),
    ]
    line = f"{data.line}, beside {len(articles):,} generated ones (seed {options.seed}, from words, no sentence copied)"
    return Report("likeness", "Generated articles beside real ones", line, tables)
