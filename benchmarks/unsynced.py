"""The server as it is, but that its commits do not wait for the disk: for comparison only.

`python -m benchmarks.unsynced serve ...` takes the arguments of `baznashr-server`. There is no setting for this: a
crash of the machine would lose answers that were given, and may damage the store.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from baznashr_server.__main__ import main
from baznashr_server.store import database, schema


def connect(path: Path, *, writable: bool) -> apsw.Connection:
    connection = schema.connect(path, writable=writable)
    if writable:
        connection.execute("PRAGMA synchronous=OFF")
    return connection


if __name__ == "__main__":
    database.connect = connect  # type: ignore[attr-defined] # the name under which the store opens its file
    main()
