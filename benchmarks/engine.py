"""Durable ingest in process: the whole judge on, every commit synced to disk, beside datasketch's in-memory index."""

from __future__ import annotations

import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import batched, islice
from pathlib import Path
from statistics import median
from typing import Any

from baznashr.types import Document, Judgement
from baznashr_server.engine import STAGES, Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.index.bands import BANDS, ROWS
from baznashr_server.limits import MAX_BATCH_DOCUMENTS
from baznashr_server.sketch.fingerprint import fingerprint
from benchmarks import peers
from benchmarks.corpus import SHARES, Article, ArticleModel, real_bodies
from benchmarks.measure import in_turn, median_ratio
from benchmarks.report import Bar, Cell, Options, Report, Table
from benchmarks.stages import fsync_micros

BATCHES = (1, 16, 64, 256)
CHUNK = 64
"""Documents of the shortest timed stretch; they are made before it."""
CURVE = 4
"""Stretches of the preload that are told apart."""
IN_FLIGHT = 2
PEER = f"datasketch MinHashLSH, dict, b={BANDS} r={ROWS}"
SOURCES = {source: f"{PEER}, {source}" for source in ("from text", "hash values ready")}


def document(article: Article) -> Document:
    source = f"source-{article.source}"
    return Document(id=f"d{article.number}", text=article.text, title=article.title, source=source)


class Feed:
    """The model's documents in order, each once; making them is not timed."""

    def __init__(self, model: ArticleModel) -> None:
        self._documents = map(document, model.articles())

    def take(self, count: int) -> list[Document]:
        return list(islice(self._documents, count))


@dataclass
class Rate:
    """What a way of storing documents costs."""

    documents: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    """Seconds of all threads."""

    def time(self, work: Callable[[Sequence[Document]], object], documents: Sequence[Document]) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        work(documents)
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        self.documents += len(documents)

    @property
    def per_second(self) -> float:
        return self.documents / self.wall

    @property
    def cells(self) -> list[Cell]:
        return [round(self.per_second), self.wall * 1e6 / self.documents, self.cpu * 1e6 / self.documents]


@dataclass
class Stopwatch(Silence):
    """An observer that adds up what each stage took and counts the verdicts."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    limits: Counter[str] = field(default_factory=Counter)

    def stage(self, name: str, seconds: float) -> None:
        self.seconds[name] += seconds
        self.calls[name] += 1

    def judged(self, judgement: Judgement) -> None:
        self.verdicts[judgement.verdict.value] += 1

    def limit_bit(self, limit: str) -> None:
        self.limits[limit] += 1

    def reset(self) -> None:
        for counts in (self.seconds, self.calls, self.verdicts, self.limits):
            counts.clear()


def in_batches(engine: Engine, size: int) -> Callable[[Sequence[Document]], None]:
    def work(documents: Sequence[Document]) -> None:
        for batch in batched(documents, size):
            engine.ingest_batch(batch)

    return work


def pipelined(engine: Engine, size: int) -> Callable[[Sequence[Document]], None]:
    """Return the work of storing batches while the one before is being written."""

    def work(documents: Sequence[Document]) -> None:
        waiting: list[Any] = []
        for batch in batched(documents, size):
            waiting.append(engine.submit(batch))
            if len(waiting) >= IN_FLIGHT:
                waiting.pop(0).result()
        for future in waiting:
            future.result()

    return work


class DictLoop:
    """Check and insert with datasketch in memory: nothing is verified on the text and nothing is durable."""

    def __init__(self) -> None:
        from datasketch import MinHashLSH

        self._lsh = MinHashLSH(num_perm=peers.NUM_PERM, params=(BANDS, ROWS))
        self._from_text = peers.datasketch_from_text().sketch
        self._from_values = peers.datasketch_from_values()
        self._values: list[list[int]] = []

    def fill(self, documents: Sequence[Document]) -> None:
        """Insert without timing, from our signatures, which are of the same form."""
        from datasketch import MinHash

        for item in documents:
            values = fingerprint(item.text).signature
            self._lsh.insert(item.id, MinHash(hashvalues=values, seed=peers.SEED, scheme="affine32"))

    def _check_and_insert(self, key: str, minhash: Any) -> None:
        self._lsh.query(minhash)
        self._lsh.insert(key, minhash)

    def from_text(self, documents: Sequence[Document]) -> None:
        for item in documents:
            self._check_and_insert(item.id, self._from_text(item.text))

    def prepare(self, documents: Sequence[Document]) -> None:
        """Compute the hash values that `from_values` takes, without timing."""
        self._values = [fingerprint(item.text).shingle_sequence.tolist() for item in documents]

    def from_values(self, documents: Sequence[Document]) -> None:
        for item, values in zip(documents, self._values, strict=True):
            self._check_and_insert(item.id, self._from_values(values))


def preload(engine: Engine, loop: DictLoop, feed: Feed, documents: int) -> Table:
    """Fill both with the same documents, and tell the engine's pace along the way."""
    rows: list[list[Cell]] = []
    size = 0
    for stretch in range(1, CURVE + 1):
        rate = Rate()
        while size < documents * stretch // CURVE:
            chunk = feed.take(min(MAX_BATCH_DOCUMENTS, documents * stretch // CURVE - size))
            rate.time(in_batches(engine, MAX_BATCH_DOCUMENTS), chunk)
            loop.fill(chunk)
            size += len(chunk)
        if rate.documents:
            memory = sum(sizes["memory_bytes"] for sizes in engine.sizes().values())
            rows.append([f"{size - rate.documents:,} to {size:,}", *rate.cells, memory / 2**20])
    columns = ["documents stored", "documents/s", "wall µs a document", "CPU µs a document", "tables, MiB"]
    return Table(f"From empty, in batches of {MAX_BATCH_DOCUMENTS}", columns, rows)


def contest(engine: Engine, loop: DictLoop, feed: Feed, seconds: float, rounds: int = 3) -> dict[str, list[Rate]]:
    """Give each way of storing its share of the seconds in turn, each document to one way only."""
    ways: dict[str, tuple[Callable[[Sequence[Document]], object], int]] = {
        **{f"ours, ingest_batch of {size}": (in_batches(engine, size), max(CHUNK, size)) for size in BATCHES},
        f"ours, {IN_FLIGHT} batches of 256 in flight": (pipelined(engine, 256), 4 * 256),
        SOURCES["from text"]: (loop.from_text, CHUNK),
        SOURCES["hash values ready"]: (loop.from_values, CHUNK),
    }
    found: dict[str, list[Rate]] = defaultdict(list)
    for number in range(rounds):
        for name, (work, size) in in_turn(ways.items(), number):
            rate = Rate()
            while rate.wall < seconds / rounds:
                chunk = feed.take(size)
                loop.prepare(chunk)
                rate.time(work, chunk)
            found[name].append(rate)
    return found


def times_as_fast(ours: Sequence[Rate], theirs: Sequence[Rate]) -> float:
    """Return the median over the rounds of our documents a second divided by theirs."""
    return median_ratio((our.per_second for our in ours), (their.per_second for their in theirs))


def contest_table(found: dict[str, list[Rate]]) -> Table:
    rows: list[list[Cell]] = []
    for name, rates in found.items():
        middle = sorted(rates, key=lambda rate: rate.per_second)[len(rates) // 2]
        rows.append([name, *middle.cells, *(times_as_fast(rates, found[peer]) for peer in SOURCES.values())])
    columns = ["", "documents/s", "wall µs", "CPU µs", "× from text", "× values ready"]
    return Table("With all documents stored", columns, rows).noted(CONTEST_NOTES)


def stage_table(watch: Stopwatch, rate: Rate) -> Table:
    rows: list[list[Cell]] = [
        [name, watch.seconds[name] * 1e6 / rate.documents, watch.calls[name] / rate.documents] for name in STAGES
    ]
    rows.append(["all, from call to answer", rate.wall * 1e6 / rate.documents, None])
    verdicts = ", ".join(f"{name} {count / rate.documents:.1%}" for name, count in watch.verdicts.most_common())
    limits = ", ".join(f"{name} {count}" for name, count in watch.limits.most_common()) or "none"
    return Table("Stages of ingest_batch of 256", ["", "wall µs a document", "times a document"], rows).noted(
        "As the engine's own observer tells them; store holds the writer's lookup, load and verify too.\n"
        f"Verdicts: {verdicts}. Limits that bit: {limits}."
    )


def real_table(path: Path, most: int) -> Table | None:
    """Store the real articles from empty; None where they are absent."""
    bodies = [body for body in real_bodies() if fingerprint(body).letters.size][:most]
    if not bodies:
        return None
    documents = [Document(id=str(number), text=body) for number, body in enumerate(bodies)]
    watch, rate = Stopwatch(), Rate()
    with Engine.open(path, observer=watch) as engine:
        rate.time(in_batches(engine, MAX_BATCH_DOCUMENTS), documents)
    verdicts = ", ".join(f"{name} {count:,}" for name, count in watch.verdicts.most_common())
    chars = sum(map(len, bodies)) / len(bodies)
    columns = ["documents", "characters, mean", "documents/s", "wall µs a document", "CPU µs a document"]
    table = Table("Real articles of any length, from empty", columns, [[f"{len(bodies):,}", round(chars), *rate.cells]])
    return table.noted(f"Verdicts: {verdicts}.")


def run(options: Options) -> Report:
    feed, loop, watch, rate = Feed(ArticleModel(options.seed, sigma=0)), DictLoop(), Stopwatch(), Rate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Engine.open(folder / "generated", observer=watch) as engine:
            curve = preload(engine, loop, feed, options.documents)
            found = contest(engine, loop, feed, options.seconds)
            watch.reset()
            rate.time(in_batches(engine, MAX_BATCH_DOCUMENTS), feed.take(4 * MAX_BATCH_DOCUMENTS))
        real = real_table(folder / "real", options.documents)
        sync = fsync_micros(folder)
    durable = curve.noted(f"4 KiB appended and made durable (fdatasync) in the same folder: {sync:,.0f} µs, median.")
    tables = [durable, contest_table(found), stage_table(watch, rate), *([real] if real else [])]
    paces = {name: median(r.per_second for r in rates) for name, rates in found.items() if name.startswith("ours")}
    best = max(paces, key=paces.__getitem__)
    bars = [
        Bar(f"durable ingest, best way, times {peer}", times_as_fast(found[best], found[peer]), 4)
        for peer in SOURCES.values()
    ]
    bars.append(Bar("durable ingest, best way, articles a second, after the work on speed", paces[best], 10_000))
    shares = ", ".join(f"{share:.0%} {kind}" for kind, share in SHARES.items())
    line = f"generated (seed {options.seed}), about 2,000 characters each; {shares}"
    return Report("engine", "Durable ingest in process", line, tables, bars)


CONTEST_NOTES = """\
Median of three rounds in turn; a ratio is the median of the rounds' own. Ours judges on the stored text, writes \
SQLite and waits for fsync; datasketch queries and inserts in a dict, verifies nothing and keeps nothing on disk.
datasketch was filled with the same documents by our signatures, since filling from text takes 2 ms a document; so its \
queries from text meet the documents that it was given in the rounds only."""
