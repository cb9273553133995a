"""The store that a run judges against, opened: a new one, or a copy of one that there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

from baznashr_server.bulk.options import Options
from baznashr_server.bulk.state import BEGUN, State, check_build, folder_of
from baznashr_server.engine import Engine
from baznashr_server.engine.tables import FOLDER
from baznashr_server.store.backup import copy_database
from baznashr_server.store.folder import DATABASE, DataFolder, sync_folder

AT_THE_END = 1e9
"""Seconds until a snapshot of the tables: none is taken while judging."""


def _prepare(options: Options, state: State) -> Path:
    """Make the data folder, unless it was made for this run already."""
    data, mark = folder_of(options, state), state.path("store.made")
    if mark.exists():
        return data
    check_build(options, state)
    options.check_against()
    shutil.rmtree(data, ignore_errors=True)  # begun by this run, or empty
    state.path(BEGUN).touch()
    if options.against is None:
        mark.touch()
        return data
    source = options.against / DATABASE
    folder = DataFolder.acquire(data)
    try:
        copy_database(source, folder.database)
        # The tables' snapshots spare the time to fill them; one that does not match the copy is not believed.
        if (options.against / FOLDER).is_dir():
            shutil.copytree(options.against / FOLDER, data / FOLDER, dirs_exist_ok=True)
    finally:
        folder.release()
    from baznashr_server.bulk.stores import note_ids  # noqa: PLC0415 - needs pyarrow, which takes time to load

    note_ids(options, state)
    mark.touch()
    return data


@contextmanager
def opened(options: Options, state: State, documents: int, letters: int) -> Iterator[Engine]:
    """Open the engine of a run; a store that is to be kept is on disk when it is closed.

    Args:
        documents, letters: That are to come, for which room is made.

    Raises:
        CorpusNotFound: The store to judge against has no such corpus.
        StoreError: The folder to build is not empty, or the store cannot be read.
    """
    data = _prepare(options, state)
    with Engine.open(data, snapshot_seconds=AT_THE_END if options.build else inf) as engine:
        names = {corpus.name for corpus in engine.list_corpora()}
        if options.corpus not in names:
            engine.create_corpus(options.corpus)
        if options.source_ranks and options.against is None:
            policy = engine.get_corpus(options.corpus).policy
            if policy.source_ranks != options.source_ranks:
                engine.update_corpus(options.corpus, policy=replace(policy, source_ranks=options.source_ranks))
        engine.operations.reserve(options.corpus, documents, letters)
        yield engine
    if options.build:
        sync_folder(data)
