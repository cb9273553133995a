"""Texts of the few articles that are shown, cut into pieces that are shaded or not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from baznashr.types import Document, Match, Thresholds
from baznashr_server.engine.findings import match_of
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import prepare_document
from baznashr_server.judge.pair import TextPair

MOST = 4000
"""Characters shown of a text."""
WHOLE = 1200
"""Characters up to which a text is shown whole."""
AROUND = 200
"""Characters left at either end of a long piece, shaded or not, whose middle is left out: what counts is where shading
begins and ends."""
LINES = re.compile(r"(\s*\n\s*)")
Span = tuple[int, int]


class Piece(NamedTuple):
    text: str
    shaded: bool
    left_out: int = 0
    """Characters left out in its place."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts side by side; what they share is shaded."""

    earlier: Document
    later: Document
    earlier_pieces: list[Piece]
    later_pieces: list[Piece]
    match: Match

    @property
    def plain(self) -> list[Piece]:
        """The earlier text without shading."""
        return pieces(self.earlier.text, ())


def pieces(text: str, spans: Iterable[Span]) -> list[Piece]:
    """Cut a text where shading begins and ends, and leave out of a long one what is far from any such place."""
    cut: list[Piece] = []
    end = 0
    for start, stop in sorted(spans):
        first = max(start, end)
        if stop <= first:
            continue
        cut += [Piece(text[end:first], False), Piece(text[first:stop], True)]
        end = stop
    cut.append(Piece(text[end:], False))
    cut = [piece for piece in cut if piece.text]
    return [line for piece in (cut if len(text) <= WHOLE else _shortened(cut)) for line in _by_line(piece)]


def _by_line(piece: Piece) -> list[Piece]:
    """Leave line breaks unshaded, and more than one empty line out."""
    parts = LINES.split(piece.text)
    if len(parts) == 1:
        return [piece]
    found = []
    for number, part in enumerate(parts):
        if number % 2:
            found.append(Piece("\n\n" if part.count("\n") > 1 else "\n", False))
        elif part:
            found.append(Piece(part, piece.shaded))
    return found


def _shortened(cut: list[Piece]) -> list[Piece]:
    kept: list[Piece] = []
    left = MOST
    for number, piece in enumerate(cut):
        if left <= 0:
            kept.append(Piece("", False, sum(len(rest.text) for rest in cut[number:])))
            break
        if len(piece.text) <= 3 * AROUND:
            kept.append(piece)
            left -= len(piece.text)
            continue
        head, tail = _to_word(piece.text[:AROUND]), _from_word(piece.text[-AROUND:])
        gap = len(piece.text) - len(head) - len(tail)
        ends = [Piece(head, piece.shaded), Piece("", piece.shaded, gap), Piece(tail, piece.shaded)]
        kept += ends
        left -= 2 * AROUND
    return kept


def _to_word(text: str) -> str:
    """Cut at the last blank, so that no word is broken."""
    return text[: text.rfind(" ") + 1] or text


def _from_word(text: str) -> str:
    return text[text.find(" ") :] if " " in text else text


def compared(earlier: Document, later: Document) -> Pair:
    """Compare two documents as the judge does, all learned boilerplate left aside."""
    first, second = (prepare_document(document, Silence()) for document in (earlier, later))
    same = first.sketch.digest_bytes == second.sketch.digest_bytes
    pair = TextPair(second.body, first.body)
    match = match_of(earlier.id, pair.ruling(Thresholds(), same_text=same), pair.comparison)
    return Pair(
        earlier,
        later,
        pieces(earlier.text, [(span.stored_start, span.stored_end) for span in match.spans]),
        pieces(later.text, [(span.start, span.end) for span in match.spans]),
        match,
    )
