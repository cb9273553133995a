"""How the command shows answers to people."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from baznashr.cli._printing import field_below_item
from baznashr.errors import BaznashrError
from baznashr.types import Corpus, CorpusStats, Judgement, Match, ServerStatus, Verdict

MAX_MATCHES = 3
MAX_NUMBERS = 5
SNIPPET_CHARACTERS = 72

# First strong isolate and pop directional isolate: the terminal then orders a Persian snippet by itself, and what
# stands around it stays in place.
_FSI, _PDI = "\u2068", "\u2069"

_STYLES = {
    Verdict.EXACT: "red",
    Verdict.NEAR_DUPLICATE: "red",
    Verdict.EXCERPT: "red",
    Verdict.EXTENDED: "yellow",
    Verdict.TEMPLATE: "yellow",
    Verdict.OVERLAP: "yellow",
    Verdict.NEW: "green",
}


def isolated(text: str, limit: int = SNIPPET_CHARACTERS) -> str:
    """Make *text* fit for a line among others: one line, cut to *limit*, no control marks, isolated in direction.

    Joiners stay, since Persian words need them; overrides, isolates and terminal escapes go.
    """
    clean = printable(" ".join(text.split()))
    if len(clean) > limit:
        clean = clean[: limit - 1] + "…"
    return f"{_FSI}{clean}{_PDI}" if clean else ""


def printable(text: str) -> str:
    """Return *text* without what moves a terminal's cursor or turns its direction; lines and joiners stay.

    Bytes of a file's name that are no UTF-8 are shown as escapes.
    """
    text = text.encode(errors="backslashreplace").decode()
    return "".join(c for c in text if c in "\n\u200c\u200d" or not unicodedata.category(c).startswith("C"))


class TextPrinter:
    """Prints for people: a line for each answer, and below it what speaks for it."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(highlight=False, soft_wrap=True, stderr=True)

    def judgement(self, name: str, text: str, judgement: Judgement) -> None:
        head = Text(isolated(judgement.document_id or name))
        head.append("  ").append(judgement.verdict.value, _STYLES[judgement.verdict])
        head.append("  repeated" if judgement.repeated else "")
        head.append("  replayed" if judgement.replayed else "")
        head.append(f"  {judgement.reason}", "dim")
        self._out.print(head)
        for label, detail in _details(text, judgement):
            self._out.print(Text(f"    {label:<11}").append(detail))

    def error(self, name: str, error: BaznashrError) -> None:
        field = field_below_item(error)
        where = f" ({field})" if field else ""
        reason = f"  {error.reason}{where}: {error.message}"
        self._err.print(Text(isolated(name)).append("  refused", "red").append(reason))

    def sums(self, verdicts: Mapping[str, int], repeated: int, refused: int) -> None:
        for verdict in Verdict:
            if count := verdicts.get(verdict.value):
                self._out.print(Text(f"{count:>12,}  ").append(verdict.value, _STYLES[verdict]))
        self._out.print(Text(f"{sum(verdicts.values()):>12,}  answered, {repeated:,} of them repeated"))
        if refused:
            self._out.print(Text(f"{refused:>12,}  ").append("refused", "red"))

    def corpora(self, corpora: Iterable[Corpus]) -> None:
        table = Table("corpus", "window", "texts", "created", box=None, pad_edge=False)
        for corpus in corpora:
            window = f"{corpus.window_days} days" if corpus.window_days else "none"
            table.add_row(corpus.name, window, "kept" if corpus.keep_text else "not kept", _day(corpus.created_at))
        self._out.print(table, soft_wrap=False)

    def status(self, status: ServerStatus | None, corpora: Iterable[CorpusStats] | None) -> None:
        if status is not None:
            self._server(status)
        if corpora is not None:
            self._stats(corpora)

    def _server(self, status: ServerStatus) -> None:
        mode = f"read-only: {status.read_only_reason}" if status.read_only_reason else "ingesting"
        self._out.print(Text(f"baznashr-server {status.version}  profile {status.profile}  {mode}"))
        self._out.print(Text(f"since {status.started_at.isoformat(timespec='seconds')}  {_size(status.memory_bytes)}"))

    def _stats(self, corpora: Iterable[CorpusStats]) -> None:
        columns = ["documents", "indexed", "clusters", "texts", "stored", "memory"]
        table = Table("corpus", *columns, box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for stats in corpora:
            counts = (stats.documents, stats.indexed_documents, stats.clusters)
            sizes = (stats.text_bytes, stats.stored_bytes, stats.memory_bytes)
            table.add_row(stats.corpus, *(f"{number:,}" for number in counts), *map(_size, sizes))
        self._out.print(table, soft_wrap=False)


def _details(text: str, judgement: Judgement) -> Iterator[tuple[str, str]]:
    if judgement.canonical_id is not None:
        yield "repeats", isolated(judgement.canonical_id)
    if judgement.related_cluster_id is not None:
        yield "related to", isolated(judgement.related_cluster_id)
    for match in judgement.matches[:MAX_MATCHES]:
        yield "match", _match(match)
        for change in match.numbers_changed[:MAX_NUMBERS]:
            yield (
                "  number",
                f"{isolated(change.old) or '-'} → {isolated(change.new) or '-'}  {isolated(change.context)}",
            )
        if match.spans:
            longest = max(match.spans, key=lambda span: span.end - span.start)
            yield "  shared", isolated(text[longest.start : longest.end])
    if judgement.matches:
        yield "new share", f"{judgement.new_share:.0%}"
    itself = judgement.self_repetition
    if itself.kinds:
        yield "itself", f"{', '.join(kind.value for kind in itself.kinds)} {itself.share:.0%}"
        for span in itself.spans[:MAX_MATCHES]:
            yield "  again", isolated(text[span.start : span.end])


def _match(match: Match) -> str:
    verified = "" if match.verified else "  not verified"
    shares = f"similarity {match.similarity:.2f}  contained {match.containment:.2f}/{match.reverse_containment:.2f}"
    other = isolated(match.document_id) or "the earlier text"
    return f"{other}  {match.verdict.value}  {shares}{verified}"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _day(time: datetime | None) -> str:
    return time.date().isoformat() if time else ""
