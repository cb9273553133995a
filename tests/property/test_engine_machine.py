"""The engine against a model that compares every text with every other, through any sequence of calls and restarts."""

import random
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from baznashr.errors import DocumentIdReused, DocumentNotFound
from baznashr.types import Document, IndexPolicy, Judgement, Override, OverrideKind, Policy, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.changes import Expire
from tests.crash.history import told
from tests.support.audit import audit_engine, audit_folder, audit_stars
from tests.support.texts import article, light_edit

FAMILIES, EDITS, WORDS = 4, 4, 40
WINDOW_DAYS = 10
START = datetime(2026, 1, 1, tzinfo=UTC)
REPEATED = 0.6
"""Jaccard similarity of any two texts of a family is above this, and of two families near zero."""


@cache
def text_of(family: int, edit: int) -> str:
    """Return an original (edit 0) or one of its light edits."""
    original = article(random.Random(f"family {family}"), WORDS)
    return light_edit(random.Random(f"edit {family} {edit}"), original) if edit else original


@cache
def shingles(text: str) -> frozenset[str]:
    letters = text.replace(" ", "")
    return frozenset(letters[at : at + 8] for at in range(len(letters) - 7))


def similarity(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


@dataclass
class Known:
    """A stored document."""

    text: str
    published: datetime
    answer: Judgement


texts = st.builds(text_of, st.integers(0, FAMILIES - 1), st.integers(0, EDITS - 1))
days = st.integers(0, 30)


class Machine(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="baznashr-"))
        self.engine = Engine.open(self.folder / "data")
        self.stored: dict[str, Known] = {}
        self.newest: datetime | None = None
        self.spoken: set[str] = set()
        self.count = self.steps = 0

    @initialize(index_policy=st.sampled_from(IndexPolicy))
    def create(self, index_policy: IndexPolicy) -> None:
        self.index_policy = index_policy
        self.engine.create_corpus("c", window_days=WINDOW_DAYS, policy=Policy(index_policy=index_policy))

    def teardown(self) -> None:
        self.engine.close()
        audit_folder(self.folder / "data")
        shutil.rmtree(self.folder)

    def new_id(self) -> str:
        self.count += 1
        return f"d{self.count}"

    @property
    def earliest(self) -> datetime:
        return (self.newest or START) - timedelta(days=WINDOW_DAYS)

    def document(self, name: str, text: str, day: int) -> Document:
        return Document(name, text, published_at=START + timedelta(days=day))

    def noted(self, document: Document, answer: Judgement) -> None:
        """Check an answer against all stored documents, and store what it is about in the model."""
        assert document.published_at is not None
        assert not answer.replayed
        self.newest = max(self.newest or START, document.published_at)
        visible = {name: known for name, known in self.stored.items() if known.published >= self.earliest}
        if document.id not in self.spoken:
            self.check_answer(document.text, answer, visible)
        assert answer.stored == (document.published_at >= self.earliest)
        if answer.stored:
            self.stored[document.id] = Known(document.text, document.published_at, answer)
        self.expire()

    def check_answer(self, text: str, answer: Judgement, visible: dict[str, Known]) -> None:
        likeness = {name: similarity(text, known.text) for name, known in visible.items()}
        if self.index_policy is IndexPolicy.ORIGINALS:
            assert (answer.verdict is Verdict.NEW) == all(like < REPEATED for like in likeness.values())
        elif any(known.text == text for known in visible.values()):
            assert answer.verdict is Verdict.EXACT
        elif any(like > REPEATED for like in likeness.values()):
            assert answer.verdict is Verdict.NEAR_DUPLICATE
        else:
            assert answer.verdict is Verdict.NEW, answer
        assert (answer.canonical_id is None) == (answer.verdict is Verdict.NEW) or self.spoken
        if answer.canonical_id is not None:
            assert similarity(text, visible[answer.canonical_id].text) > REPEATED
        for match in answer.matches:
            assert match.similarity == pytest.approx(similarity(text, visible[match.document_id].text), abs=1e-6)

    def expire(self) -> None:
        """Delete what left the window, as the engine does by itself within a second."""
        corpus = self.engine._corpora["c"]
        while self.engine._change(Expire(self.engine._store, self.engine._bodies, corpus)):
            pass
        self.stored = {name: known for name, known in self.stored.items() if known.published >= self.earliest}

    @rule(target=ids, text=texts, day=days)
    def ingest(self, text: str, day: int) -> str:
        document = self.document(self.new_id(), text, day)
        self.noted(document, self.engine.ingest(document, "c"))
        return document.id

    @rule(target=ids, items=st.lists(st.tuples(texts, days), min_size=2, max_size=5))
    def ingest_batch(self, items: list[tuple[str, int]]) -> object:
        documents = [self.document(self.new_id(), text, day) for text, day in items]
        # Within a batch nothing expires in between, so its times are made to go one way.
        latest = max(day for _, day in items)
        documents = [self.document(document.id, document.text, latest) for document in documents]
        for document, answer in zip(documents, self.engine.ingest_batch(documents, "c"), strict=True):
            self.noted(document, answer)
        return multiple(*(document.id for document in documents))

    @rule(name=ids)
    def retry(self, name: str) -> None:
        if name in self.stored:
            known = self.stored[name]
            again = self.engine.ingest(Document(name, known.text), "c")
            assert again.replayed
            assert told(again) == told(known.answer)
            assert told(self.engine.get(name, "c").judgement) == told(known.answer)

    @rule(name=ids, text=texts, day=days)
    def conflict(self, name: str, text: str, day: int) -> None:
        """A batch with an id that is taken changes nothing, its clock included."""
        if name in self.stored and text != self.stored[name].text:
            batch = [self.document(self.new_id(), text, day + 30), self.document(name, text, day)]
            with pytest.raises(DocumentIdReused) as refused:
                self.engine.ingest_batch(batch, "c")
            assert refused.value.field == "documents[1].id"

    @rule(name=ids, text=texts, day=days)
    def replace(self, name: str, text: str, day: int) -> None:
        if name in self.stored and text != self.stored[name].text:
            old = self.stored.pop(name)
            document = self.document(name, text, day)
            answer = self.engine.ingest(document, "c", replace=True)
            self.noted(document, answer)
            if not answer.stored and old.published >= self.earliest:
                self.stored[name] = old

    @rule(names=st.lists(ids, min_size=2, max_size=4), items=st.lists(texts, min_size=4, max_size=4), day=days)
    def replace_batch(self, names: list[str], items: list[str], day: int) -> None:
        """Several replaced at once, some of one cluster: what one leaves behind, the next one finds."""
        new = [name for name in dict.fromkeys(names) if name in self.stored]
        documents = [self.document(name, text, day) for name, text in zip(new, items, strict=False)]
        documents = [document for document in documents if document.text != self.stored[document.id].text]
        if not documents:
            return
        answers = self.engine.ingest_batch(documents, "c", replace=True)
        for document, answer in zip(documents, answers, strict=True):
            old = self.stored.pop(document.id)
            self.noted(document, answer)
            if not answer.stored and old.published >= self.earliest:
                self.stored[document.id] = old

    @rule(name=consumes(ids))
    def delete(self, name: str) -> None:
        assert self.engine.delete(name, "c") == (name in self.stored)
        self.stored.pop(name, None)

    @rule(text=texts)
    def check(self, text: str) -> None:
        self.check_answer(text, self.engine.check(text, "c"), self.stored)

    @rule(name=ids, other=ids, kind=st.sampled_from(OverrideKind))
    def override(self, name: str, other: str, kind: OverrideKind) -> None:
        if name in self.stored and other in self.stored and name != other:
            target = None if kind is OverrideKind.PIN_CANONICAL else other
            self.engine.override(Override(name, kind, target), "c")
            self.spoken |= {name, other}

    @rule()
    def restart(self) -> None:
        self.engine.close()
        audit_folder(self.folder / "data")
        self.engine = Engine.open(self.folder / "data")

    @invariant()
    def tables_are_those_built_from_the_rows(self) -> None:
        self.steps += 1
        if self.steps % 5 == 0:
            audit_engine(self.engine)
            audit_stars(self.engine, "c")

    @invariant()
    def counts_agree(self) -> None:
        assert self.engine.corpus_stats("c").documents == len(self.stored)
        for name in list(self.stored)[-2:]:
            assert self.engine.get(name, "c").document.text == self.stored[name].text

    @rule(name=st.just("nobody"))
    def unknown(self, name: str) -> None:
        with pytest.raises(DocumentNotFound):
            self.engine.get(name, "c")


@pytest.mark.timeout(3600)
def test_engine_agrees_with_the_model(long: bool) -> None:
    """Ingest, retry, replace, delete, override, expiry, late articles and restarts leave what the model says."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            # The short form runs the same examples each time; new ones are sought by the long form alone.
            derandomize=not long,
            max_examples=1000 if long else 10,
            stateful_step_count=50 if long else 25,
            suppress_health_check=list(HealthCheck),
        ),
    )
