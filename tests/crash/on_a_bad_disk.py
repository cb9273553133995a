"""Works on a store while its disk fails, or loses power; run in a process of its own, below whose store the disk lies.

Arguments: "fail", "lose", "lose-spared" or "lose-unsynced", folder, seed, stride.
"""

import itertools
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import apsw

from baznashr.errors import DocumentNotFound, ReadOnly
from baznashr.types import Document, Judgement, Override, OverrideKind, Verdict
from baznashr_server.engine import Engine
from tests.crash.disk import Disk
from tests.crash.history import told
from tests.support.audit import audit_engine, audit_folder, audit_stars
from tests.support.texts import article, light_edit

Stored = dict[str, tuple[str, Judgement]]


class Step(NamedTuple):
    change: Callable[[Engine], list[Judgement]]
    effect: dict[str, str | None]
    """The texts by id that it leaves; None: no document."""


def steps(rng: random.Random, prefix: str = "") -> list[Step]:
    """Return documents that come alone and in batches, one that goes, and one that is replaced."""
    first = article(rng)
    texts = {f"{prefix}{n}": light_edit(rng, first) if n % 3 == 0 else article(rng, 300) for n in range(16)}
    documents = [Document(name, text) for name, text in texts.items()]

    def ingest(document: Document, *, replace: bool = False) -> Step:
        return Step(lambda engine: [engine.ingest(document, replace=replace)], {document.id: document.text})

    def batch(group: list[Document]) -> Step:
        return Step(lambda engine: engine.ingest_batch(group), {document.id: document.text for document in group})

    def deletion(name: str) -> Step:
        def delete(engine: Engine) -> list[Judgement]:
            assert engine.delete(name)
            return []

        return Step(delete, {name: None})

    def other(make: Callable[[Engine], object]) -> Step:
        def change(engine: Engine) -> list[Judgement]:
            make(engine)
            return []

        return Step(change, {})

    changed = Document(documents[1].id, article(rng))
    word = Override(documents[6].id, OverrideKind.REPEAT_OF, documents[5].id)
    return [
        other(lambda engine: engine.create_corpus(f"{prefix}other", window_days=1)),
        *map(ingest, documents[:4]),
        batch(documents[4:9]),
        deletion(documents[0].id),
        ingest(changed, replace=True),
        other(lambda engine: engine.override(word)),
        *map(ingest, documents[9:11]),
        other(lambda engine: engine.ingest_batch(documents[:4], f"{prefix}other")),
        batch(documents[11:]),
        other(lambda engine: engine.delete_corpus(f"{prefix}other")),
    ]


def left_behind(engine: Engine, names: set[str]) -> dict[str, tuple[str, tuple]]:
    """Return what is stored of the documents named."""
    found = {}
    for name in names:
        try:
            stored = engine.get(name)
        except DocumentNotFound:
            continue
        found[name] = (stored.document.text, told(stored.judgement))
    return found


def apply(state: Stored, effect: dict[str, str | None], answers: list[Judgement]) -> Stored:
    by_id = {answer.document_id: answer for answer in answers}
    after = {**state, **{name: (text, by_id.get(name)) for name, text in effect.items() if text is not None}}
    return {name: value for name, value in after.items() if effect.get(name, "") is not None}


def agrees(found: dict[str, tuple[str, tuple]], state: Stored) -> bool:
    """Whether what is stored is *state*, as far as answers were given."""
    same = {name: text for name, (text, _) in found.items()} == {name: text for name, (text, _) in state.items()}
    return same and all(answer is None or told(answer) == found[name][1] for name, (_, answer) in state.items())


def sound(data: Path, states: list[Stored], names: set[str]) -> None:
    """Open the folder, which must hold one of *states*, whole."""
    with Engine.open(data) as engine:
        audit_engine(engine)
        audit_stars(engine)
        found = left_behind(engine, names)
        assert any(agrees(found, state) for state in states), sorted(found)
    audit_folder(data)


def fail(disk: Disk, root: Path, seed: str, stride: int) -> None:
    """Fail the first, second, third … write or sync until none is left to fail."""
    with Engine.open(root / "new"):
        pass
    kinds = [("write", apsw.FullError, True), ("write", apsw.IOError, False), ("sync", apsw.IOError, False)]
    for operation, error, lasts in kinds:
        places = noticed = 0
        for number in itertools.count(1, stride if operation == "write" else 1):
            data = root / f"{operation}-{error.__name__}-{number}"
            shutil.copytree(root / "new", data)
            arm = partial(disk.fail, operation, number, error, lasts=lasts)
            noticed += fail_at(disk, data, random.Random(seed), arm)
            shutil.rmtree(data)
            if not disk.failed:
                break
            places += 1
        print(f"{operation} {error.__name__}: failed at {places} places, {noticed} of them noticed by a caller")
        assert noticed


def fail_at(disk: Disk, data: Path, rng: random.Random, arm: Callable[[], None]) -> bool:
    """Make all changes on a disk that fails once; return whether a caller was told."""
    state: Stored = {}
    states = [state]
    names = set()
    told_so = False
    engine = Engine.open(data)
    arm()
    for change, effect in steps(rng):
        names |= effect.keys()
        try:
            answers = change(engine)
        except ReadOnly:
            told_so = True
            states = [state, apply(state, effect, [])]  # it failed, and may be on the disk all the same
            break
        state = apply(state, effect, answers)
        states = [state]
    if told_so:
        assert engine.read_only_reason
        try:
            engine.ingest(Document("late", article(rng)))
            raise AssertionError("written after a failed write")
        except ReadOnly:
            pass
        audit_engine(engine)
        for text, answer in state.values():
            assert engine.check(text).verdict is Verdict.EXACT, answer
    with suppress(apsw.Error):  # SQLite swallows what fails while it closes; apsw tells what an exception in Python was
        engine.close()
    disk.heal()
    sound(data, states, names)
    return told_so


def lose(
    disk: Disk,
    root: Path,
    seed: str,
    stride: int,
    prepare: Callable[[Engine], object] = lambda _: None,
    *,
    may_lose_told: bool = False,
) -> None:
    """Lose power after every *stride*-th write, and what was not synced with it.

    Args:
        may_lose_told: Whether the store may hold what it held at any time before, all of it.
    """
    rng = random.Random(seed)
    data = root / "data"
    engine = Engine.open(data)
    prepare(engine)
    # The log is written back many times.
    engine._store._writer.execute("PRAGMA wal_autocheckpoint=12").fetchall()
    disk.keep_account(data)
    state: Stored = {}
    names: set[str] = set()
    losses: list[tuple[dict[str, bytes], list[Stored]]] = []
    now: list[Stored] = [state]
    events = itertools.count()

    def note() -> None:
        if next(events) % stride == 0:
            losses.append((disk.after_power_loss(rng), list(now)))

    disk.on_event = note
    for again in range(4):
        for change, effect in steps(rng, f"{again}-"):
            names |= effect.keys()
            before = now[:] if may_lose_told else [state]
            now[:] = [*before, apply(state, effect, [])]
            state = apply(state, effect, change(engine))
            now[:] = [*before, state] if may_lose_told else [state]
    disk.on_event, disk.files = lambda: None, None
    engine.close()
    for number, (files, states) in enumerate(losses):
        after = root / f"after-{number}"
        after.mkdir()
        for path, content in files.items():
            (after / Path(path).name).write_bytes(content)
        sound(after, states, names)
        shutil.rmtree(after)
    print(f"{len(losses)} power losses")


if __name__ == "__main__":
    mode, folder, given_seed, step = sys.argv[1:]
    do = {
        "fail": fail,
        "lose": lose,
        "lose-spared": partial(lose, prepare=lambda engine: engine.operations.spare_syncs(), may_lose_told=True),
        "lose-unsynced": partial(lose, prepare=lambda engine: engine._store._writer.execute("PRAGMA synchronous=OFF")),
    }[mode]
    do(Disk(), Path(folder), given_seed, int(step))
