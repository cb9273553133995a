"""Refuses what cannot be judged or stored, naming the field and the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from baznashr.errors import BaznashrError, InvalidArgument, InvalidBatch, InvalidCorpus, InvalidDocument, InvalidText
from baznashr.types import Document, Override, OverrideKind, Policy
from baznashr_server import limits

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _encode(text: str, field: str, error: type[InvalidText | InvalidDocument]) -> bytes:
    if not isinstance(text, str):
        raise error(f"The value must be a string, not {type(text).__name__}.", field=field)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise error("The value holds a lone surrogate, which is no character.", field=field) from None


def check_text(text: str) -> bytes:
    """Return a text as UTF-8; refuse one over the limit or with lone surrogates.

    Whether it has letters its fingerprint tells.
    """
    utf8 = _encode(text, "text", InvalidText)
    size = len(utf8)
    if size > limits.MAX_TEXT_BYTES:
        raise InvalidText(
            f"The text has {size} bytes as UTF-8, and {limits.MAX_TEXT_BYTES} are the most.",
            reason="TEXT_TOO_LARGE",
            field="text",
            metadata={"bytes": str(size), "limit": str(limits.MAX_TEXT_BYTES)},
        )
    return utf8


def check_letters(letters: int) -> None:
    """Refuse a text whose canonical form is empty, or longer than any text of the greatest size should have.

    A ligature such as U+FDFD becomes 19 letters; a text of them would cost twenty times what its size promises.
    """
    if not letters:
        raise InvalidText("The text has no letter and no digit.", reason="EMPTY_TEXT", field="text")
    if letters > limits.MAX_TEXT_LETTERS:
        raise InvalidText(
            f"The text has {letters} letters in its canonical form, and {limits.MAX_TEXT_LETTERS} are the most.",
            reason="TEXT_TOO_LARGE",
            field="text",
            metadata={"letters": str(letters), "limit": str(limits.MAX_TEXT_LETTERS)},
        )


def check_id(document_id: str, field: str = "id") -> None:
    """Refuse an id that is missing, too long, or holds control characters."""
    try:
        size = len(_encode(document_id, field, InvalidDocument))
    except InvalidDocument as error:
        error.reason = "INVALID_DOCUMENT_ID"
        raise
    fault = ""
    if not size:
        fault = "The id is missing."
    elif size > limits.MAX_ID_BYTES:
        fault = f"The id has {size} bytes as UTF-8, and {limits.MAX_ID_BYTES} are the most."
    elif _CONTROL.search(document_id):
        fault = "The id holds control characters."
    if fault:
        raise InvalidDocument(fault, reason="INVALID_DOCUMENT_ID", field=field)


def _check_field(value: str, field: str, most: int = limits.MAX_FIELD_BYTES) -> None:
    size = len(_encode(value, field, InvalidDocument))
    if size > most:
        raise InvalidDocument(f"The value has {size} bytes as UTF-8, and {most} are the most.", field=field)


def check_time(time: datetime | None) -> None:
    """Refuse a naive or an absurd time of publication."""
    if time is None:
        return
    fault = ""
    if not isinstance(time, datetime):
        fault = f"The publish time must be a datetime, not {type(time).__name__}."
    elif time.tzinfo is None:
        fault = "The publish time has no time zone."
    elif time.year < limits.EARLIEST_PUBLISHED_YEAR:
        fault = (
            f"The publish time lies before {limits.EARLIEST_PUBLISHED_YEAR}; "
            "dates of the Jalali calendar must be converted first."
        )
    elif time > datetime.now(UTC) + timedelta(days=limits.MAX_FUTURE_DAYS):
        fault = f"The publish time lies more than {limits.MAX_FUTURE_DAYS} days ahead."
    if fault:
        raise InvalidDocument(fault, reason="INVALID_PUBLISHED_AT", field="published_at")


def _is_plain(document: Document) -> bool:
    """Whether id and fields are seen at a glance to be short and well-formed, and there are no labels, as mostly."""
    try:
        fields = document.title + document.source + document.url
        fields.encode()
        return (
            document.id.isprintable()
            and 0 < 4 * len(document.id) <= limits.MAX_ID_BYTES
            and 4 * len(fields) <= limits.MAX_FIELD_BYTES
            and not document.labels
        )
    except (TypeError, AttributeError, UnicodeEncodeError):  # which is told of the field that it is about
        return False


def check_document(document: Document) -> bytes:
    """Return a document's text as UTF-8; refuse one that cannot be stored, for whatever but its lack of letters."""
    if _is_plain(document):
        utf8 = check_text(document.text)
        check_time(document.published_at)
        return utf8
    check_id(document.id)
    utf8 = check_text(document.text)
    for field in ("title", "source", "url"):
        _check_field(getattr(document, field), field)
    check_time(document.published_at)
    if len(document.labels) > limits.MAX_LABELS:
        raise InvalidDocument(f"The document has more than {limits.MAX_LABELS} labels.", field="labels")
    for key, value in document.labels.items():
        _check_field(key, "labels", limits.MAX_LABEL_BYTES)
        _check_field(value, f"labels[{key!r}]", limits.MAX_LABEL_BYTES)
    return utf8


def check_batch_size(size: int, field: str) -> None:
    if not size:
        raise InvalidBatch("The batch is empty.", reason="EMPTY_BATCH", field=field)
    if size > limits.MAX_BATCH_DOCUMENTS:
        raise InvalidBatch(
            f"The batch has {size} entries, and {limits.MAX_BATCH_DOCUMENTS} are the most.",
            field=field,
            metadata={"size": str(size), "limit": str(limits.MAX_BATCH_DOCUMENTS)},
        )


def check_ids_distinct(documents: Sequence[Document]) -> None:
    """Refuse a batch that names an id twice: which text it should stand for could not be told."""
    first: dict[str, int] = {}
    for number, document in enumerate(documents):
        if first.setdefault(document.id, number) != number:
            raise InvalidBatch(
                f"The document has the id of documents[{first[document.id]}].",
                reason="DUPLICATE_DOCUMENT_ID",
                field=f"documents[{number}].id",
            )


def check_corpus_name(name: str) -> None:
    if not (isinstance(name, str) and re.fullmatch(limits.CORPUS_NAME, name)):
        raise InvalidCorpus(
            f"A corpus name has 1 to {limits.MAX_CORPUS_NAME_CHARS} characters of a-z, 0-9, '-' and '_', "
            "the first a letter or digit.",
            field="name",
        )


def check_window(days: int) -> None:
    if not 0 <= days <= limits.MAX_WINDOW_DAYS:
        raise InvalidCorpus(
            f"The window must lie between 0 and {limits.MAX_WINDOW_DAYS} days.",
            reason="INVALID_WINDOW",
            field="window_days",
        )


def check_policy(policy: Policy, field: str = "policy") -> None:
    _check_ranks(policy.source_ranks, f"{field}.source_ranks")
    for name in policy.thresholds.__slots__:
        value = getattr(policy.thresholds, name)
        most = 10_000 if name == "passage_letters" else 1
        if not 0 <= value <= most:
            raise InvalidCorpus(
                f"The threshold {name} must lie between 0 and {most}.",
                reason="INVALID_POLICY",
                field=f"{field}.thresholds.{name}",
            )


def _check_ranks(ranks: Sequence[str], field: str) -> None:
    sizes = [len(_encode(name, field, InvalidDocument)) for name in ranks]
    fault = ""
    if len(ranks) > limits.MAX_SOURCE_RANKS:
        fault = f"The policy ranks more than {limits.MAX_SOURCE_RANKS} sources."
    elif not all(sizes):
        fault = "A source that is ranked has no name."
    elif max(sizes, default=0) > limits.MAX_FIELD_BYTES:
        fault = f"A source that is ranked has more than {limits.MAX_FIELD_BYTES} bytes as UTF-8."
    elif len(set(ranks)) < len(ranks):
        fault = "A source is ranked twice."
    if fault:
        raise InvalidCorpus(fault, reason="INVALID_POLICY", field=field)


def check_override(override: Override) -> None:
    check_id(override.document_id, "document_id")
    if override.target_id is not None:
        check_id(override.target_id, "target_id")
        if override.target_id == override.document_id:
            raise InvalidArgument("The target is the document itself.", reason="INVALID_FIELD", field="target_id")
        if override.kind is OverrideKind.PIN_CANONICAL:
            raise InvalidArgument("A pinned document has no target.", reason="INVALID_FIELD", field="target_id")
    _check_field(override.note, "note", limits.MAX_NOTE_BYTES)


@contextmanager
def errors_at(path: str) -> Iterator[None]:
    """Move the field of errors raised in the block below *path*; an empty path leaves them as they are."""
    try:
        yield
    except BaznashrError as error:
        raise (error.at(path) if path else error) from None
