"""What the store to judge against had before the run, which is noted beside what the run does."""

from __future__ import annotations

import pyarrow as pa

from baznashr.errors import CorpusNotFound
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.state import State, folder_of
from baznashr_server.bulk.writing import whole
from baznashr_server.profile import PROFILES
from baznashr_server.store.folder import DATABASE
from baznashr_server.store.reading import Moment

STORED = "stored.arrow"


def note_ids(options: Options, state: State) -> None:
    """Note which documents the store has before the run: when a run goes on, it has some of the run's too."""
    with Moment(folder_of(options, state) / DATABASE, *PROFILES) as moment:
        corpus = next((row.corpus for row in moment.corpora() if row.name == options.corpus), None)
        if corpus is None:
            raise CorpusNotFound(f"There is no corpus {options.corpus!r} in {options.against}.")
        table = pa.table({"id": pa.array(moment.ids(corpus), pa.string())})
    with (
        whole(state.path(STORED)) as part,
        pa.OSFile(str(part), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def stored_ids(state: State) -> pa.Array:
    """Return the ids that the store to judge against had."""
    if not state.path(STORED).exists():
        return pa.array([], pa.string())
    with pa.OSFile(str(state.path(STORED))) as file:
        return pa.ipc.open_file(file).read_all().column("id").combine_chunks()
