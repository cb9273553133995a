"""With which stored documents a text is compared, where many come into question."""

import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from tests.engine.conftest import Shelf
from tests.judge.parts import text
from tests.support.texts import article, light_edit

CAPTION = "گزارش تصویری از دیدار امروز"


@pytest.mark.parametrize("longer_first", [False, True])
def test_a_copy_is_no_excerpt_of_what_holds_it_too(shelf: Shelf, seed: int, longer_first: bool) -> None:
    """An edited copy is told as one, whichever came first, where a longer article holds all of the text as well."""
    rng = Random(seed)
    for number in range(12):
        original = article(rng, 150)
        stored = [(original, f"original {number}"), (f"{original} {article(rng, 400)}", f"longer {number}")]
        for body, name in reversed(stored) if longer_first else stored:
            shelf.put(body, name)
        edit = light_edit(rng, original)
        assert shelf.engine.compare(original, edit).verdict is Verdict.NEAR_DUPLICATE
        assert shelf.check(edit).verdict is Verdict.NEAR_DUPLICATE


def test_answers_are_those_after_a_restart(tmp_path: Path, seed: int) -> None:
    """Which of many that hold a text is named does not depend on where in the tables they came to be."""
    rng = Random(seed)
    bodies = [article(rng, 40) for _ in range(12)]
    with Engine.open(tmp_path / "data") as engine:
        for number, body in enumerate(bodies):
            engine.ingest(Document(f"gone {number}", article(rng, 40)))
            for copy in range(4):
                engine.ingest(Document(f"{number} in {copy}", f"{article(rng, 60)} {body} {article(rng, 60)}"))
            engine.delete(f"gone {number}")
        before = [engine.check(body) for body in bodies]
    with Engine.open(tmp_path / "data") as engine:
        assert [engine.check(body) for body in bodies] == before


def test_a_short_text_with_the_title_of_an_older_one_is_its_copy(shelf: Shelf) -> None:
    """Of equal captions those with other titles in between do not hide the one with the same title."""
    titles = ["بازار بزرگ شهر", "مسابقه فوتبال بانوان", "نشست خبری شهردار"]
    for title in titles:
        assert shelf.put(CAPTION, title, title=title).verdict is Verdict.NEW
    for title in titles:
        copy = shelf.put(CAPTION, title=title)
        assert (copy.verdict, copy.canonical_id) == (Verdict.EXACT, title)


def test_a_copy_is_found_while_its_original_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check during the deletion finds the one or the other: what takes its place was durable before."""
    with Engine.open(tmp_path / "data") as engine:
        body = text(("story", 400))
        for name in ("original", "copy"):
            engine.ingest(Document(name, body))
        commit = engine._store.commit

        def slowly() -> None:
            time.sleep(0.1)
            commit()

        monkeypatch.setattr(engine._store, "commit", slowly)
        deletion = threading.Thread(target=engine.delete, args=("original",))
        deletion.start()
        seen: Counter[Verdict] = Counter()
        while deletion.is_alive():
            seen[engine.check(body).verdict] += 1
        deletion.join()
        assert set(seen) == {Verdict.EXACT}
        assert engine.check(body).canonical_id == "copy"
