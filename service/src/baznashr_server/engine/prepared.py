"""Texts with all that can be computed before the tables are asked: done in the caller's thread, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import batched

import numpy as np

from baznashr.errors import BaznashrError
from baznashr.types import Document, SelfRepetition
from baznashr_server.engine.observer import Observer, timed
from baznashr_server.engine.validation import check_document, check_letters, check_text, errors_at
from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.may_double import may_double
from baznashr_server.judge.repetition import NOTHING, find_repetition
from baznashr_server.limits import MAX_TEXT_LETTERS
from baznashr_server.profile import FA_1, Profile
from baznashr_server.sketch.fingerprint import Sketch, fingerprints_of
from baznashr_server.store.codec import compress_all, to_micros
from baznashr_server.text.canonical import canonicalise_all

PIECE = 64
"""Documents prepared at once, which takes some 4 ms, nearly all of it compiled code; of larger pieces each costs as
much."""


@dataclass(eq=False)
class Prepared:
    document: Document
    """With an empty id where a bare text is checked."""
    text_bytes: int
    """Of the text, encoded."""
    sketch: Sketch
    repetition: SelfRepetition
    published: int | None
    """Microseconds since 1970, UTC."""
    observer: Observer
    frame: bytes | None = None
    """The text, compressed; where it is to be kept."""

    @cached_property
    def body(self) -> Body:
        """The letters to compare; made when the first candidate comes."""
        with timed(self.observer, "prepare"):
            document = self.document
            copies = self.repetition.spans
            return prepare(document.text, copies, title=document.title, source=document.source)


def prepare_documents(
    items: Sequence[str | Document],
    observer: Observer,
    profile: Profile = FA_1,
    field: str = "",
    *,
    are_kept: bool = False,
    give_way: Callable[[], None] = lambda: None,
) -> list[Prepared]:
    """Validate and fingerprint texts or documents.

    Args:
        are_kept: Whether their texts are to be kept, and so compressed.
        field: What the items are called in errors, which then name the one at fault as `field[i]`; empty names none.
        give_way: Called between pieces of the work.

    Raises:
        InvalidText: No letter or digit, over the limit, or malformed.
        InvalidDocument: An id, time or other field that cannot be stored.
    """
    valid: list[tuple[Document, bytes]] = []
    try:
        for item in items:
            give_way()
            utf8 = check_document(item) if isinstance(item, Document) else check_text(item)
            valid.append((item if isinstance(item, Document) else Document(id="", text=item), utf8))
    except BaznashrError as error:
        raise (error.at(f"{field}[{len(valid)}]") if field else error) from None
    prepared: list[Prepared] = []
    for some in batched(valid, PIECE):
        give_way()
        documents, encoded = map(list, zip(*some, strict=True))
        with timed(observer, "fingerprint"):
            made = _fingerprinted(documents, encoded, observer, profile, field and f"{field}[{{}}]", len(prepared))
        if are_kept:
            for one, frame in zip(made, compress_all(encoded), strict=True):
                one.frame = frame
        prepared += made
    return prepared


def _fingerprinted(
    documents: list[Document], encoded: list[bytes], observer: Observer, profile: Profile, place: str, first: int
) -> list[Prepared]:
    """Fingerprint valid documents; errors name them as *place*, a format for their numbers from *first* on, does."""
    bodies, headlines = ([getattr(document, name) for document in documents] for name in ("text", "title"))
    texts, titles = canonicalise_all([*bodies, *headlines]).split(len(documents))
    for number in np.flatnonzero((texts.sizes == 0) | (texts.sizes > MAX_TEXT_LETTERS)).tolist():
        with errors_at(place.format(first + number)):
            check_letters(int(texts.sizes[number]))
    doubles = may_double(texts, titles).tolist()
    prepared = []
    for number, (document, utf8, fingerprint) in enumerate(
        zip(documents, encoded, fingerprints_of(texts, profile), strict=True)
    ):
        repetition = NOTHING
        repeats, double = fingerprint.repeats_passages, doubles[number]
        if repeats or double:
            canonical = texts.of(number)
            repetition = find_repetition(
                document.text, canonical, document.title, may_repeat=repeats, may_double=double
            )
        published = None if document.published_at is None else to_micros(document.published_at)
        prepared.append(Prepared(document, len(utf8), fingerprint, repetition, published, observer))
    return prepared


def prepare_document(item: str | Document, observer: Observer, profile: Profile = FA_1) -> Prepared:
    """Validate and fingerprint one text or document, as `prepare_documents` does."""
    return prepare_documents([item], observer, profile)[0]
