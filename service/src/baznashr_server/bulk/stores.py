"""The store of a run, and the one it judges against, as they are looked at from outside."""

from __future__ import annotations

import pyarrow as pa

from baznashr.errors import CorpusNotFound, StoreError
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.state import MADE, State, folder_of, read_json
from baznashr_server.bulk.writing import whole
from baznashr_server.profile import PROFILES
from baznashr_server.store.codec import from_micros
from baznashr_server.store.folder import DATABASE
from baznashr_server.store.reading import Moment
from baznashr_server.store.rows import CorpusRow

STORED = "stored.arrow"


def check_made(options: Options, state: State, judged: str | None) -> None:
    """Refuse to go on with a store other than the one that this run has made.

    Args:
        judged: The id of a document that it has stored, the last that is known.

    Raises:
        StoreError: It is not there, or another one is.
    """
    data = folder_of(options, state)
    fault = "is not there any more"
    if (data / DATABASE).is_file():
        created = read_json(state.path(MADE))["created"]
        with Moment(data / DATABASE, *PROFILES) as moment:
            corpus = _corpus(options, moment)
            known = corpus is not None and str(from_micros(corpus.created)) == created
            if corpus and known and (judged is None or moment.document(corpus.corpus, judged)):
                return
        fault = "is another, or an older one"
    raise StoreError(
        f"{data}: the store that the unfinished run was writing {fault}. Put it back, or remove {state.folder} to "
        "begin anew.",
        reason="OTHER_STORE",
    )


def check_corpus(options: Options) -> None:
    """Refuse to judge against a store that has no such corpus.

    Raises:
        CorpusNotFound: It has none.
        StoreError: It cannot be read.
    """
    if options.against:
        with Moment(options.against / DATABASE, *PROFILES) as moment:
            _number_of(options, moment)


def _corpus(options: Options, moment: Moment) -> CorpusRow | None:
    return next((row for row in moment.corpora() if row.name == options.corpus), None)


def _number_of(options: Options, moment: Moment) -> int:
    corpus = _corpus(options, moment)
    if corpus is None:
        raise CorpusNotFound(f"There is no corpus {options.corpus!r} in {options.against}.")
    return corpus.corpus


def note_ids(options: Options, state: State) -> None:
    """Note which documents the store has before the run: when a run goes on, it has some of the run's too."""
    with Moment(folder_of(options, state) / DATABASE, *PROFILES) as moment:
        table = pa.table({"id": pa.array(moment.ids(_number_of(options, moment)), pa.string())})
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
