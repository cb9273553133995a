"""Known damage to real articles: which verdict the damaged copy gets while the original is stored."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from baznashr.errors import InvalidText
from baznashr.types import Document, RepetitionKind, Verdict
from baznashr_server.engine import Engine
from baznashr_server.text.canonical import canonicalise
from benchmarks.quality.data import Data
from benchmarks.quality.noises import HEADER_AND_FOOTER, ORTHOGRAPHIC, Noise, edits
from benchmarks.quality.stream import ingest
from benchmarks.report import Bar, Cell, Table

LONG = 400
"""Letters from which an article is long enough for the bars."""
CLASSES = {"400 letters and more": (LONG, 1 << 30), "100 to 399 letters": (100, LONG), "8 to 99 letters": (8, 100)}
LONGEST = next(iter(CLASSES))


@dataclass(slots=True)
class Row:
    """One kind of noise on one class of lengths."""

    kind: str
    length: str
    texts: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    repeated: int = 0
    right: int = 0
    """Whose best match is the original, or a copy of it."""
    flagged: int = 0
    """Reported as repeating itself."""
    doubled: int = 0
    """Reported as doubled as a whole."""
    failures: list[str] = field(default_factory=list)
    """Ids of what was not called repeated."""

    def share(self, count: int) -> float:
        return count / max(1, self.texts)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseResults:
    rows: list[Row]
    seed: int

    def of(self, kind: str) -> Row:
        return next(row for row in self.rows if row.kind == kind and row.length == LONGEST)


def drawn(data: Data, count: int, seed: int) -> Iterator[tuple[str, list[Document]]]:
    """Yield for each class of lengths up to *count* articles, drawn by *seed*."""
    documents = list(data.documents.values())
    random.Random(seed).shuffle(documents)
    letters = {document.id: canonicalise(document.text).letters.size for document in documents}
    for name, (least, below) in CLASSES.items():
        fitting = [document for document in documents if least <= letters[document.id] < below]
        yield name, fitting[: count if name == LONGEST else count // 4]


def apply(engine: Engine, row: Row, noise: Noise, documents: list[Document], seed: int) -> None:
    for document in documents:
        text = noise(document.text, random.Random(f"{seed} {row.kind} {document.id}"))
        damaged = Document(id=f"damaged {document.id}"[:200], text=text, title=document.title, source="other.example")
        try:
            judgement = engine.check(damaged)
        except InvalidText:
            continue
        row.texts += 1
        row.verdicts[judgement.verdict] += 1
        row.repeated += judgement.repeated
        if not judgement.repeated:
            row.failures.append(document.id)
        copies = {member.document_id for member in engine.list_cluster(document.id).members}
        row.right += bool(judgement.matches) and judgement.matches[0].document_id in copies
        row.flagged += bool(judgement.self_repetition.kinds)
        row.doubled += RepetitionKind.WHOLE_TEXT in judgement.self_repetition.kinds


def measure(data: Data, count: int, seed: int) -> NoiseResults:
    """Damage *count* long articles, and a quarter as many of each shorter class, in every way."""
    classes = dict(drawn(data, count, seed))
    stored = [document for documents in classes.values() for document in documents]
    words = sorted({word for document in stored for word in document.text.split() if word.isalpha()})
    rows = []
    with tempfile.TemporaryDirectory() as folder, Engine.open(folder) as engine:
        ingest(engine, stored)
        for kind, noise in {"none": _unchanged, **ORTHOGRAPHIC, **edits(words)}.items():
            for length, documents in classes.items():
                row = Row(kind, length)
                apply(engine, row, noise, documents, seed)
                rows.append(row)
    return NoiseResults(rows, seed)


def _unchanged(text: str, _: random.Random) -> str:
    return text


def table(results: NoiseResults, length: str) -> Table:
    rows: list[list[Cell]] = []
    for row in results.rows:
        if row.length == length and row.texts:
            shares = [f"{row.share(row.verdicts[verdict]):.1%}" for verdict in Verdict]
            counts = (row.repeated, row.right, row.flagged, row.doubled)
            rows.append([row.kind, row.texts, *shares, *(f"{row.share(count):.1%}" for count in counts)])
    columns = ["", "texts", *(verdict.value for verdict in Verdict), "repeated", "right", "flagged", "doubled"]
    return Table(f"Verdicts under noise, {length}", columns, rows)


def tables(results: NoiseResults) -> list[Table]:
    found = [table(results, length) for length in CLASSES]
    found[0] = found[0].noted(
        f"Articles drawn by seed {results.seed}, all stored; each damaged in each way and checked.\n"
        "Right: the best match is the original or a copy of it. Flagged: reported as repeating itself, which is right "
        "where the original does too and where the text was doubled; doubled: reported as doubled as a whole.\n"
        "The headers and footers are of eight agencies made up for this, some of them in no list of ours."
    )
    row = results.of(HEADER_AND_FOOTER)
    found[0].notes.append(f"Not repeated under header and footer: {', '.join(row.failures) or 'none'}.")
    return [one for one in found if one.rows]


def bars(results: NoiseResults) -> list[Bar]:
    exact = min(row.share(row.verdicts[Verdict.EXACT]) for row in map(results.of, ORTHOGRAPHIC))
    repeated = results.of(HEADER_AND_FOOTER)
    return [
        Bar("share EXACT under orthographic noise, the worst kind", exact, 0.999),
        Bar("share repeated with another agency's header and footer", repeated.share(repeated.repeated), 0.99),
    ]
