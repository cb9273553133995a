"""Articles made ahead of a run by processes of their own, and kept in files: to make one takes 0.3 ms.

The files lie below the folder for temporary files, about 4 GB for a million articles, and are found again by the next
run with the same seed; `python -m benchmarks.stock --documents N` makes them beforehand, `--clear` removes them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from baznashr.types import Document
from benchmarks import corpus
from benchmarks.corpus import Article, ArticleModel

FILE_DOCUMENTS = 4096
SIGMA = 0.0
"""All articles are about equally long."""


def document(article: Article) -> Document:
    return Document(f"d{article.number}", article.text, title=article.title, source=f"source-{article.source}")


def home(seed: int) -> Path:
    """Return the folder of the files, which another model, form or seed does not share."""
    sources = (Path(source).read_bytes() for source in (corpus.__file__, __file__))
    model = hashlib.sha256(b"".join(sources)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / "baznashr-articles" / f"{model}-{seed}"


def _make(seed: int, number: int) -> None:
    path = home(seed) / f"{number:06}"
    if path.exists():
        return
    articles = islice(ArticleModel(seed, sigma=SIGMA).articles(number * FILE_DOCUMENTS), FILE_DOCUMENTS)
    made = [(one.id, one.text, one.title, one.source) for one in map(document, articles)]
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


class Stock:
    """The documents of a seed, from number *start* on, each once; making them is not timed."""

    def __init__(self, seed: int, start: int = 0) -> None:
        self._seed = seed
        self._documents = self._read(start)

    def make(self, documents: int) -> Stock:
        """Make the first *documents* on all cores, where they are not there yet, and return this."""
        home(self._seed).mkdir(parents=True, exist_ok=True)
        files = range(-(-documents // FILE_DOCUMENTS))
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as processes:
            list(processes.map(partial(_make, self._seed), files))
        return self

    def take(self, count: int) -> list[Document]:
        return list(islice(self._documents, count))

    def articles(self) -> Iterator[Article]:
        """Yield the rest as articles; what those copy is not known any more."""
        model = ArticleModel(self._seed, sigma=SIGMA)
        for one in self._documents:
            index = int(one.id.removeprefix("d"))
            yield Article(index, model.kind(index), None, int(one.source.removeprefix("source-")), one.title, one.text)

    def _read(self, start: int) -> Iterator[Document]:
        number, skip = divmod(start, FILE_DOCUMENTS)
        while True:
            path = home(self._seed) / f"{number:06}"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _make(self._seed, number)
            for name, text, title, source in json.loads(path.read_text(encoding="utf-8"))[skip:]:
                yield Document(name, text, title=title, source=source)
            number, skip = number + 1, 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stock", description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000, metavar="N", help="make the first N (100,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clear", action="store_true", help="remove all of this seed instead")
    asked = parser.parse_args()
    if asked.documents < 1:
        parser.error("--documents must be at least 1")
    if asked.clear:
        shutil.rmtree(home(asked.seed), ignore_errors=True)
    else:
        Stock(asked.seed).make(asked.documents)


if __name__ == "__main__":
    main()
