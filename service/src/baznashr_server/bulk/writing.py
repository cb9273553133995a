"""Files that get their name once they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

PARTIAL = ".partial"
"""Ends the name of a file that is not whole."""
MOST_NAME_BYTES = 255
"""Of a file on the file systems of Linux."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which gets the name *path* once it is whole."""
    is_long = len(os.fsencode(path.name + PARTIAL)) > MOST_NAME_BYTES
    part = path.with_name((sha256(os.fsencode(path.name)).hexdigest() if is_long else path.name) + PARTIAL)
    part.unlink(missing_ok=True)
    yield part
    part.replace(path)
