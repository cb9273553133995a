"""The engine reports every stage, verdict, commit and limit."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from baznashr.errors import StoreError
from baznashr.types import Document, Judgement, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import LIMITS, STAGES, Silence
from baznashr_server.limits import MAX_CANDIDATES
from tests.judge.parts import text

STORY = text(("story", 600))


class Tally(Silence):
    """Counts all that it is told."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.stages: Counter[str] = Counter()
        self.verdicts: Counter[Verdict] = Counter()
        self.limits: Counter[str] = Counter()
        self.documents = 0
        self.backups: list[bool] = []

    def stage(self, name: str, seconds: float) -> None:
        """Count a stage, which takes time and does not take it back."""
        assert seconds >= 0
        with self.lock:
            self.stages[name] += 1

    def judged(self, judgement: Judgement) -> None:
        """Count a verdict."""
        with self.lock:
            self.verdicts[judgement.verdict] += 1

    def committed(self, documents: int, seconds: float) -> None:
        """Count documents that became durable."""
        assert seconds >= 0
        self.documents += documents

    def backup(self, seconds: float, *, taken: bool) -> None:
        """Note a backup."""
        assert seconds >= 0
        self.backups.append(taken)

    def limit_bit(self, limit: str) -> None:
        """Count a limit."""
        with self.lock:
            self.limits[limit] += 1


@pytest.fixture
def tally() -> Tally:
    """Return what the engine below reports to."""
    return Tally()


@pytest.fixture
def engine(tmp_path: Path, tally: Tally) -> Iterator[Engine]:
    """Return an engine on an empty folder."""
    with Engine.open(tmp_path / "data", observer=tally) as opened:
        yield opened


def test_every_stage_is_reported(tmp_path: Path, tally: Tally) -> None:
    """By its name, and no other; a text that is compared passes through all of them."""
    with Engine.open(tmp_path / "data", observer=tally) as engine:
        engine.ingest(Document("a", STORY))
        engine.ingest(Document("b", text(("story", 560))))
    assert set(tally.stages) == set(STAGES)
    assert tally.stages["fingerprint"] == 2


def test_every_verdict_is_counted_once(engine: Engine, tally: Tally) -> None:
    """Of ingests, batches and checks, whatever the writer's turn made of them; documents are counted as committed."""
    engine.ingest(Document("a", STORY))
    engine.ingest_batch([Document("b", STORY), Document("c", text(("other", 300)))])
    engine.check(STORY)
    engine.check_batch([text(("story", 560)), text(("third", 300))])
    assert tally.verdicts == {Verdict.NEW: 3, Verdict.EXACT: 2, Verdict.NEAR_DUPLICATE: 1}
    assert tally.documents == 3


def test_limits_are_reported_when_they_bite(engine: Engine, tally: Tally) -> None:
    """More candidates than are compared are left out, and that is told."""
    for number in range(MAX_CANDIDATES):
        assert tally.limits["candidates"] == 0
        engine.ingest(Document(f"{number}", text(("run", 150), (f"story {number}", 300))))
    engine.check(text(("run", 150), ("", 300)))
    assert tally.limits["candidates"] > 0
    assert set(tally.limits) <= set(LIMITS)


def test_backups_are_reported(engine: Engine, tally: Tally, tmp_path: Path) -> None:
    """Those taken and those that failed; a name that is taken is neither, as nothing was tried."""
    engine.backup(tmp_path / "b.sqlite3")
    for target in (tmp_path / "b.sqlite3", tmp_path / "missing" / "b.sqlite3"):
        with pytest.raises(StoreError):
            engine.backup(target)
    assert tally.backups == [True, False]
