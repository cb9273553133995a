"""The values that callers exchange with Baznashr, in process and over the wire.

Everything here is immutable, compares by value, and depends on the standard library alone. All text positions
count Unicode code points of the text as it was given; ends are exclusive. All times are aware datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

DEFAULT_CORPUS = "default"
"""The corpus that always exists."""


class Verdict(str, Enum):
    """What a text is to the articles already stored, in order of precedence."""

    EXACT = "EXACT"
    """The canonical text is that of a stored article, letter by letter."""
    NEAR_DUPLICATE = "NEAR_DUPLICATE"
    """The same article, edited: headline, byline, footer, a typo, a few sentences."""
    EXCERPT = "EXCERPT"
    """Wholly inside one stored article, and of enough substance to say so."""
    EXTENDED = "EXTENDED"
    """Holds a stored article and adds substance."""
    TEMPLATE = "TEMPLATE"
    """A recurring report: the wording of a stored article with other facts."""
    OVERLAP = "OVERLAP"
    """Shares long passages with stored articles."""
    NEW = "NEW"
    """Nothing comparable is stored."""

    __str__ = str.__str__


class RepetitionKind(str, Enum):
    """How a text repeats itself."""

    WHOLE_TEXT = "WHOLE_TEXT"
    """The article, or nearly all of it, comes twice."""
    PARAGRAPH = "PARAGRAPH"
    """A paragraph comes twice."""
    HEADLINE = "HEADLINE"
    """The headline comes at least twice inside the body."""

    __str__ = str.__str__


class IndexPolicy(str, Enum):
    """Which accepted documents later texts are compared with."""

    ALL = "ALL"
    """Every document but exact copies."""
    ORIGINALS = "ORIGINALS"
    """Only documents that were not judged as repeated."""

    __str__ = str.__str__


class OverrideKind(str, Enum):
    """What an editor says against the rules."""

    REPEAT_OF = "REPEAT_OF"
    """The document repeats the target."""
    NOT_REPEAT = "NOT_REPEAT"
    """The document is no repeat, of the target or, without a target, of anything."""
    PIN_CANONICAL = "PIN_CANONICAL"
    """The document is the canonical one of its cluster, whatever its time; there is no target."""

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Document:
    """An article as a pipeline holds it before storage."""

    id: str
    """Chosen by the caller, unique in its corpus: 1 to 256 bytes of UTF-8 without control characters."""
    text: str
    """The body, as it arrived; with at least one letter or digit."""
    title: str = ""
    source: str = ""
    """The publisher, such as a host name; ranks and boilerplate are kept by source."""
    url: str = ""
    published_at: datetime | None = None
    """When it was published; the arrival time stands in where it is unknown."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class StoredId:
    """Names a stored document where a text could stand, as in ``compare(StoredId("a1"), text)``."""

    id: str
    corpus: str = DEFAULT_CORPUS


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text: code points, end exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MatchedSpan:
    """A stretch of the judged text and the stretch of the stored text that it repeats."""

    start: int
    end: int
    stored_start: int
    stored_end: int


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A number, weekday or month that differs where the wording around it agrees."""

    old: str
    """As the stored text writes it; empty where it has none."""
    new: str
    """As the judged text writes it; empty where it has none."""
    context: str
    """The words around it in the judged text."""


@dataclass(frozen=True, slots=True)
class Match:
    """One stored document that the judged text was compared with."""

    document_id: str
    similarity: float
    """Jaccard similarity of the two sets of shingles, 0 to 1."""
    containment: float
    """Share of the judged text's shingles that the stored text holds too."""
    reverse_containment: float
    """Share of the stored text's shingles that the judged text holds too."""
    covered: float = 0.0
    """Share of the judged text's letters that lie in the matched spans."""
    numbers_changed: tuple[NumberChange, ...] = ()
    verified: bool = True
    """Compared on the stored text; false where only the signatures could be compared."""
    spans: tuple[MatchedSpan, ...] = ()
    """Ordered by start, merged; empty in replayed answers (ask ``compare`` for them)."""
    verdict: Verdict = Verdict.NEW
    """What the judged text would be if this were the only stored document."""
    reason: str = ""
    """The rule that gave this match its verdict."""


@dataclass(frozen=True, slots=True)
class SelfRepetition:
    """How far a text repeats itself."""

    share: float = 0.0
    """Letters in second and later copies, divided by all letters."""
    kinds: tuple[RepetitionKind, ...] = ()
    spans: tuple[Span, ...] = ()
    """The second and later copies."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a check, an ingest or a comparison."""

    verdict: Verdict
    repeated: bool
    """Whether the corpus's policy treats the verdict as repeated content."""
    reason: str
    """The rule that decided, in UPPER_SNAKE_CASE; stable across releases."""
    document_id: str = ""
    """The judged document; empty for a bare text."""
    corpus: str = DEFAULT_CORPUS
    canonical_id: str | None = None
    """The stored document this one repeats, compared with it directly; None where it repeats none."""
    related_cluster_id: str | None = None
    """The cluster of the best match where the judged document is no member of it."""
    matches: tuple[Match, ...] = ()
    """Best first."""
    new_share: float = 1.0
    """Share of the text's letters that no match covers."""
    self_repetition: SelfRepetition = field(default_factory=SelfRepetition)
    replayed: bool = False
    """True where this id with this text was judged before and the first answer is given again."""
    stored: bool = False
    """Whether the document is stored; false for checks and for ingests older than the corpus's window."""
    profile: str = ""
    """Everything that changes bits: normaliser, shingles, signature, bands, passages."""
    policy: str = ""
    """The version of everything that only changes verdicts."""
    digest: str = ""
    """Digest of the canonical text, 32 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as the store holds it."""

    document: Document
    """With an empty text where the corpus keeps none."""
    judgement: Judgement
    """As it was given at ingest, without spans."""
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class ClusterMember:
    document_id: str
    verdict: Verdict
    similarity: float
    """With the canonical document, as of judging."""
    source: str = ""
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A star: every member was compared with the canonical document directly."""

    cluster_id: str
    canonical_id: str
    members: tuple[ClusterMember, ...]
    """The canonical document first, then in order of arrival."""
    total: int
    """Members in all, of which ``members`` may be the first page."""


@dataclass(frozen=True, slots=True)
class Override:
    """An editor's word, which wins over the rules."""

    document_id: str
    kind: OverrideKind
    target_id: str | None = None
    note: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the rules draw their lines; all are shares, 0 to 1, unless said otherwise."""

    near_duplicate: float = 0.7
    """Least similarity of a near duplicate where no text is kept to compare."""
    covered: float = 0.8
    """Least share of the judged text that a stored text must cover for it to be a near duplicate or an excerpt."""
    same_article: float = 0.6
    """Least share of the stored text that a near duplicate covers; one that covers less is an excerpt."""
    extended: float = 0.8
    """Least share of the stored text that a text must cover to extend it."""
    numbers_changed: float = 0.15
    """Share of the compared numbers from which changed ones make a recurring report."""
    template: float = 0.35
    """Least share of either text that a recurring report has in common with the one before."""
    passage_letters: int = 80
    """Letters of shared passages, long runs only, that make an overlap or lend substance to an excerpt."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything of a corpus that changes verdicts and not bits."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    repeated_verdicts: tuple[Verdict, ...] = (Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT)
    index_policy: IndexPolicy = IndexPolicy.ALL
    source_ranks: tuple[str, ...] = ()
    """Sources, the most trusted first; it breaks ties of publish time when a cluster's canonical is chosen."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A separate collection of documents; texts are compared within one corpus only."""

    name: str
    """1 to 64 characters of a-z, 0-9, '-' and '_', the first a letter or digit."""
    window_days: int = 0
    """Documents published earlier than this before the newest are neither matched nor kept; 0 keeps all."""
    keep_text: bool = True
    """Without texts only signatures can be compared, and matches are not verified."""
    policy: Policy = field(default_factory=Policy)
    policy_version: str = ""
    created_at: datetime | None = None
    shadow_policy: Policy | None = None
    """A second policy on trial: every text is judged by it too, answers never are, and differences are kept to read."""


@dataclass(frozen=True, slots=True)
class ShadowDifference:
    """A judgement that a corpus's shadow policy would have given otherwise."""

    document_id: str
    """Empty for a bare text."""
    matched_id: str | None
    """The stored document that the judgement rests on or, where that is none, the one that the shadow's rests on."""
    verdict: Verdict
    """As answered, like the next two."""
    repeated: bool
    reason: str
    shadow_verdict: Verdict
    shadow_repeated: bool
    shadow_reason: str
    at: datetime
    """When it was judged."""


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """A stretch of text that a corpus has learned to be boilerplate: so many stories hold it that it says nothing."""

    text: str
    """As the first document that holds it writes it; empty where the corpus keeps no text."""
    documents: int
    """That hold it, copies of one story counted once; where it is the whole corpus's, 50 stands for all above too."""
    source: str
    """Whose it is; empty where it is the whole corpus's."""
    document_id: str
    """The first document that holds it."""


@dataclass(frozen=True, slots=True)
class CorpusStats:
    corpus: str
    documents: int
    """Stored."""
    indexed_documents: int
    """Compared with: those stored but exact copies and what the index policy leaves out."""
    clusters: int
    """With at least two members."""
    verdicts: Mapping[str, int]
    """Stored documents by the verdict they were given."""
    self_repeating: int
    text_bytes: int
    """Of the original texts, as UTF-8."""
    stored_bytes: int
    """Of the compressed texts."""
    memory_bytes: int
    """Of the tables in memory."""
    profile: str
    newest_published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    version: str
    """The release it runs."""
    profile: str
    started_at: datetime
    """When the process began to serve."""
    corpora: int
    documents: int
    """Stored, in all corpora."""
    memory_bytes: int
    """Of the tables in memory, in all corpora."""
    read_only_reason: str | None = None
    """Why the server takes no writes; None while it takes them."""


@dataclass(frozen=True, slots=True)
class Backup:
    path: str
    """Of the file, on the server's machine."""
    size_bytes: int
