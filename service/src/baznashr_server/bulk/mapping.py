"""Which fields of a file's records are a document's id, text, title, URL, source and publish time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from baznashr.errors import InvalidArgument, InvalidDocument
from baznashr.types import Document
from baznashr_server.bulk.times import read_time

KNOWN: Mapping[str, tuple[str, ...]] = {
    "id": (
        "id", "_id", "doc_id", "docid", "document_id", "article_id", "news_id", "post_id", "item_id", "uid", "uuid",
        "guid", "key", "شناسه", "کد", "کد خبر",
    ),
    "text": (
        "text", "body", "content", "article", "article_text", "article_body", "articlebody", "full_text", "fulltext",
        "maintext", "body_text", "news", "متن", "متن خبر", "بدنه",
    ),
    "title": ("title", "headline", "head", "subject", "عنوان", "تیتر"),
    "url": ("url", "link", "href", "permalink", "canonical_url", "page_url", "نشانی", "لینک", "پیوند"),
    "source": (
        "source", "publisher", "site", "domain", "agency", "outlet", "host", "newspaper", "source_domain", "منبع",
        "رسانه", "خبرگزاری",
    ),
    "time": (
        "published_at", "published", "publish_date", "publish_time", "published_date", "date_published",
        "datepublished", "pub_date", "pubdate", "date_publish", "datetime", "date", "time", "timestamp", "created_at",
        "تاریخ", "تاریخ انتشار", "زمان",
    ),
}  # fmt: skip
"""Names that fields go by, in lower case, the surest first."""
NONE = "-"
"""Given for a field that the files do not have."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the records' fields; empty where there is none. A dot leads into a nested object."""

    id: str = ""
    text: str = ""
    title: str = ""
    url: str = ""
    source: str = ""
    time: str = ""

    def described(self) -> str:
        without = {"id": "a digest of the record", "source": "the URL's host" if self.url else "none"}
        return ", ".join(f"{field} = {name or without.get(field, 'none')}" for field, name in asdict(self).items())


def guess(
    records: Iterable[Mapping[str, Any]], asked: Mapping[str, str], further: Iterable[Mapping[str, Any]] = ()
) -> Fields:
    """Return the fields *asked* for and, for the others, those whose names say what they are.

    Args:
        further: Looked through where none of *records* has a field asked for.

    Raises:
        InvalidArgument: No record has a field asked for, or none looks like the text.
    """
    names = dict.fromkeys(name for record in records for name in record)
    wanted = [name for name in asked.values() if name and name != NONE]
    unseen = [name for name in wanted if not _is_among(names, name)]
    for record in further if unseen else ():
        names.update(dict.fromkeys(record))
        if all(_is_among(names, name) for name in unseen):
            break
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.strip().lower(), name)
    chosen = {}
    for field, known in KNOWN.items():
        name = asked.get(field, "")
        if name == NONE:
            continue
        if name and not _is_among(names, name):
            raise InvalidArgument(f"No record has a field {name!r}; there are: {', '.join(names) or 'none'}.")
        chosen[field] = name or next((lowered[candidate] for candidate in known if candidate in lowered), "")
    if not chosen.get("text"):
        raise InvalidArgument(
            f"None of the fields looks like the text ({', '.join(names) or 'there are none'}); name it with --text."
        )
    return Fields(**chosen)


def _is_among(names: Mapping[str, None], name: str) -> bool:
    return name in names or name.partition(".")[0] in names


def value_at(record: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field; None where it is missing."""
    if not name:
        return None
    found = record.get(name)
    if found is None and "." in name:
        found = record
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _string(record: Mapping[str, Any], name: str, field: str) -> str:
    if not name:
        return ""
    value = record.get(name)
    if type(value) is str:
        return value
    value = value_at(record, name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidDocument(f"The value is of type {type(value).__name__}, not a string.", field=field)


def document_of(record: Mapping[str, Any], fields: Fields, zone: tzinfo) -> Document:
    """Read a document from a record.

    Raises:
        InvalidDocument: A field has a value of a wrong type, or there is no text.
    """
    text = record.get(fields.text)
    if text is None:
        text = value_at(record, fields.text)
    if not isinstance(text, str):
        fault = "The text is missing." if text is None else f"The text is of type {type(text).__name__}."
        raise InvalidDocument(fault, reason="EMPTY_TEXT" if text is None else "INVALID_FIELD", field="text")
    url = _string(record, fields.url, "url")
    source = _string(record, fields.source, "source")
    if not source and not fields.source and url:
        source = _host(url)
    return Document(
        id=_string(record, fields.id, "id") if fields.id else digest_of(record),
        text=text,
        title=_string(record, fields.title, "title"),
        source=source,
        url=url,
        published_at=read_time(value_at(record, fields.time), zone),
    )


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def digest_of(record: Mapping[str, Any]) -> str:
    """Return an id for a record that has none: equal records, and they alone, have the same."""
    canonical = json.dumps(record, ensure_ascii=False, sort_keys=True, default=_plain)
    return "row-" + blake2b(canonical.encode(errors="surrogatepass"), digest_size=12).hexdigest()
