"""Documents for the lifecycle tests, and what an engine holds."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from baznashr.types import Document
from baznashr_server.engine import Engine
from baznashr_server.index.corpus_index import CorpusIndex
from tests.support.texts import article, light_edit

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
LONG_AGO = 1_000_000.0
"""A snapshot interval, in seconds, that never comes."""


def documents(rng: random.Random, count: int, prefix: str = "d", words: int = 40) -> list[Document]:
    """Return articles of two sources over twenty days, one in five a light edit of the one before."""
    made: list[Document] = []
    for i in range(count):
        text = light_edit(rng, made[-1].text) if i % 5 == 4 else article(rng, words)
        time = NOON + timedelta(days=i % 20, minutes=i)
        made.append(Document(id=f"{prefix}{i}", text=text, source=f"s{i % 2}.example", published_at=time))
    return made


def ingest(engine: Engine, content: list[Document], corpus: str = "default") -> None:
    """Store documents in batches."""
    for start in range(0, len(content), 256):
        engine.ingest_batch(content[start : start + 256], corpus)


def tables(engine: Engine, corpus: str = "default") -> set[tuple[int, str]]:
    """Return what the tables hold: each live row with its digest."""
    return live(engine._corpora[corpus].index)


def live(index: CorpusIndex) -> set[tuple[int, str]]:
    """Return the rows of an index with their digests."""
    with index._settled():
        columns = index._columns
    live = np.flatnonzero(columns.state[: columns.size])
    return {(int(columns.row[slot]), columns.digest[slot].tobytes().hex()) for slot in live}


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what happens in the background."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
