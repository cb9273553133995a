"""One moment of a store, read while its owner may go on writing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Self

import apsw

from baznashr.errors import StoreDamaged
from baznashr_server.profile import Profile
from baznashr_server.store.rows import CorpusRow, DocumentRow
from baznashr_server.store.schema import DAMAGE, check, code_of, connect


class Moment:
    """A connection that reads what was committed when it was opened; the log grows until it is closed.

    Raises:
        StoreDamaged: A page cannot be read.
        FormatMismatch, ProfileMismatch: The store is not of this release's format or profile.
    """

    def __init__(self, path: Path, *profiles: Profile) -> None:
        self._path = path
        self._connection = connect(path, writable=False)
        try:
            self._connection.execute("BEGIN")
            self.profile = check(self._connection, *profiles)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _rows(self, sql: str, values: tuple[int | str, ...] = ()) -> Iterator[tuple[apsw.SQLiteValue, ...]]:
        try:
            yield from self._connection.execute(sql, values)
        except DAMAGE as error:
            raise StoreDamaged(f"{self._path} cannot be read ({code_of(error)})") from error

    def corpora(self) -> list[CorpusRow]:
        names = ", ".join(field.name for field in fields(CorpusRow))
        return [CorpusRow(*values) for values in self._rows(f"SELECT {names} FROM corpora ORDER BY corpus")]  # type: ignore[arg-type]  # noqa: S608 - our own names

    def count(self, corpus: int) -> int:
        ((count,),) = self._rows("SELECT count(*) FROM documents WHERE corpus=?", (corpus,))
        return int(str(count))

    def canonical_of(self, corpus: int, document_id: str) -> str:
        """Return the id of the canonical document of a stored document's cluster."""
        sql = (
            "SELECT centre.id FROM documents AS member JOIN clusters USING (cluster)"
            " JOIN documents AS centre ON centre.row = clusters.canonical WHERE member.corpus=? AND member.id=?"
        )
        found = [str(name) for (name,) in self._rows(sql, (corpus, document_id))]
        return found[0] if found else document_id

    def ids(self, corpus: int) -> Iterator[str]:
        """Yield the ids of the corpus's documents."""
        for (name,) in self._rows("SELECT id FROM documents WHERE corpus=?", (corpus,)):
            yield str(name)

    def document(self, corpus: int, document_id: str) -> DocumentRow | None:
        names = ", ".join(DocumentRow._fields)
        sql = f"SELECT {names} FROM documents WHERE corpus=? AND id=?"  # noqa: S608 - our own names
        return next((DocumentRow(*values) for values in self._rows(sql, (corpus, document_id))), None)  # type: ignore[arg-type]

    def documents(self, corpus: int) -> Iterator[DocumentRow]:
        """Yield the corpus's documents in order of arrival."""
        names = ", ".join(DocumentRow._fields)
        own = "SELECT row FROM documents WHERE corpus=?"
        for values in self._rows(f"SELECT {names} FROM documents WHERE row IN ({own}) ORDER BY row", (corpus,)):  # noqa: S608 - our own names
            yield DocumentRow(*values)  # type: ignore[arg-type]
