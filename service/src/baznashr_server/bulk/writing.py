"""Files that get their name once they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial"
"""Ends the name of a file that is not whole."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which gets the name *path* once it is whole."""
    part = path.with_name(path.name + PARTIAL)
    part.unlink(missing_ok=True)
    yield part
    part.replace(path)
