"""Answers depend on what is stored when a text's turn comes, and not on when it was compared."""

from dataclasses import replace
from itertools import batched
from pathlib import Path
from random import Random

from baznashr.types import Document, Judgement
from baznashr_server.engine import Engine
from tests.support.texts import article, light_edit


def documents(seed: str) -> list[Document]:
    """Return articles of few sources with paragraphs of their own that become boilerplate on the way, and edits."""
    rng = Random(seed)
    paragraphs = {source: [article(rng, 40) for _ in range(2)] for source in ("one", "two", "three")}
    made: list[Document] = []
    for number in range(240):
        source = rng.choice([*paragraphs])
        text = "\n".join([article(rng, 50), rng.choice(paragraphs[source]), *rng.choices(paragraphs[source], k=1)])
        if number > 20 and rng.random() < 0.4:
            text = light_edit(rng, rng.choice(made).text)
        made.append(Document(f"d{number}", text, source=source))
    return made


def told(judgement: Judgement) -> Judgement:
    return replace(judgement, corpus="")


def test_answers_do_not_depend_on_when_texts_were_compared(tmp_path: Path) -> None:
    """One at a time, in batches, and in batches compared long before the writer comes to them: all the same."""
    given = documents("timing")
    with Engine.open(tmp_path / "data") as engine:
        for name in ("single", "batches", "ahead"):
            engine.create_corpus(name)
        single = [told(engine.ingest(document, "single")) for document in given]
        batches = [told(j) for some in batched(given, 40) for j in engine.ingest_batch(some, "batches")]
        waiting = [engine.submit(some, "ahead") for some in batched(given, 40)]
        ahead = [told(judgement) for future in waiting for judgement in future.result()]
    assert batches == single
    assert ahead == single
