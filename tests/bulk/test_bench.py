"""Batches are judged in their order, however soon the next is given."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from baznashr.errors import Unavailable
from baznashr.types import Document
from baznashr_server.bulk.batches import Answers, Given
from baznashr_server.bulk.bench import Bench
from baznashr_server.engine import Engine
from baznashr_server.engine.ingest import Queued
from tests.support.texts import article, light_edit


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine.open(tmp_path / "data") as engine:
        yield engine


def given(id_: str, text: str) -> Given:
    return id_, text, "", "", "", None


def judged(engine: Engine, batches: list[list[Given]], *, ahead: bool) -> list[Answers]:
    """Return the answers to *batches*, each given before the one before is answered or not *ahead*."""
    bench = Bench(engine, "default")
    answers = []
    waiting = []
    for batch in batches:
        waiting.append(bench.submit(batch))
        if not ahead:
            answers.append(waiting.pop()())
    return answers + [one() for one in waiting]


def test_a_batch_given_ahead_is_answered_as_one_given_in_turn(tmp_path: Path) -> None:
    """Copies of what came in the batch before are found, the batch before being on its way to the disk."""
    rng = Random("ahead")
    texts = [article(rng) for _ in range(60)]
    texts += [light_edit(rng, rng.choice(texts)) for _ in range(60)]
    rng.shuffle(texts)
    batches = [[given(f"{b}-{n}", text) for n, text in enumerate(texts[b : b + 10])] for b in range(0, 120, 10)]
    found = []
    for ahead in (False, True):
        with Engine.open(tmp_path / str(ahead)) as engine:
            found.append(json.dumps(judged(engine, batches, ahead=ahead)))
    assert found[0] == found[1]
    assert found[0].count("NEAR_DUPLICATE") > 30


def test_what_one_batch_is_refused_for_does_not_let_the_next_go_before_it(engine: Engine) -> None:
    """The documents left of a batch are judged before the next batch, which finds them."""
    rng = Random("refused")
    old, new = article(rng), article(rng)
    engine.ingest(Document(id="a", text=old))
    first, second = judged(engine, [[given("a", new), given("b", new)], [given("c", new)]], ahead=True)
    assert [(at, reason) for at, reason, _ in first.refused] == [(0, "DOCUMENT_ID_REUSED")]
    assert [row[1] for row in first.rows] == ["NEW"]
    assert [(row[1], row[4]) for row in second.rows] == [("EXACT", "b")]


def test_a_batch_of_which_all_is_refused_holds_nothing_up(engine: Engine) -> None:
    """Neither itself nor the next."""
    rng = Random("all")
    engine.ingest(Document(id="a", text=article(rng)))
    first, second = judged(engine, [[given("a", article(rng)), given("", "")], [given("b", article(rng))]], ahead=True)
    assert (first.rows, len(first.refused)) == ([], 2)
    assert [row[1] for row in second.rows] == ["NEW"]


def test_all_that_a_batch_is_refused_for_is_found_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ids are stored with other texts, the others are looked up twice; known texts are answered."""
    rng = Random("at once")
    old = [article(rng) for _ in range(40)]
    engine.ingest_batch([Document(id=f"{n}", text=text) for n, text in enumerate(old)])
    batch = [given(f"{n}", old[n] if n % 4 == 0 and n < 40 else article(rng)) for n in range(50)]
    batch[20] = given("20", "")
    asked, submit = count(), engine.submit_prepared

    def counted(*words: Any) -> Queued:
        next(asked)
        return submit(*words)

    monkeypatch.setattr(engine, "submit_prepared", counted)
    (answers,) = judged(engine, [batch], ahead=False)
    assert [at for at, _, _ in answers.refused] == [n for n in range(40) if n % 4 or n == 20]
    assert {(reason, message) for at, reason, message in answers.refused if at != 20} == {
        ("DOCUMENT_ID_REUSED", "id: The id is stored with another text.")
    }
    assert len(answers.rows) == 19
    assert next(asked) == 2


def test_an_engine_that_is_closed_takes_no_batch(engine: Engine) -> None:
    """It is no fault of the documents, none of which is refused."""
    rng = Random("closed")
    bench = Bench(engine, "default")
    assert bench.submit([given("a", article(rng))])().rows
    engine.close()
    with pytest.raises(Unavailable, match="closed"):
        bench.submit([given("b", article(rng))])
