"""The whole stream into one corpus, in order of time: what is found, what is flagged, what it costs."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import batched

from baznashr.errors import InvalidText
from baznashr.types import Document, Judgement, RepetitionKind, Verdict
from baznashr_server.engine import STAGES, Engine
from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.sketch.fingerprint import fingerprint
from benchmarks.engine import Stopwatch
from benchmarks.quality.data import Data, Pair
from benchmarks.report import Bar, Cell, Table

BATCH = 64
MEMBERS = {Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT}
TO_BE_FOUND = ("DUP", "CONTAINS")


@dataclass(frozen=True, slots=True, eq=False)
class Missed:
    """A labelled pair whose earlier article is not among the later one's matches, nor a copy of it."""

    pair: Pair
    earlier: str
    later: str
    verdict: Verdict | None
    """None where the later one was refused."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamResults:
    judgements: dict[str, Judgement]
    """By id; those refused are missing."""
    refused: int
    watch: Stopwatch
    seconds: float
    found: Counter[str]
    """By label."""
    missed: list[Missed]
    passage_bytes: float
    """Of the passage table, for each document of the stream."""
    table_bytes: float
    """Of all tables, for each document of the stream."""


def ingest(engine: Engine, documents: list[Document]) -> tuple[list[Judgement], int]:
    """Ingest in batches; return the judgements and how many were refused."""
    answers: list[Judgement] = []
    refused = 0
    for batch in batched(documents, BATCH):
        waiting = list(batch)
        while waiting:
            try:
                answers += engine.ingest_batch(waiting)
                break
            except InvalidText as error:
                # The field reads documents[17].text.
                del waiting[int(error.field.split("[")[1].split("]")[0])]
                refused += 1
    return answers, refused


def _pairs_found(engine: Engine, data: Data, judgements: dict[str, Judgement]) -> tuple[Counter[str], list[Missed]]:
    place = {id_: number for number, id_ in enumerate(data.documents)}

    def cluster(id_: str) -> str:
        return engine.list_cluster(id_, limit=1).cluster_id

    found: Counter[str] = Counter()
    missed = []
    for pair in data.pairs:
        if pair.label not in TO_BE_FOUND:
            continue
        earlier, later = sorted((pair.a, pair.b), key=place.__getitem__)
        matches = {match.document_id for match in judgements[later].matches} if later in judgements else set()
        copies = earlier in judgements and cluster(earlier) in {cluster(id_) for id_ in matches}
        if earlier in matches or copies:
            found[pair.label] += 1
        else:
            missed.append(Missed(pair, earlier, later, judgements[later].verdict if later in judgements else None))
    return found, missed


def _table_bytes(documents: list[Document], judgements: dict[str, Judgement]) -> tuple[float, float]:
    """Return the bytes a document of the stream takes in the passage table, and in all tables."""
    with_passages, without = CorpusIndex(), CorpusIndex()
    for row, document in enumerate(documents):
        judgement = judgements.get(document.id)
        if judgement is None or judgement.verdict is Verdict.EXACT:
            continue
        made = fingerprint(document.text)
        own = made.passages[: 0 if judgement.verdict in MEMBERS else None]
        entry = Entry(row, made.digest_bytes, made.signature, own, made.letters.size, row)
        with_passages.add(entry)
        without.add(entry._replace(passages=own[:0]))
    total = with_passages.memory_bytes / len(documents)
    return total - without.memory_bytes / len(documents), total


def measure(data: Data) -> StreamResults:
    watch = Stopwatch()
    documents = list(data.documents.values())
    with tempfile.TemporaryDirectory() as folder, Engine.open(folder, observer=watch) as engine:
        start = time.perf_counter()
        answers, refused = ingest(engine, documents)
        seconds = time.perf_counter() - start
        judgements = {answer.document_id: answer for answer in answers}
        found, missed = _pairs_found(engine, data, judgements)
    return StreamResults(judgements, refused, watch, seconds, found, missed, *_table_bytes(documents, judgements))


def verdict_table(results: StreamResults) -> Table:
    counts = Counter(judgement.verdict for judgement in results.judgements.values())
    reasons = Counter((judgement.verdict, judgement.reason) for judgement in results.judgements.values())
    total = len(results.judgements)
    rows: list[list[Cell]] = []
    for verdict in Verdict:
        told = ", ".join(f"{reason} {count:,}" for (v, reason), count in reasons.most_common() if v is verdict)
        rows.append([verdict.value, counts[verdict], counts[verdict] / total, told])
    return Table("The stream's verdicts", ["", "articles", "share", "by rule"], rows).noted(
        f"{total:,} articles judged, {results.refused} refused for having no letter or digit.\n"
        "Limits that left something out: "
        + (", ".join(f"{name} {count:,}" for name, count in results.watch.limits.items()) or "none")
        + "."
    )


def found_table(results: StreamResults) -> Table:
    missed = Counter(miss.pair.label for miss in results.missed)
    rows: list[list[Cell]] = []
    for label in TO_BE_FOUND:
        pairs = results.found[label] + missed[label]
        rows.append([label, pairs, results.found[label], results.found[label] / max(1, pairs)])
    notes = [
        f"Missed: {m.earlier} ← {m.later} ({m.pair.label}, judged {m.verdict or 'no text'})." for m in results.missed
    ]
    return Table("Labelled pairs found in the stream", ["", "pairs", "found", "share"], rows, notes)


def repetition_table(data: Data, results: StreamResults) -> Table:
    """Return what was flagged, by what is known of the article."""
    rows: list[list[Cell]] = []
    known: dict[str, list[str]] = {
        " + ".join(kinds) or "none, though phrases repeat": [i for i, k in data.faults.items() if k == kinds]
        for kinds in sorted(set(data.faults.values()), key=len, reverse=True)
    }
    known["not looked at"] = [id_ for id_ in results.judgements if id_ not in data.faults]
    for name, ids in known.items():
        found = Counter(
            kind for id_ in ids if id_ in results.judgements for kind in results.judgements[id_].self_repetition.kinds
        )
        flagged = sum(bool(results.judgements[i].self_repetition.kinds) for i in ids if i in results.judgements)
        rows.append([name, len(ids), flagged, *(found[kind] for kind in RepetitionKind)])
    columns = ["known fault", "articles", "flagged", *(kind.value for kind in RepetitionKind)]
    notes = [f"Not found: {id_} ({' + '.join(kinds)})." for id_, kinds in missed_faults(data, results)]
    return Table("Self-repetition", columns, rows, notes)


def _has(results: StreamResults, id_: str, kind: RepetitionKind) -> bool:
    """Return whether a fault was reported; a doubled text holds its paragraphs twice."""
    kinds = results.judgements[id_].self_repetition.kinds if id_ in results.judgements else ()
    return kind in kinds or (kind is RepetitionKind.PARAGRAPH and RepetitionKind.WHOLE_TEXT in kinds)


def missed_faults(data: Data, results: StreamResults) -> list[tuple[str, tuple[RepetitionKind, ...]]]:
    missed = []
    for id_, kinds in data.faults.items():
        absent = tuple(kind for kind in kinds if not _has(results, id_, kind))
        if absent:
            missed.append((id_, absent))
    return missed


def recall(data: Data, results: StreamResults, kind: RepetitionKind) -> float:
    ids = [id_ for id_, kinds in data.faults.items() if kind in kinds]
    return sum(_has(results, id_, kind) for id_ in ids) / max(1, len(ids))


def cost_table(results: StreamResults) -> Table:
    watch, documents = results.watch, len(results.judgements)
    rows: list[list[Cell]] = [
        [
            stage,
            watch.calls[stage],
            watch.seconds[stage] * 1e6 / watch.calls[stage],
            watch.seconds[stage] * 1e6 / documents,
        ]
        for stage in STAGES
        if watch.calls[stage]
    ]
    rows.append(["all, by the clock", documents, None, results.seconds * 1e6 / documents])
    return Table("Cost of the stream", ["stage", "times", "µs each", "µs an article"], rows).noted(
        f"Batches of {BATCH}, each synced to disk; {documents / results.seconds:,.0f} articles a second.\n"
        f"Tables: {results.table_bytes / 1e3:.2f} GB per million documents of the stream, of which passages "
        f"{results.passage_bytes / 1e3:.2f} GB."
    )


def bars(data: Data, results: StreamResults) -> list[Bar]:
    pairs = sum(results.found.values()) + len(results.missed)
    return [
        Bar("share of DUP and CONTAINS pairs found in the stream", sum(results.found.values()) / max(1, pairs), 0.97),
        Bar("share of whole-text doublings found", recall(data, results, RepetitionKind.WHOLE_TEXT), 1.0),
        Bar("share of paragraph faults found", recall(data, results, RepetitionKind.PARAGRAPH), 0.95),
    ]


def tables(data: Data, results: StreamResults) -> list[Table]:
    return [verdict_table(results), found_table(results), repetition_table(data, results), cost_table(results)]
