"""Everything that is derived from the stored texts, made anew."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from baznashr.errors import InvalidArgument, TextNotKept
from baznashr_server.engine.verify import Progress, document_faults, held_folder
from baznashr_server.profile import FA_1
from baznashr_server.store.consistency import all_rows
from baznashr_server.store.schema import connect
from baznashr_server.store.store import Store

TASK = "reindex"
BATCH = 256
"""Documents of one transaction."""


def reindex(path: Path, profile: str, *, progress: Progress = lambda *_: None) -> tuple[int, int]:
    """Make signatures, passages and sizes of all documents anew; return how many there were and how many changed.

    Goes on where an interrupted run stopped. The folder must have no owner.

    Raises:
        InvalidArgument: There is no such profile.
        TextNotKept: Documents are stored without their texts.
        DataFolderInUse: The folder has an owner.
        StoreError: It is no data folder, or of another format or profile.
    """
    if profile != FA_1.name:
        raise InvalidArgument(
            f"There is no profile {profile!r}; this release knows {FA_1.name}.", reason="INVALID_FIELD", field="profile"
        )
    folder = held_folder(path)
    try:
        with closing(Store(folder, FA_1)) as store, closing(connect(folder.database, writable=True)) as connection:
            without = int(connection.execute("SELECT count(*) FROM documents WHERE text IS NULL").get)
            if without:
                raise TextNotKept(
                    f"{without} documents are stored without their texts, and nothing can be made anew from nothing.",
                    metadata={"documents": str(without)},
                )
            start = int(connection.execute("SELECT max(row) FROM progress WHERE task=?", (TASK,)).get or 0)
            rows = all_rows(connection)
            left = [row for row in rows if row > start]
            changed = 0
            for at in range(0, len(left), BATCH):
                batch = left[at : at + BATCH]
                with connection:
                    changed += sum(_renew(store, connection, row) for row in batch)
                    connection.execute("INSERT OR REPLACE INTO progress VALUES(?, ?)", (TASK, batch[-1]))
                progress("documents", len(rows) - len(left) + at + len(batch), len(rows))
            connection.execute("DELETE FROM progress WHERE task=?", (TASK,))
    finally:
        folder.release()
    return len(rows), changed


def _renew(store: Store, connection: apsw.Connection, number: int) -> bool:
    row = store.document_at(number)
    repairs = [] if row is None else [statement for fault in document_faults(row) for statement in fault.repair]
    for sql, values in repairs:
        connection.execute(sql, values)
    return bool(repairs)
