"""Draw what is to be read by a person, and print it: `python -m benchmarks.quality.reading KIND`.

Nothing is written to a file: articles must not get into the results. docs/reading.md holds what was seen.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from heapq import nlargest
from typing import NamedTuple

from baznashr.types import Judgement, MatchedSpan, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import prepare_document
from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.index.lookup import Query, Reach, Texts
from baznashr_server.judge.comparison import Comparison, compare, matched_spans
from baznashr_server.limits import MAX_CANDIDATES
from benchmarks.quality import stream
from benchmarks.quality.data import Data, load

KINDS = ("repeated", "new", "repeating")


class Item(NamedTuple):
    id: str
    other: str | None
    comparison: Comparison | None


def compared(data: Data, later: str, earlier: str) -> Comparison:
    judged, stored = (prepare_document(data.documents[id_], Silence()) for id_ in (later, earlier))
    return compare(judged.body, stored.body)


def ingested(data: Data) -> dict[str, Judgement]:
    with tempfile.TemporaryDirectory() as folder, Engine.open(folder) as engine:
        answers, _ = stream.ingest(engine, list(data.documents.values()))
    return {answer.document_id: answer for answer in answers}


def repeated(data: Data, judgements: dict[str, Judgement], count: int, seed: int) -> Iterator[Item]:
    """Draw from what is called repeated, in no labelled pair with its best match; edited copies before exact ones."""
    labelled = {frozenset((pair.a, pair.b)) for pair in data.pairs}
    drawn = [
        (id_, judgement.matches[0].document_id)
        for id_, judgement in judgements.items()
        if judgement.repeated and frozenset((id_, judgement.matches[0].document_id)) not in labelled
    ]
    random.Random(seed).shuffle(drawn)
    drawn.sort(key=lambda ids: judgements[ids[0]].verdict is Verdict.EXACT)
    for id_, other in drawn[:count]:
        yield Item(id_, other, compared(data, id_, other))


def closest_new(data: Data, judgements: dict[str, Judgement], count: int) -> list[Item]:
    """Return what is called new though it shares most with an earlier article."""
    index, ids = CorpusIndex(), list(judgements)
    found: list[tuple[float, Item]] = []
    for row, id_ in enumerate(ids):
        prepared = prepare_document(data.documents[id_], Silence())
        made = prepared.sketch
        if judgements[id_].verdict is Verdict.NEW:
            candidates, _ = index.find(Texts.of([Query(made, "")]), Reach(MAX_CANDIDATES), pending=True)
            for candidate in candidates[0]:
                x = compared(data, id_, ids[candidate.row])
                closeness = max(x.judged_cover.share, x.stored_cover.share, x.similarity)
                found.append((closeness, Item(id_, ids[candidate.row], x)))
        index.add(Entry(row, made.digest_bytes, made.signature, made.passages, made.size, row))
    best = {}
    for closeness, item in sorted(found, key=lambda entry: entry[0]):
        best[item.id] = (closeness, item)
    return [item for _, item in nlargest(count, best.values(), key=lambda entry: entry[0])]


def repeating(data: Data, judgements: dict[str, Judgement], count: int, seed: int) -> Iterator[Item]:
    """Draw from what is flagged as repeating itself without a known fault."""
    drawn = [id_ for id_, j in judgements.items() if j.self_repetition.kinds and not data.faults.get(id_)]
    random.Random(seed).shuffle(drawn)
    for id_ in drawn[:count]:
        yield Item(id_, None, None)


def marked(text: str, spans: list[tuple[int, int]], room: int = 40) -> str:
    """Return what lies outside *spans*, each of which is shown as its length and its edges."""
    parts, at = [], 0
    for start, end in sorted(spans):
        parts.append(text[at:start])
        inside = text[start:end]
        short = inside if len(inside) <= 2 * room else f"{inside[:room]} … {len(inside)} … {inside[-room:]}"
        parts.append(f"⟦{short}⟧")
        at = end
    return " ".join("".join([*parts, text[at:]]).split())


def show(data: Data, item: Item, judgement: Judgement, most: int) -> None:
    document = data.documents[item.id]
    kinds = ",".join(judgement.self_repetition.kinds)
    print(f"\n##### {item.id} [{judgement.verdict} {judgement.reason}] {kinds} {document.published_at}")
    print("title:", document.title)
    x = item.comparison
    if item.other is None or x is None:
        print(f"share {judgement.self_repetition.share:.2f} of {len(document.text)}")
        for span in judgement.self_repetition.spans:
            around = document.text[max(0, span.start - 60) : span.end + 60]
            print("  ...", marked(around, [(min(60, span.start), len(around) - 60)], room=most // 4)[:most])
        return
    spans_both: tuple[MatchedSpan, ...] = matched_spans(x)
    other = data.documents[item.other]
    print(
        f"J {x.similarity:.2f} cover {x.judged_cover.share:.2f} ({x.judged_cover.letters}) of stored "
        f"{x.stored_cover.share:.2f} numbers {len(x.numbers.changed)}/{x.numbers.same}/{x.numbers.unmatched} "
        f"longest {x.longest_run} edges {x.edges_only}"
    )
    print("judged:", marked(document.text, [(s.start, s.end) for s in spans_both])[:most])
    print(f"-- {item.other} {other.published_at} title:", other.title)
    print("stored:", marked(other.text, [(s.stored_start, s.stored_end) for s in spans_both])[:most])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.reading", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chars", type=int, default=700, help="shown of each text (700)")
    asked = parser.parse_args()
    data = load()
    judgements = ingested(data)
    match asked.kind:
        case "repeated":
            items = list(repeated(data, judgements, asked.count, asked.seed))
        case "new":
            items = closest_new(data, judgements, asked.count)
        case _:
            items = list(repeating(data, judgements, asked.count, asked.seed))
    print(f"{len(items)} of kind {asked.kind}, seed {asked.seed}")
    for item in items:
        show(data, item, judgements[item.id], asked.chars)


if __name__ == "__main__":
    main()
