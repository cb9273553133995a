"""A store on its way to another profile: what its documents have under that one, beside what they have now.

While it is filled, the documents keep what they have, and a task of `progress` says how far it has come. The switch is
one small transaction, which changes the profile in `meta`; what is in `renewed` then belongs to the documents, and is
moved to them, a batch at a time, before anything reads it. Each step may be the last of a process and is gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apsw

from baznashr_server.profile import PROFILE_OF, Profile

_TASK = "reindex to "
BATCH = 256
"""Documents of one transaction."""

Progress = Callable[[str, int, int], object]
"""Told what is done, and how many of how many documents."""
Made = tuple[int, bytes, bytes]
"""Row, signature, passages."""


def _target_name(connection: apsw.Connection) -> str | None:
    task = connection.execute("SELECT task FROM progress WHERE task GLOB ?", (f"{_TASK}*",)).get
    return None if task is None else str(task).removeprefix(_TASK)


def target(connection: apsw.Connection) -> Profile | None:
    """Return the profile that the store is on its way to; None also for one that this release does not know."""
    name = _target_name(connection)
    return None if name is None else PROFILE_OF.get(name)


def aim(connection: apsw.Connection, profile: Profile | None) -> None:
    """Set out for a profile, or go on; for another than before, or for None, what was made so far is let go of."""
    if _target_name(connection) == (profile and profile.name):
        return
    with connection:
        connection.execute("DELETE FROM progress WHERE task GLOB ?", (f"{_TASK}*",))
        connection.execute("DELETE FROM renewed")
        if profile is not None:
            connection.execute("INSERT INTO progress VALUES(?, 0)", (f"{_TASK}{profile.name}",))


def documents_without_text(connection: apsw.Connection) -> int:
    sql = "SELECT count(*) FROM documents WHERE text IS NULL AND corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    return int(connection.execute(sql).get)


def count(connection: apsw.Connection) -> tuple[int, int]:
    """Return how many documents there are, and how many of them are not made anew."""
    sql = (
        "SELECT count(*), count(*) FILTER (WHERE row NOT IN (SELECT row FROM renewed))"
        " FROM documents INDEXED BY documents_by_time WHERE corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    )
    ((documents, left),) = connection.execute(sql)
    return int(documents), int(left)


def waiting(connection: apsw.Connection, limit: int) -> list[tuple[int, bytes]]:
    """Return the next *limit* documents to make anew: their rows and texts as they are stored."""
    sql = (
        "SELECT row, text FROM documents WHERE row > (SELECT max(row) FROM progress WHERE task GLOB ?)"
        " AND text IS NOT NULL ORDER BY row LIMIT ?"
    )
    return list(connection.execute(sql, (f"{_TASK}*", limit)))


def put(connection: apsw.Connection, made: Iterable[Made]) -> None:
    """Store what was made of the documents that waited; inside a transaction."""
    rows = list(made)
    connection.executemany("INSERT OR REPLACE INTO renewed VALUES(?, ?, ?)", rows)
    connection.execute("UPDATE progress SET row=? WHERE task GLOB ?", (rows[-1][0], f"{_TASK}*"))


def switch(connection: apsw.Connection) -> Profile | None:
    """Bring the store under the profile it is on its way to, where all documents are made anew; return which it is."""
    profile = target(connection)
    if profile is None or count(connection)[1]:
        return None
    with connection:
        connection.execute("DELETE FROM meta")
        connection.executemany("INSERT INTO meta VALUES(?, ?)", profile.describe().items())
        connection.execute("DELETE FROM progress WHERE task GLOB ?", (f"{_TASK}*",))
    return profile


def settle(connection: apsw.Connection, progress: Progress = lambda *_: None) -> None:
    """Move to the documents what was made of them, once the profile was switched; else do nothing."""
    if _target_name(connection) is not None:
        return
    total = int(connection.execute("SELECT count(*) FROM renewed").get)
    done = 0
    while rows := [row for (row,) in connection.execute("SELECT row FROM renewed LIMIT ?", (BATCH,))]:
        with connection:
            connection.executemany(
                "UPDATE documents SET (signature, passages) ="
                " (SELECT signature, passages FROM renewed WHERE renewed.row = documents.row) WHERE row=?",
                [(row,) for row in rows],
            )
            connection.executemany("DELETE FROM renewed WHERE row=?", [(row,) for row in rows])
        done += len(rows)
        progress("documents", done, total)
