"""Labelled pairs and their articles, in files of one JSON object a line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from baznashr.types import Document

ANSWERS: Mapping[str, bool | None] = {"yes": True, "no": False, "unsure": None}
PAIRS = "pairs.jsonl"
ARTICLES = "articles.jsonl"


class TuneError(Exception):
    """What keeps the command from its work, as a sentence for people."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two articles, and what an editor says of them."""

    a: str
    b: str
    ordered: bool
    """Whether `a` is known to be the earlier one."""
    label: str
    """What the two are to each other, in the editor's own words; results are counted by it."""
    repeated: bool | None
    """Whether the later one repeats the earlier one; None where the editor could not say."""


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON objects of a file, plain or gzipped, each with its place for messages."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                place = f"{path}:{number}"
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:  # the latter where lists are nested without end
                    raise TuneError(f"{place} is no JSON: {error}") from None
                if not isinstance(value, dict):
                    raise TuneError(f"{place} is no JSON object")
                yield place, value
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise TuneError(f"{path} is not UTF-8") from None


def _text(value: dict[str, Any], place: str, *names: str, default: str | None = None) -> str:
    """Return the first of the fields *names* that there is."""
    found = next((value[name] for name in names if value.get(name) is not None), default)
    if not isinstance(found, str):
        raise TuneError(f"{place} has no {' or '.join(names)}")
    return found


def _time(text: str) -> datetime | None:
    """Return an ISO time with its zone; None for anything else, such as a Jalali date, which no rule needs."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def read_pairs(path: Path) -> list[Pair]:
    """Read labelled pairs: `a`, `b`, `repeated` (yes, no or unsure) and, as far as known, `ordered` and `label`.

    Raises:
        TuneError: The file cannot be read, or a line is no pair.
    """
    pairs = []
    for place, value in _objects(path):
        repeated = _text(value, place, "repeated")
        if repeated not in ANSWERS:
            raise TuneError(f"{place}: repeated must be one of {', '.join(ANSWERS)}, not {repeated!r}")
        pairs.append(
            Pair(
                a=_text(value, place, "a"),
                b=_text(value, place, "b"),
                ordered=bool(value.get("ordered", False)),
                label=_text(value, place, "label", default=""),
                repeated=ANSWERS[repeated],
            )
        )
    if not pairs:
        raise TuneError(f"{path} holds no pairs")
    return pairs


def read_articles(path: Path, ids: set[str]) -> dict[str, Document]:
    """Read the articles named by *ids*: `id`, `text` or `body`, and `title`, `source`, `published_at` if known.

    Raises:
        TuneError: The file cannot be read, a line is no article, or one of *ids* is not there.
    """
    found = {}
    for place, value in _objects(path):
        document_id = _text(value, place, "id")
        if document_id in ids:
            found[document_id] = Document(
                id=document_id,
                text=_text(value, place, "text", "body"),
                title=_text(value, place, "title", default=""),
                source=_text(value, place, "source", default=""),
                published_at=_time(_text(value, place, "published_at", default="")),
            )
    missing = sorted(ids - found.keys())
    if missing:
        raise TuneError(f"{path} lacks {len(missing)} of the articles that the pairs name, such as {missing[0]}")
    return found


def _pair_line(pair: Pair) -> dict[str, Any]:
    answer = next(word for word, repeated in ANSWERS.items() if repeated is pair.repeated)
    return {"a": pair.a, "b": pair.b, "ordered": pair.ordered, "label": pair.label, "repeated": answer}


def _article_line(article: Document) -> dict[str, Any]:
    return {
        "id": article.id,
        "title": article.title,
        "text": article.text,
        "source": article.source,
        "published_at": article.published_at.isoformat() if article.published_at else "",
    }


def _write[T](path: Path, values: Iterable[T], line: Callable[[T], dict[str, Any]]) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(line(value), ensure_ascii=False) + "\n" for value in values)
    part.replace(path)


def check_free(folder: Path) -> None:
    """Refuse a folder that holds such files, which somebody may have labelled by hand.

    Raises:
        TuneError: It holds one.
    """
    for path in (folder / PAIRS, folder / ARTICLES):
        if path.exists():
            raise TuneError(f"{path} exists already")


def write(folder: Path, pairs: Iterable[Pair], articles: Iterable[Document]) -> None:
    """Write pairs and their articles into *folder*, in the form that they are read in.

    Raises:
        TuneError: The files are there already, or cannot be written.
    """
    check_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / ARTICLES, articles, _article_line)
        _write(folder / PAIRS, pairs, _pair_line)
    except OSError as error:
        raise TuneError(f"{folder} cannot be written: {error.strerror or error}") from None
