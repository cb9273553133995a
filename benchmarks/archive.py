"""A generated archive in a file, with the truth about each article.

`python -m benchmarks.archive --documents N --out F` writes one.

Articles come from the word-level model of `corpus.py`, published one after another. Each row holds `id`, `title`,
`text`, `source`, `published_at` and, as the truth, `kind` (new, exact, edited, template) and `of` (the id of the
article copied, empty where none is). The file is a function of the number, the seed and the mean length alone, however
many processes make it. By its name it becomes Parquet (.parquet) or JSON lines (.jsonl, .jsonl.gz).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

from benchmarks.corpus import Article, ArticleModel

START = datetime(2024, 1, 1, tzinfo=UTC)
APART = timedelta(seconds=30)
"""Between the publish times of two articles that follow each other."""
CHUNK = 2000
"""Articles handed to a process at a time: some 8 MB of JSON."""
AHEAD = 2
"""Chunks for each process that may wait to be written, so that memory does not grow with the archive."""
SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")

Row = dict[str, str]


def identifier(index: int) -> str:
    return f"a{index:08d}"


def row(article: Article) -> Row:
    return {
        "id": identifier(article.number),
        "title": article.title,
        "text": article.text,
        "source": f"source-{article.source:03d}",
        "published_at": (START + article.number * APART).isoformat(),
        "kind": str(article.kind),
        "of": "" if article.origin is None else identifier(article.origin),
    }


@cache
def model(seed: int, chars: int) -> ArticleModel:
    return ArticleModel(seed, mean_chars=chars)


def rows(seed: int, chars: int, start: int, size: int) -> list[Row]:
    return [row(article) for article in islice(model(seed, chars).articles(start), size)]


def lines(seed: int, chars: int, start: int, size: int) -> bytes:
    made = rows(seed, chars, start, size)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made).encode()


def in_order[T](make: Callable[[int, int], T], documents: int, workers: int) -> Iterator[T]:
    """Yield what *make* returns for each chunk, given its start and size, in order."""
    chunks = [(start, min(CHUNK, documents - start)) for start in range(0, documents, CHUNK)]
    if workers == 1:
        yield from (make(*chunk) for chunk in chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[T]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(make, *chunk))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def write_lines(path: Path, parts: Iterator[bytes]) -> None:
    with ExitStack() as opened:
        out: IO[bytes] | gzip.GzipFile = opened.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            # No time and no name inside, so that the same archive is the same file.
            out = opened.enter_context(gzip.GzipFile("", "wb", compresslevel=5, fileobj=out, mtime=0))
        for part in parts:
            out.write(part)


def write_parquet(path: Path, parts: Iterator[list[Row]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.string()) for name in row(model(1, 2000).article(0))])
    with parquet.ParquetWriter(path, schema, compression="zstd") as out:
        for part in parts:
            out.write_batch(pa.RecordBatch.from_pylist(part, schema))


def write(path: Path, documents: int, seed: int = 1, *, chars: int = 2000, workers: int = 1) -> None:
    """Write the first *documents* articles of *seed*; nothing of that name stays if it is broken off.

    Raises:
        ValueError: The name of the file does not say a format.
    """
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"{path.name}: the name must end in one of {', '.join(SUFFIXES)}")
    partial_path = path.with_name(f".partial-{path.name}")
    make: Callable[..., Any] = rows if path.suffix == ".parquet" else lines
    parts = in_order(partial(make, seed, chars), documents, workers)
    try:
        (write_parquet if path.suffix == ".parquet" else write_lines)(partial_path, parts)
        partial_path.replace(path)
    finally:
        partial_path.unlink(missing_ok=True)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.archive",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--documents", type=int, required=True, metavar="N", help="how many articles")
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="file to write: " + ", ".join(SUFFIXES))
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--chars", type=int, default=2000, help="mean length of a text (2,000)")
    parser.add_argument(
        "--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes (as many as there are cores)"
    )
    options = parser.parse_args(arguments)
    if options.documents < 1 or options.workers < 1 or options.chars < 1:
        parser.error("--documents, --workers and --chars must be at least 1")
    return options


def main() -> None:
    asked = parse()
    try:
        write(asked.out, asked.documents, asked.seed, chars=asked.chars, workers=asked.workers)
    except (ValueError, OSError) as error:
        sys.exit(f"archive: {error}")
    print(f"{asked.out.name}: {asked.documents:,} articles, {asked.out.stat().st_size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
