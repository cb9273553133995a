"""The pages of a database file, each against its own checksum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from baznashr_server.store.schema import CHECKSUM_BYTES, PAGE_SIZE

_RESERVED_AT = 20
"""Offset in the file of the byte that says how much of each page is reserved (SQLite's file format, 1.3)."""


def count_pages(path: Path) -> int:
    return path.stat().st_size // PAGE_SIZE


def damaged_pages(
    connection: apsw.Connection,
    path: Path,
    progress: Callable[[int, int], object],
    numbers: Sequence[int] | None = None,
) -> list[int]:
    """Return the numbers, from 1, of the pages of *path* whose content does not have its checksum.

    Reads the file past SQLite, which would stop at the first; the log must have been written into it before.

    Args:
        connection: Any connection with cksumvfs, whose `verify_checksum` is asked.
        numbers: Of the pages to read, all of which the file has; None reads all.
    """
    asked = range(1, count_pages(path) + 1) if numbers is None else numbers
    found = []
    with path.open("rb") as file:
        for done, number in enumerate(asked, 1):
            file.seek((number - 1) * PAGE_SIZE)
            page = file.read(PAGE_SIZE)
            if (number == 1 and page[_RESERVED_AT] != CHECKSUM_BYTES) or connection.execute(
                "SELECT verify_checksum(?)", (page,)
            ).get != 1:
                found.append(number)
            progress(done, len(asked))
    return found
