"""The store's rows as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class CorpusRow:
    corpus: int
    name: str
    window_days: int
    keep_text: bool
    policy: str
    """JSON."""
    policy_revision: int
    created: int
    """Microseconds since 1970, as all times here."""
    shadow_policy: str | None = None
    """JSON; None where none is on trial."""


class DocumentRow(NamedTuple):
    row: int
    """0 before it is stored."""
    corpus: int
    id: str
    digest: bytes
    arrived: int
    published: int | None
    source: str
    title: str
    url: str
    labels: str
    """JSON."""
    text: bytes | None
    """Zstandard frame; None where the corpus keeps no text."""
    text_bytes: int
    signature: bytes
    passages: bytes
    letters: int
    indexed: int
    """How far it is in the tables: 0 not at all, 1 with its bands, 2 with its passages too."""
    cluster: int
    verdict: str
    judgement: str
    """JSON."""

    @property
    def time(self) -> int:
        """When it was published or, where that is unknown, when it arrived."""
        return self.arrived if self.published is None else self.published


class TextRow(NamedTuple):
    """What of a document never changes and is read to compare with it."""

    row: int
    id: str
    digest: bytes
    time: int
    """When it was published or, where that is unknown, when it arrived."""
    letters: int
    source: str
    title: str
    text: bytes | None
    signature: bytes
    """Empty where the text is kept."""
    judgement: str


class IndexedRow(NamedTuple):
    """What of a document is in the tables."""

    row: int
    digest: bytes
    signature: bytes
    passages: bytes
    """Empty where only its bands are there."""
    letters: int
    time: int
    """When it was published or, where that is unknown, when it arrived."""
    source: str


@dataclass(frozen=True, slots=True)
class ClusterRow:
    cluster: int
    corpus: int
    canonical: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class OverrideRow:
    corpus: int
    document_id: str
    kind: str
    target_id: str | None
    note: str
    created: int
