"""What each step of judging and storing costs, one by one, on generated articles of equal length."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median

from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.index.lookup import Lookup, Query, Reach
from baznashr_server.judge.align import shingle_table
from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.comparison import Comparison, compare
from baznashr_server.judge.repetition import find_repetition
from baznashr_server.limits import MAX_CANDIDATES
from baznashr_server.profile import FA_1
from baznashr_server.sketch.fingerprint import Fingerprint, fingerprint
from baznashr_server.store.codec import array_to_blob, compress, decompress
from baznashr_server.store.folder import DataFolder
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store
from baznashr_server.text.canonical import Canonical, code_points
from baznashr_server.text.numbers import number_arrays
from benchmarks.corpus import Article, ArticleModel, Kind
from benchmarks.measure import Timing, interleave
from benchmarks.report import Cell, Options, Report, Table

BATCHES = (1, 16, 64, 256)
JUDGEMENT = '{"repeated":false,"reason":"NOTHING_COMPARABLE","matches":[],"new_share":1.0}'


def entry(row: int, made: Fingerprint, *, passages: bool = True) -> Entry:
    kept = made.passages if passages else made.passages[:0]
    return Entry(row, made.digest_bytes, made.signature, kept, made.letters.size, row)


def indexed_entries(articles: Iterable[Article], *, passages: bool = True) -> Iterable[Entry]:
    """Yield what the engine would enter: no exact copies; passages of heads of clusters only."""
    for article in articles:
        if article.kind is not Kind.EXACT:
            own = passages and article.kind is not Kind.EDITED
            yield entry(article.number + 1, fingerprint(article.text), passages=own)


def body(article: Article) -> Body:
    return prepare(article.text, title=article.title)


def pairs(model: ArticleModel, count: int) -> dict[str, list[tuple[Body, Body]]]:
    """Return an equal number of edited copies, bulletins and unrelated articles, each with an earlier article."""
    found: dict[str, list[tuple[Body, Body]]] = {"an edited copy": [], "a bulletin": [], "an unrelated article": []}
    last: dict[Kind, Article] = {}
    for article in model.articles():
        if article.kind is Kind.EDITED and article.origin is not None:
            found["an edited copy"].append((body(article), body(model.article(article.origin))))
        elif article.kind in last:
            name = "a bulletin" if article.kind is Kind.TEMPLATE else "an unrelated article"
            found[name].append((body(article), body(last[article.kind])))
        last[article.kind] = article
        if min(map(len, found.values())) >= count:
            return {name: some[:count] for name, some in found.items()}
    raise AssertionError("the model is endless")


def text_works(articles: list[Article], model: ArticleModel) -> dict[str, Callable[[], object]]:
    made = [fingerprint(a.text) for a in articles]
    canonical = [Canonical(f.letters, f.offsets) for f in made]
    bodies = [body(a) for a in articles]
    frames = [compress(a.text.encode()) for a in articles]
    rows = list(zip(articles, canonical, made, strict=True))
    works: dict[str, Callable[[], object]] = {
        "fingerprint": lambda: [fingerprint(a.text) for a in articles],
        "self-repetition": lambda: [
            find_repetition(a.text, c, a.title, may_repeat=f.repeats_passages) for a, c, f in rows
        ],
        "body: site chrome out, shingles": lambda: [prepare(a.text, title=a.title) for a, _, _ in rows],
        "shingle table of the judged body": lambda: [shingle_table(b.shingles) for b in bodies],
        "numbers of a body": lambda: [number_arrays(code_points(b.text)) for b in bodies],
        "compress the text": lambda: [compress(a.text.encode()) for a in articles],
        "decompress a stored text": lambda: [decompress(frame) for frame in frames],
    }
    for name, some in pairs(model, len(articles)).items():
        works[f"compare with {name}"] = partial(_compare_each, some)
    return works


def _compare_each(bodies: list[tuple[Body, Body]]) -> list[Comparison]:
    return [compare(judged, stored) for judged, stored in bodies]


def stage_table(timings: dict[str, Timing], title: str, notes: str) -> Table:
    rows: list[list[Cell]] = [[name, median(t.cpu), min(t.cpu), median(t.wall)] for name, t in timings.items()]
    return Table(title, ["", "CPU µs", "least CPU µs", "wall µs"], rows).noted(notes)


def look_up(index: CorpusIndex, wanted: list[Fingerprint]) -> Lookup:
    return index.lookup([Query(made, "") for made in wanted], Reach(MAX_CANDIDATES))


def index_table(model: ArticleModel, documents: int, count: int, seconds: float) -> Table:
    """Time inserts and lookups at a tenth of the documents and at all of them."""
    rows: list[list[Cell]] = []
    index = CorpusIndex()
    done = 0
    queries = {
        "new": [fingerprint(model.article(documents + i).text) for i in range(count)],
        "stored": [fingerprint(model.article(i).text) for i in range(min(count, documents // 10 or 1))],
    }
    for size in (max(1, documents // 10), documents):
        entries = list(indexed_entries(map(model.article, range(done, size))))
        start = time.process_time()
        for one in entries:
            index.add(one, visible=True)
        insert = (time.process_time() - start) * 1e6 / max(1, len(entries))
        done = size
        spare = [entry(10**9 + i, made) for i, made in enumerate(queries["new"])]

        def replace(spare: list[Entry] = spare) -> None:
            for one in spare:
                index.add(one)
                index.remove(one)

        timings = interleave(
            {
                "new": lambda: look_up(index, queries["new"]),
                "exact": lambda: [index.exact(q.digest_bytes, pending=True) for q in queries["new"]],
                "replace": replace,
            },
            count,
            seconds,
        )
        stored = interleave(
            {"stored": lambda: look_up(index, queries["stored"])},
            len(queries["stored"]),
            seconds,
        )
        cpu = {name: median(timing.cpu) for name, timing in {**timings, **stored}.items()}
        rows.append(
            [f"{size:,}", insert, cpu["replace"], cpu["exact"], cpu["new"], cpu["stored"], index.memory_bytes / 2**20]
        )
    columns = ["documents", "insert µs", "insert + remove µs", "digest µs", "lookup µs", "lookup of stored µs", "MiB"]
    return Table("Index", columns, rows).noted(
        "Insert is the mean over the documents that were added since the row before, growth of the tables included.\n"
        "Lookup is of texts that are not stored, most of them new; of stored ones, each of which finds itself.\n"
        "Exact copies enter no table and edited ones enter no passages, as in the engine."
    )


def document_row(number: int, article: Article, made: Fingerprint) -> DocumentRow:
    return DocumentRow(
        row=number,
        corpus=1,
        id=f"{number}-{article.number}",
        digest=made.digest_bytes,
        arrived=number,
        published=None,
        source="",
        title=article.title,
        url="",
        labels="{}",
        text=compress(article.text.encode()),
        text_bytes=len(article.text.encode()),
        signature=array_to_blob(made.signature),
        passages=array_to_blob(made.passages),
        letters=made.letters.size,
        indexed=2,
        cluster=number,
        verdict="NEW",
        judgement=JUDGEMENT,
    )


def fsync_micros(folder: Path, times: int = 20) -> float:
    """Return the median time to make 4 KiB durable in *folder*: what no commit can beat."""
    taken = []
    with (folder / "probe").open("wb", buffering=0) as probe:
        for _ in range(times):
            probe.write(b"x" * 4096)
            start = time.perf_counter()
            os.fdatasync(probe.fileno())
            taken.append((time.perf_counter() - start) * 1e6)
    return median(taken)


def store_table(articles: list[Article], seconds: float) -> Table:
    """Time durable inserts by the size of their transactions."""
    rows: list[list[Cell]] = []
    made = [(a, fingerprint(a.text)) for a in articles]
    with tempfile.TemporaryDirectory() as name:
        owned = DataFolder.acquire(Path(name) / "data")
        store = Store(owned, FA_1)
        number = 0
        for batch in BATCHES:
            stored = 0
            cpu, wall = time.process_time(), time.perf_counter()
            while stored == 0 or time.perf_counter() - wall < seconds / len(BATCHES):
                store.begin()
                for _ in range(batch):
                    number += 1
                    store.insert_document(document_row(number, *made[number % len(made)]))
                store.commit()
                stored += batch
            spent, taken = time.process_time() - cpu, time.perf_counter() - wall
            rows.append([str(batch), spent * 1e6 / stored, taken * 1e6 / stored, round(stored / taken)])
        store.close()
        owned.release()
        sync = fsync_micros(Path(name))
    columns = ["documents a transaction", "CPU µs a document", "wall µs a document", "documents/s"]
    return Table("Store: compress, insert and commit with fsync", columns, rows).noted(
        f"4 KiB appended and made durable (fdatasync) in the same folder: {sync:,.0f} µs, median."
    )


def run(options: Options) -> Report:
    model = ArticleModel(options.seed, sigma=0)
    articles = [model.article(i) for i in range(options.articles)]
    timings = interleave(text_works(articles, model), len(articles), options.seconds / 2)
    tables = [
        stage_table(timings, "Text", TEXT_NOTES),
        index_table(model, options.documents, len(articles), options.seconds / 4),
        store_table(articles, options.seconds),
    ]
    line = f"generated (seed {options.seed}), about 2,000 characters each"
    return Report("stages", "Cost of each stage", line, tables)


TEXT_NOTES = """\
A comparison is of two bodies whose tables and numbers are made already, as for a stored text in the cache; the first \
comparison of a text pays for those once."""
