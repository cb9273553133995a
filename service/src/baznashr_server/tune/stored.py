"""What a data folder teaches: an editor's overrides as labelled pairs, and a sample of a corpus.

The folder must have no other owner: a stopped server's, or one restored from a backup.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from baznashr.types import Document, Judgement, OverrideKind, Policy
from baznashr_server.engine.records import document_from_row, judgement_from_row, policy_from_json
from baznashr_server.profile import PROFILES
from baznashr_server.store.folder import DATABASE, DataFolder
from baznashr_server.store.rows import CorpusRow, DocumentRow
from baznashr_server.store.store import Store
from baznashr_server.tune.data import Pair, TuneError

_ALL_TIMES = (-(2**63), 2**63 - 1)
SAMPLED = "SAMPLED"
"""The label of pairs that nobody has read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document of a corpus, with its judgement as it was given."""

    document: Document
    judgement: Judgement


class StoredCorpus:
    def __init__(self, store: Store, row: CorpusRow) -> None:
        self._store = store
        self._row = row

    @property
    def policy(self) -> Policy:
        return policy_from_json(self._row.policy)

    def _stored(self, row: DocumentRow) -> Stored:
        return Stored(
            document_from_row(row), judgement_from_row(row, self._row.name, self._store.profile.name, replayed=False)
        )

    def get(self, document_id: str) -> Stored | None:
        row = self._store.document(self._row.corpus, document_id)
        return None if row is None else self._stored(row)

    def sample(self, size: int, seed: int) -> Iterator[Stored]:
        """Yield up to *size* documents drawn at random, in order of arrival."""
        rows = sorted(self._store.matching(self._row.corpus, None, *_ALL_TIMES))
        for number in sorted(random.Random(seed).sample(rows, min(size, len(rows)))):  # noqa: S311 - no secret
            row = self._store.document_at(number)
            if row is not None:
                yield self._stored(row)

    def labelled_pairs(self) -> list[Pair]:
        """Return what editors said, as pairs of the earlier document and the one spoken of.

        "Repeat of X" is a yes. "Not a repeat" is a no, of the target or, where none was named, of every stored match
        that had made the document repeated. A pinned canonical says nothing of repetition.
        """
        pairs = []
        for override in self._store.overrides(self._row.corpus):
            repeated = override.kind == OverrideKind.REPEAT_OF
            if override.kind == OverrideKind.PIN_CANONICAL:
                continue
            targets = [override.target_id] if override.target_id else self._repeated_matches(override.document_id)
            pairs += [Pair(target, override.document_id, True, override.kind, repeated) for target in targets]
        return pairs

    def _repeated_matches(self, document_id: str) -> list[str]:
        stored = self.get(document_id)
        if stored is None:
            return []
        return [
            match.document_id for match in stored.judgement.matches if match.verdict in self.policy.repeated_verdicts
        ]


@contextmanager
def opened(path: Path, corpus: str) -> Iterator[StoredCorpus]:
    """Open a corpus of a data folder to read it.

    Raises:
        TuneError: There is no data folder, or it has no such corpus.
        DataFolderInUse, StoreError: As in opening an engine.
    """
    if not (path / DATABASE).is_file():
        raise TuneError(f"{path} is no data folder")
    folder = DataFolder.acquire(path)
    try:
        store = Store(folder, *PROFILES)
        try:
            row = next((row for row in store.corpora() if row.name == corpus), None)
            if row is None:
                raise TuneError(f"{path} has no corpus {corpus}")
            yield StoredCorpus(store, row)
        finally:
            store.close()
    finally:
        folder.release()


def with_texts(corpus: StoredCorpus, pairs: list[Pair]) -> tuple[list[Pair], list[Document]]:
    """Return those pairs whose texts are both still stored, and the documents."""
    documents: dict[str, Document] = {}
    for name in {name for pair in pairs for name in (pair.a, pair.b)}:
        stored = corpus.get(name)
        if stored is not None and stored.document.text:
            documents[name] = stored.document
    kept = [pair for pair in pairs if pair.a in documents and pair.b in documents]
    used = sorted({name for pair in kept for name in (pair.a, pair.b)})
    return kept, [documents[name] for name in used]
