"""Every page of a small store damaged in turn: the read that meets it fails and names it, and nothing false is told."""

import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from baznashr.errors import FormatMismatch, ReadOnly, StoreDamaged
from baznashr.types import Document, Override, OverrideKind
from baznashr_server.engine import Engine
from baznashr_server.engine.verify import verify
from baznashr_server.store.folder import DATABASE
from tests.crash.history import told
from tests.support.texts import article, light_edit

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]
PAGE = 8192


def fill(data: Path, rng: random.Random) -> dict[str, str]:
    """Store documents of every kind of row there is, and return their texts by id."""
    texts = {f"n{n}": article(rng, 400) for n in range(12)}
    texts |= {f"e{n}": light_edit(rng, texts[f"n{n}"]) for n in range(6)} | {"x": texts["n0"]}
    with Engine.open(data) as engine:
        for name, text in texts.items():
            engine.ingest(Document(name, text, title=name))
        engine.override(Override("e1", OverrideKind.NOT_REPEAT, "n1"))
    return texts


def questions(texts: dict[str, str]) -> dict[str, Callable[[Engine], object]]:
    """Return every kind of read, with answers that compare."""
    asked: dict[str, Callable[[Engine], object]] = {}
    for name, text in texts.items():
        asked[f"get {name}"] = lambda engine, name=name: told(engine.get(name).judgement)
        asked[f"text {name}"] = lambda engine, name=name: engine.get(name).document
        asked[f"check {name}"] = lambda engine, text=text: told(engine.check(text))
        asked[f"cluster {name}"] = lambda engine, name=name: engine.list_cluster(name)
        asked[f"retry {name}"] = lambda engine, name=name, text=text: told(engine.ingest(Document(name, text)))
    asked["overrides"] = lambda engine: engine.list_overrides()
    asked["stats"] = lambda engine: engine.corpus_stats().verdicts
    return asked


def damage(database: Path, page: int, rng: random.Random) -> None:
    """Flip one bit of a page."""
    content = bytearray(database.read_bytes())
    content[(page - 1) * PAGE + rng.randrange(PAGE)] ^= 1 << rng.randrange(8)
    database.write_bytes(content)


def test_every_page(tmp_path: Path, seed: int, long: bool) -> None:
    """Each answer is right or an error that names the damage; then nothing is written, and `verify` lists the page."""
    rng = random.Random(seed)
    texts = fill(tmp_path / "whole", rng)
    asked = questions(texts)
    with Engine.open(tmp_path / "whole") as engine:
        right = {question: ask(engine) for question, ask in asked.items()}
    pages = (tmp_path / "whole" / DATABASE).stat().st_size // PAGE
    outcomes = {"refused to open": 0, "failed a read": 0, "met by verify alone": 0}
    for page in range(1, pages + 1, 1 if long else 5):
        data = tmp_path / str(page)
        shutil.copytree(tmp_path / "whole", data)
        damage(data / DATABASE, page, rng)
        outcomes[meet(data, asked, right, texts)] += 1
        assert any(fault.where in (f"page {page}", "database") for fault in verify(data).faults), page
        shutil.rmtree(data)
    print(outcomes)
    assert outcomes["failed a read"]


def named(error: FormatMismatch | StoreDamaged, data: Path, outcome: str) -> str:
    """Return *outcome* of an error that says which file it is about."""
    assert str(data) in str(error), outcome
    return outcome


def test_the_header_cannot_turn_checksums_off(tmp_path: Path, seed: int) -> None:
    """The byte that says that pages carry checksums is missed when it is wrong."""
    fill(tmp_path / "data", random.Random(seed))
    database = tmp_path / "data" / DATABASE
    content = bytearray(database.read_bytes())
    assert content[20] == 8
    content[20] = 0
    database.write_bytes(content)
    with pytest.raises(StoreDamaged, match="checksums"):
        Engine.open(tmp_path / "data")


def test_background_work_that_meets_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not end the thread that all writes depend on."""
    with Engine.open(tmp_path / "data") as engine:
        looked = threading.Event()

        def idle() -> None:
            looked.set()
            raise StoreDamaged("on purpose")

        monkeypatch.setattr(engine._writer, "_idle", idle)
        assert looked.wait(10)
        engine.submit([Document("a", article(random.Random(1)))]).result(10)


def meet(
    data: Path, asked: dict[str, Callable[[Engine], object]], right: dict[str, object], texts: dict[str, str]
) -> str:
    """Ask everything of a damaged store; return how the damage was met."""
    try:
        engine = Engine.open(data)
    except (StoreDamaged, FormatMismatch) as refused:
        return named(refused, data, "refused to open")
    met = False
    with engine:
        for question, ask in asked.items():
            try:
                assert ask(engine) == right[question], question
            except StoreDamaged as error:
                met = bool(named(error, data, question))
            except ReadOnly:
                assert met or engine.read_only_reason
                met = True
        if met:
            assert engine.read_only_reason
            with pytest.raises(ReadOnly):
                engine.ingest(Document("late", texts["n0"]))
    return "failed a read" if met else "met by verify alone"
