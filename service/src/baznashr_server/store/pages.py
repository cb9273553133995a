"""The pages of a database file, each against its own checksum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from baznashr_server.store.schema import CHECKSUM_BYTES, PAGE_SIZE

_RESERVED_AT = 20
"""Offset in the file of the byte that says how much of each page is reserved (SQLite's file format, 1.3)."""


def damaged_pages(connection: apsw.Connection, path: Path, progress: Callable[[int, int], object]) -> list[int]:
    """Return the numbers, from 1, of the pages of *path* whose content does not have its checksum.

    Reads the file past SQLite, which would stop at the first; the log must have been written into it before.

    Args:
        connection: Any connection with cksumvfs, whose `verify_checksum` is asked.
    """
    pages = path.stat().st_size // PAGE_SIZE
    found = []
    with path.open("rb") as file:
        for number in range(1, pages + 1):
            page = file.read(PAGE_SIZE)
            if (number == 1 and page[_RESERVED_AT] != CHECKSUM_BYTES) or connection.execute(
                "SELECT verify_checksum(?)", (page,)
            ).get != 1:
                found.append(number)
            progress(number, pages)
    return found
