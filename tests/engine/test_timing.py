"""Answers depend on what is stored when a text's turn comes, and not on when it was compared."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from random import Random

import pytest

from baznashr.types import Document, Judgement
from baznashr_server.engine import Engine
from baznashr_server.judge.chrome_phrases import NOTICES
from tests.support.texts import article, light_edit

START = datetime(2026, 1, 1, tzinfo=UTC)


def documents(seed: str, *, boilerplate: bool) -> list[Document]:
    """Return articles of few sources, and edits of the last ones, three hours apart.

    With *boilerplate* they have paragraphs of their source that become boilerplate on the way, some with a player's
    notice between, which is not compared and parts passages that others hold whole.
    """
    rng = Random(seed)
    paragraphs = {source: [article(rng, 40) for _ in range(2)] for source in ("one", "two", "three")}
    made: list[Document] = []
    for number in range(240):
        source = rng.choice([*paragraphs])
        text = article(rng, 50)
        if boilerplate:
            between = rng.choice(["\n", f"\n{NOTICES[0]}\n"])
            text = f"{text}\n{rng.choice(paragraphs[source])}{between}{rng.choice(paragraphs[source])}"
        if number > 20 and rng.random() < 0.4:
            text = light_edit(rng, rng.choice(made[-40:]).text)
        made.append(Document(f"d{number}", text, source=source, published_at=START + number * timedelta(hours=3)))
    return made


def told(judgement: Judgement) -> Judgement:
    return replace(judgement, corpus="")


@pytest.mark.parametrize("window_days", [0, 2], ids=["all", "two days"])
def test_answers_do_not_depend_on_when_texts_were_compared(tmp_path: Path, window_days: int) -> None:
    """One at a time, in batches, and in batches compared long before the writer comes to them: all the same.

    So it is too where the window's edge, two days back, moves with each of them; only what has become boilerplate
    depends on when they were deleted then.
    """
    given = documents("timing", boilerplate=not window_days)
    with Engine.open(tmp_path / "data") as engine:
        for name in ("single", "batches", "ahead"):
            engine.create_corpus(name, window_days=window_days)
        single = [told(engine.ingest(document, "single")) for document in given]
        batches = [told(j) for some in batched(given, 40) for j in engine.ingest_batch(some, "batches")]
        waiting = [engine.submit(some, "ahead") for some in batched(given, 40)]
        ahead = [told(judgement) for future in waiting for judgement in future.result()]
    assert batches == single
    assert ahead == single
