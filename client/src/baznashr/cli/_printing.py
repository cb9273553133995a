"""What both ways of showing answers share, and the one for programs: one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from baznashr.errors import BaznashrError
from baznashr.types import Corpus, CorpusStats, Judgement, ServerStatus

if TYPE_CHECKING:
    from baznashr.cli._for_people import TextPrinter


_ITEM = re.compile(r"^\w+\[\d+\]\.?")


def printer(*, json: bool) -> JsonPrinter | TextPrinter:
    """Return what shows answers, on streams that write UTF-8 whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A file name may hold bytes that are no UTF-8; they are shown as escapes.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if json:
        return JsonPrinter()
    from baznashr.cli._for_people import TextPrinter  # noqa: PLC0415 - programs need not wait for rich

    return TextPrinter()


def field_below_item(error: BaznashrError) -> str:
    """Return the field of *error* without its item: which item it is, the input's name says."""
    return _ITEM.sub("", error.field)


class JsonPrinter:
    """Prints one JSON object a line, with the fields of the public types."""

    def judgement(self, name: str, _text: str, judgement: Judgement) -> None:
        self._print({"input": name, **dataclasses.asdict(judgement)})

    def error(self, name: str, error: BaznashrError) -> None:
        shown = {
            "reason": error.reason,
            "field": field_below_item(error),
            "message": error.message,
            "metadata": error.metadata,
        }
        self._print({"input": name, "error": shown})

    def sums(self, verdicts: Mapping[str, int], repeated: int, refused: int) -> None:
        self._print({"verdicts": dict(verdicts), "repeated": repeated, "refused": refused})

    def corpora(self, corpora: Iterable[Corpus]) -> None:
        for corpus in corpora:
            self._print(dataclasses.asdict(corpus))

    def status(self, status: ServerStatus | None, corpora: Iterable[CorpusStats] | None) -> None:
        self._print(
            {
                "server": None if status is None else dataclasses.asdict(status),
                "corpora": None if corpora is None else [dataclasses.asdict(stats) for stats in corpora],
            }
        )

    def _print(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, ensure_ascii=False, default=_as_json), flush=True)


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON.")
