"""A source's own head and foot are learned from its stories, and copies of one story teach nothing."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.index.corpus_index import MAX_SOURCE_POSTINGS
from baznashr_server.judge.boilerplate import boilerplate_mask
from tests.judge.parts import STORED, Part, body, text

FOOT = "\n".join(text((f"foot {line}", 36)) for line in range(6))
"""Short lines, as sites have them: links and notices."""
corpora = count()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an engine that the tests share."""
    with Engine.open(Path(tmp_path_factory.mktemp("boilerplate")) / "data") as opened:
        yield opened


@pytest.fixture
def corpus(engine: Engine) -> str:
    """Return an empty corpus."""
    return engine.create_corpus(f"c{next(corpora)}").name


def with_foot(*parts: Part | str, edge: str = "ل") -> str:
    """Return a text of *parts* with the site's foot below."""
    return f"{text(*parts, edge=edge)}\n{FOOT}"


def learn(engine: Engine, corpus: str, stories: int, source: str = "paper") -> None:
    """Ingest so many stories of a source, alike in their foot alone."""
    for number in range(stories):
        document = Document(f"{source} {number}", with_foot((f"{source} {number}", 500)), source=source)
        assert engine.ingest(document, corpus).verdict is Verdict.NEW


def test_a_foot_is_learned_after_eight_stories(engine: Engine, corpus: str) -> None:
    """From then on a short passage and the foot together make no two stories alike; before, they do."""
    one, other = (
        Document(f"x{edge}", with_foot(("", 150), ("passage", 60), ("", 150), edge=edge), source="paper")
        for edge in ("ل", STORED)
    )
    learn(engine, corpus, MAX_SOURCE_POSTINGS - 2)
    engine.ingest(one, corpus)
    assert engine.check(other, corpus).verdict is Verdict.OVERLAP
    learn(engine, corpus, MAX_SOURCE_POSTINGS)
    assert engine.check(other, corpus).verdict is Verdict.NEW


def test_a_learned_foot_does_not_hide_what_is_shared_above_it(engine: Engine, corpus: str) -> None:
    """A passage long enough is told, though most of what is shared stands at the end."""
    learn(engine, corpus, MAX_SOURCE_POSTINGS)
    engine.ingest(Document("a", with_foot(("", 250), ("passage", 150), ("", 250)), source="paper"), corpus)
    judgement = engine.check(
        Document("b", with_foot(("", 250), ("passage", 150), ("", 250), edge=STORED), source="paper"), corpus
    )
    assert judgement.verdict is Verdict.OVERLAP
    assert [match.document_id for match in judgement.matches] == ["a"]


def test_a_learned_foot_does_not_make_a_copy_look_new(engine: Engine, corpus: str) -> None:
    """A short story from elsewhere under a foot of its own weight is the same article once the foot is known."""
    copy = Document("copy", with_foot(("story", 260)), source="paper")
    engine.ingest(Document("original", text(("story", 260)), source="agency"), corpus)
    assert engine.check(copy, corpus).verdict is Verdict.EXTENDED
    learn(engine, corpus, MAX_SOURCE_POSTINGS)
    judgement = engine.check(copy, corpus)
    assert (judgement.verdict, judgement.canonical_id) == (Verdict.NEAR_DUPLICATE, "original")
    assert engine.check(Document("other", copy.text, source="blog"), corpus).verdict is Verdict.EXTENDED


def test_what_was_learned_survives_a_restart(tmp_path: Path) -> None:
    """Nothing is stored for it: it comes back with the tables."""
    copy = Document("copy", with_foot(("story", 260)), source="paper")
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("original", text(("story", 260)), source="agency"))
        learn(engine, "default", MAX_SOURCE_POSTINGS)
    with Engine.open(tmp_path / "data") as engine:
        assert engine.check(copy).verdict is Verdict.NEAR_DUPLICATE


def test_copies_of_one_story_are_never_boilerplate(engine: Engine, corpus: str) -> None:
    """However many sites, or one site however often, bring a story, the next copy of it is one."""
    for number in range(60):
        copy = text(("story", 500), (f"credit {number}", 30))
        source = "paper" if number % 2 else f"site {number}"
        judgement = engine.ingest(Document(f"{number}", copy, source=source), corpus)
        assert judgement.canonical_id == (None if number == 0 else "0")
    for source in ("paper", "elsewhere"):
        part = engine.check(Document("part", text(("story", 200)), source=source), corpus)
        assert (part.verdict, part.canonical_id) == (Verdict.EXCERPT, "0")


def test_recurring_reports_stay_reports(engine: Engine, corpus: str) -> None:
    """A bulletin whose wording has been seen day after day is TEMPLATE every day, and no copy, nor anything new."""
    lines = [f"line {place}" for place in range(8)]
    for day in range(3 * MAX_SOURCE_POSTINGS):
        parts: list[Part | str] = []
        for place, line in enumerate(lines):
            parts += [(line, 50), str(1000 * (day + 1) + 37 * place)]
        judgement = engine.ingest(Document(f"{day}", text(*parts, ("end", 50)), source="bank"), corpus)
        assert judgement.verdict is (Verdict.TEMPLATE if day else Verdict.NEW), day
        assert bool(judgement.matches) == bool(day)


def test_head_and_foot_are_masked() -> None:
    """Up to the end of the last passage of the head, and from the start of the first of the foot."""
    made = body(("a", 1000))
    _, starts = made.passages
    assert not boilerplate_mask(made, 0, 0).size
    assert boilerplate_mask(made, 1, 0).tolist() == [place < starts[0] + 24 for place in range(1000)]
    assert boilerplate_mask(made, 0, 1).tolist() == [place >= starts[-1] for place in range(1000)]
    both = [place < starts[1] + 24 or place >= starts[-2] for place in range(1000)]
    assert boilerplate_mask(made, 2, 2).tolist() == both


def test_a_text_of_boilerplate_is_no_boilerplate() -> None:
    """Where more than half would go, nothing goes: it is an issue of a recurring report."""
    made = body(("a", 1000))
    passages, starts = made.passages
    half = int(np.searchsorted(starts + 24, 500, "right"))
    assert boilerplate_mask(made, half, 0).size
    assert not boilerplate_mask(made, half + 1, 0).size
    assert not boilerplate_mask(made, passages.size, passages.size).size
