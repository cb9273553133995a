"""The store that a run judges against: a new one, or a copy of one that there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baznashr.errors import CorpusNotFound, StoreError
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.outputs import whole
from baznashr_server.bulk.spill import Order
from baznashr_server.bulk.state import STORE, State
from baznashr_server.engine import Engine
from baznashr_server.engine.tables import FOLDER
from baznashr_server.profile import FA_1
from baznashr_server.store.backup import copy_database
from baznashr_server.store.folder import DATABASE, DataFolder, sync_folder
from baznashr_server.store.reading import Moment

STORED = "stored.arrow"
NO_SNAPSHOTS = 1e9
"""Seconds until a snapshot of the tables: none is taken while judging."""


def folder_of(options: Options, state: State) -> Path:
    """Return the data folder that judges: the one to build, else one in the work folder."""
    return options.build or state.path(STORE)


def _prepare(options: Options, state: State) -> Path:
    """Make the data folder, unless it was made for this run already."""
    data, mark = folder_of(options, state), state.path("store.made")
    if mark.exists():
        return data
    if options.build and data.exists() and any(path.name != "LOCK" for path in data.iterdir()):
        made = state.path("store.begun")
        if not made.exists():
            raise StoreError(f"{data} is not empty; --build makes a new data folder.", reason="FOLDER_NOT_EMPTY")
        shutil.rmtree(data)
    state.path("store.begun").touch()
    if options.against is None:
        mark.touch()
        return data
    source = options.against / DATABASE
    if not source.is_file():
        raise StoreError(f"{options.against} holds no store", reason="NO_STORE")
    shutil.rmtree(data, ignore_errors=True)
    folder = DataFolder.acquire(data)
    try:
        copy_database(source, folder.database)
        # The tables' snapshots spare the time to fill them; one that does not match the copy is not believed.
        if (options.against / FOLDER).is_dir():
            shutil.copytree(options.against / FOLDER, data / FOLDER, dirs_exist_ok=True)
    finally:
        folder.release()
    _note_ids(options, state)
    mark.touch()
    return data


def _note_ids(options: Options, state: State) -> None:
    """Note which documents the store has before the run: when a run goes on, it has some of the run's too."""
    with Moment(folder_of(options, state) / DATABASE, FA_1) as moment:
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


def known(state: State, order: Order) -> NDArray[np.bool_] | None:
    """Return of each row whether the store to judge against had a document with its id; None where there is none."""
    if not state.path(STORED).exists():
        return None
    found: NDArray[np.bool_] = pc.is_in(order.keys.column("id"), value_set=stored_ids(state)).to_numpy()
    return found


def stored_ids(state: State) -> pa.Array:
    """Return the ids that the store to judge against had."""
    if not state.path(STORED).exists():
        return pa.array([], pa.string())
    with pa.OSFile(str(state.path(STORED))) as file:
        return pa.ipc.open_file(file).read_all().column("id").combine_chunks()


@contextmanager
def opened(options: Options, state: State) -> Iterator[Engine]:
    """Open the engine of a run; a store that is to be kept is on disk when it is closed.

    Raises:
        CorpusNotFound: The store to judge against has no such corpus.
        StoreError: The folder to build is not empty, or the store cannot be read.
    """
    data = _prepare(options, state)
    with Engine.open(data, snapshot_seconds=NO_SNAPSHOTS) as engine:
        names = {corpus.name for corpus in engine.list_corpora()}
        if options.corpus not in names:
            engine.create_corpus(options.corpus)
        if options.source_ranks and options.against is None:
            policy = engine.get_corpus(options.corpus).policy
            if policy.source_ranks != options.source_ranks:
                engine.update_corpus(options.corpus, policy=replace(policy, source_ranks=options.source_ranks))
        yield engine
    if options.build:
        sync_folder(data)
