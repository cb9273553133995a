"""A corpus in memory: its tables, its policy and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from baznashr.types import IndexPolicy, Policy, ShadowDifference
from baznashr_server.engine.recent import Recent
from baznashr_server.engine.records import policy_from_json, policy_version
from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import CorpusIndex
from baznashr_server.index.lookup import NO_TIME
from baznashr_server.limits import MAX_SHADOW_DIFFERENCES
from baznashr_server.store.rows import CorpusRow, DocumentRow

NOT_INDEXED, WITH_BANDS, WITH_PASSAGES = 0, 1, 2
"""How far a document is in the tables. Only the heads of clusters have their passages indexed: copies of one story
must not make its passages look like boilerplate."""

DAY_MICROS = 86_400 * 1_000_000


def now_micros() -> int:
    return time.time_ns() // 1000


def entry_of(row: DocumentRow) -> Entry:
    """Return what the tables keep of a stored document."""
    return Entry(
        row=row.row,
        digest=row.digest,
        signature=row.signature,
        passages=row.passages if row.indexed == WITH_PASSAGES else b"",
        letters=row.letters,
        published=row.time,
        source=row.source,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What a corpus judges by: replaced as one, and read once for a judgement, so that none mixes two policies."""

    policy: Policy = field(default_factory=Policy)
    version: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A shadow policy, and what it judged otherwise."""

    policy: Policy
    differences: Recent[ShadowDifference] = field(default_factory=lambda: Recent(MAX_SHADOW_DIFFERENCES))


@dataclass(eq=False)
class LoadedCorpus:
    """A corpus at hand; its tables are filled when they are first asked for, and again after they were unloaded."""

    row: CorpusRow
    fill: Callable[[CorpusRow], CorpusIndex] = lambda _: CorpusIndex()
    """Makes the tables of what is stored. While it runs the corpus does not change: whoever changes it, which is the
    writer alone, asks for its tables before."""
    newest: int | None = None
    """The clock: the newest publish time seen, never ahead of the wall clock when it came."""
    documents: int = 0
    rules: Rules = field(init=False)
    trial: Trial | None = field(init=False, default=None)
    """None without a shadow policy."""
    tables: CorpusIndex | None = field(init=False, default=None)
    """None while they are not in memory."""
    last_used: float = field(init=False, default=0.0)
    """By the monotonic clock."""
    _filling: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self.change(self.row)

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def policy(self) -> Policy:
        return self.rules.policy

    @property
    def leads_beyond_window(self) -> bool:
        """Whether a document that has left the window may be all that leads to those of its cluster that have not."""
        return bool(self.row.window_days) and self.policy.index_policy is IndexPolicy.ORIGINALS

    @property
    def index(self) -> CorpusIndex:
        """The tables, in memory from now on."""
        self.last_used = time.monotonic()
        tables = self.tables
        if tables is None:
            with self._filling:
                tables = self.tables
                if tables is None:
                    tables = self.tables = self.fill(self.row)
        return tables

    @property
    def memory_bytes(self) -> int:
        """Of the tables; 0 while they are not in memory."""
        return 0 if self.tables is None else self.tables.memory_bytes

    def unload(self) -> None:
        """Let go of the tables; for the writer's thread alone, between transactions."""
        with self._filling:
            self.tables = None

    def change(self, row: CorpusRow) -> None:
        self.row = row
        self.rules = Rules(policy_from_json(row.policy), policy_version(row))
        shadow = None if row.shadow_policy is None else policy_from_json(row.shadow_policy)
        if shadow != (self.trial and self.trial.policy):
            self.trial = None if shadow is None else Trial(shadow)

    def tick(self, published: int, now: int) -> None:
        """Move the clock to a publish time just seen."""
        capped = min(published, now)
        if self.newest is None or capped > self.newest:
            self.newest = capped

    def set_clock(self, newest: int | None) -> None:
        """Put the clock where it was before a change that is taken back."""
        self.newest = newest

    def earliest(self) -> int:
        """Return the publish time before which documents are neither matched nor kept."""
        if not self.row.window_days or self.newest is None:
            return NO_TIME
        return self.newest - self.row.window_days * DAY_MICROS
