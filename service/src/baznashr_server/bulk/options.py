"""What a run is asked to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from baznashr.errors import InvalidArgument, StoreError
from baznashr.types import DEFAULT_CORPUS
from baznashr_server.bulk.inputs import Form, printable
from baznashr_server.bulk.lines import as_utf8
from baznashr_server.engine.validation import check_corpus_name
from baznashr_server.store.folder import DATABASE

TEHRAN = "Asia/Tehran"


class Keep(StrEnum):
    """Which document of a cluster is kept."""

    EARLIEST = "earliest"
    """The canonical one: published first, unknown times last, then by source rank and id."""
    LONGEST = "longest"
    """The one with the most characters that are no second copy, of equals the earliest."""
    SOURCE_RANK = "source-rank"
    """The one of the source named first, of equals the earliest."""


@dataclass(frozen=True)
class Options:
    inputs: tuple[str, ...]
    out: Path
    form: Form | None = None
    """Of files whose names do not say it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Names given for `id`, `text`, `title`, `url`, `source` and `time`; the others are guessed."""
    zone: str = TEHRAN
    """Of publish times that name none."""
    encoding: str = "utf-8"
    keep: Keep = Keep.EARLIEST
    clean: bool = False
    """Write kept texts without their second copies."""
    sample: int = 0
    """Judge the first so many articles of the order alone; all with 0."""
    source_ranks: tuple[str, ...] = ()
    against: Path | None = None
    build: Path | None = None
    corpus: str = DEFAULT_CORPUS
    report: bool = True
    """Write `report.html`."""
    dry_run: bool = False
    """Say what would be read and how, and leave nothing."""
    memory: int | None = None
    """Bytes it may take; what is free without it."""

    def settings(self) -> dict[str, Any]:
        """Return everything that may change the result, as JSON holds it."""
        values = {
            name: value for name, value in asdict(self).items() if name not in {"out", "memory", "report", "dry_run"}
        }
        values["zone"] = str(self.zone)
        values["inputs"] = [printable(pattern) for pattern in self.inputs]
        return dict(json.loads(json.dumps(values, default=lambda path: printable(str(path)))))

    def timezone(self) -> ZoneInfo:
        """Return the zone of times that name none.

        Raises:
            InvalidArgument: There is no such zone.
        """
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidArgument(f"There is no time zone {self.zone!r}.", field="timezone") from None

    def check_against(self) -> None:
        """Refuse to judge against what holds no store.

        Raises:
            StoreError: It does not.
        """
        if self.against and not (self.against / DATABASE).is_file():
            raise StoreError(f"{self.against} holds no store", reason="NO_STORE")

    def check(self) -> None:
        """Refuse what does not go together, or is not there.

        Raises:
            InvalidArgument: Something does not.
            StoreError: See `check_against`.
        """
        if self.keep is Keep.SOURCE_RANK and not self.source_ranks:
            raise InvalidArgument("--keep source-rank needs --source-ranks, the most trusted first.")
        if self.against and self.source_ranks and self.keep is not Keep.SOURCE_RANK:
            raise InvalidArgument("With --against the ranks of sources are those of the store's policy.")
        if printable(str(self.out)) != str(self.out):
            raise InvalidArgument(f"{printable(str(self.out))}: give a folder whose name is UTF-8.", field="out")
        check_corpus_name(self.corpus)
        self.check_against()
        try:
            b" ".decode(self.encoding, "ignore")
            list(as_utf8([b" "], self.encoding))
        except (LookupError, UnicodeError):
            raise InvalidArgument(f"There is no encoding {self.encoding!r}.", field="encoding") from None
        if self.sample < 0:
            raise InvalidArgument("The sample must be a number of articles.")
