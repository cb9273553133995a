"""A text with all that can be computed before the tables are asked: done in the caller's thread, in parallel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from baznashr.types import Document
from baznashr_server.engine.observer import Observer, timed
from baznashr_server.engine.validation import check_document, check_letters, check_text
from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.repetition import Repetition, find_repetition
from baznashr_server.profile import FA_1, Profile
from baznashr_server.sketch.fingerprint import Fingerprint, fingerprint_of
from baznashr_server.store.codec import to_micros
from baznashr_server.text.canonical import Canonical, canonicalise


@dataclass(frozen=True, eq=False)
class Prepared:
    document: Document
    """With an empty id where a bare text is checked."""
    fingerprint: Fingerprint
    repetition: Repetition
    published: int | None
    """Microseconds since 1970, UTC."""
    observer: Observer

    @cached_property
    def body(self) -> Body:
        """The letters to compare; made when the first candidate comes."""
        with timed(self.observer, "prepare"):
            document = self.document
            canonical = Canonical(self.fingerprint.letters, self.fingerprint.offsets)
            copies = self.repetition.copies
            return prepare(document.text, canonical, copies, title=document.title, source=document.source)


def prepare_document(item: str | Document, observer: Observer, profile: Profile = FA_1) -> Prepared:
    """Validate and fingerprint a text or document.

    Raises:
        InvalidText: No letter or digit, over the limit, or malformed.
        InvalidDocument: An id, time or other field that cannot be stored.
    """
    if isinstance(item, Document):
        check_document(item)
        document = item
    else:
        check_text(item)
        document = Document(id="", text=item)
    with timed(observer, "fingerprint"):
        canonical = canonicalise(document.text)
        check_letters(canonical.letters.size)
        made = fingerprint_of(canonical, profile)
        repetition = find_repetition(document.text, canonical, document.title, may_repeat=made.repeats_passages)
    published = None if document.published_at is None else to_micros(document.published_at)
    return Prepared(document, made, repetition, published, observer)
