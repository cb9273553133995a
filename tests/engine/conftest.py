"""Corpora for the engine's tests: one engine a module, a corpus of its own for each test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from baznashr.types import Cluster, Document, Judgement, Override, OverrideKind, Policy
from baznashr_server.engine import Engine


@dataclass(frozen=True)
class Shelf:
    """One corpus of an engine."""

    engine: Engine
    name: str
    _ids: Iterator[int] = field(default_factory=count)

    def put(self, text: str, document_id: str = "", *, replace: bool = False, **fields: Any) -> Judgement:
        """Ingest a text, under a new id where none is given."""
        document = Document(document_id or f"d{next(self._ids)}", text, **fields)
        return self.engine.ingest(document, self.name, replace=replace)

    def check(self, item: str | Document) -> Judgement:
        """Check a text or a document."""
        return self.engine.check(item, self.name)

    def cluster(self, document_id: str) -> Cluster:
        """Return the cluster of a document."""
        return self.engine.list_cluster(document_id, self.name)

    def members(self, document_id: str) -> list[str]:
        """Return the ids of a cluster's members, the canonical one first."""
        return [member.document_id for member in self.cluster(document_id).members]

    def delete(self, document_id: str) -> bool:
        """Delete a document."""
        return self.engine.delete(document_id, self.name)

    def override(self, document_id: str, kind: OverrideKind, target: str | None = None) -> Override:
        """Store an editor's word."""
        return self.engine.override(Override(document_id, kind, target), self.name)

    @property
    def documents(self) -> int:
        """How many documents are stored."""
        return self.engine.corpus_stats(self.name).documents

    @property
    def indexed(self) -> int:
        """How many of them are compared with."""
        return self.engine.corpus_stats(self.name).indexed_documents


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an engine that the tests of a module share."""
    with Engine.open(tmp_path_factory.mktemp("engine") / "data") as opened:
        yield opened


NewShelf = Callable[..., Shelf]


@pytest.fixture
def new_shelf(shared_engine: Engine) -> NewShelf:
    """Return a function that makes an empty corpus with the settings it is given."""

    def make(*, policy: Policy | None = None, **settings: Any) -> Shelf:
        name = f"corpus{len(shared_engine.list_corpora())}"
        shared_engine.create_corpus(name, policy=policy, **settings)
        return Shelf(shared_engine, name)

    return make


@pytest.fixture
def shelf(new_shelf: NewShelf) -> Shelf:
    """Return an empty corpus with the default policy."""
    return new_shelf()
