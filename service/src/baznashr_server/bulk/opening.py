"""The store that a run judges against, opened: a new one, or a copy of one that there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

from baznashr.errors import ReadOnly, StoreError
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.state import BEGUN, MADE, State, check_build, folder_of, read_json, write_json
from baznashr_server.engine import Engine
from baznashr_server.profile import PROFILES
from baznashr_server.store.backup import copy_database
from baznashr_server.store.folder import DATABASE, SNAPSHOTS, DataFolder, sync_folder
from baznashr_server.store.store import Store

AT_THE_END = 1e9
"""Seconds until a snapshot of the tables: none is taken while judging."""


def _prepare(options: Options, state: State) -> Path:
    """Make the data folder, unless it was made for this run already."""
    data = folder_of(options, state)
    if state.path(MADE).exists():
        return data
    check_build(options, state)
    options.check_against()
    DataFolder.acquire(data).release()  # by a run that was killed and has not let it go yet, it would be filled again
    shutil.rmtree(data, ignore_errors=True)  # begun by this run, or empty
    state.path(BEGUN).touch()
    if options.against is None:
        return data
    source = options.against / DATABASE
    folder = DataFolder.acquire(data)
    try:
        copy_database(source, folder.database)
        # The tables' snapshots spare the time to fill them; one that does not match the copy is not believed.
        if (options.against / SNAPSHOTS).is_dir():
            shutil.copytree(options.against / SNAPSHOTS, data / SNAPSHOTS, dirs_exist_ok=True)
    finally:
        folder.release()
    from baznashr_server.bulk.stores import note_ids  # noqa: PLC0415 - needs pyarrow, which takes time to load

    note_ids(options, state)
    return data


def _set_window(data: Path, corpus: str, days: int) -> int:
    """Set how many days a corpus keeps documents for, and return how many it was before.

    While a run judges it is 0, for ever. By a window an answer would depend on how far the upkeep has come and on the
    time of day, and could not be given again: what is too old for it is not stored.
    """
    folder = DataFolder.acquire(data)
    try:
        with closing(Store(folder, *PROFILES)) as store:
            row = next(row for row in store.corpora() if row.name == corpus)
            if row.window_days != days:
                store.begin()
                store.update_corpus(replace(row, window_days=days))
                store.commit()
            return row.window_days
    finally:
        folder.release()


@contextmanager
def _naming_what_failed(data: Path) -> Iterator[None]:
    """Tell of the write that failed, where the engine tells that it takes none since."""
    try:
        yield
    except ReadOnly as error:
        raise StoreError(
            f"The store in {data} could not be written ({error.metadata['cause']}). Make room, or see to the disk; the "
            "same command then goes on.",
            reason=error.reason,
        ) from error


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
    made = state.path(MADE)
    window = _set_window(data, options.corpus, 0) if options.against else 0
    if made.exists():
        window = read_json(made)["window_days"]
    seconds = AT_THE_END if options.build else inf
    with _naming_what_failed(data), Engine.open(data, snapshot_seconds=seconds) as engine:
        names = {corpus.name for corpus in engine.list_corpora()}
        if options.corpus not in names:
            engine.create_corpus(options.corpus)
        if not made.exists():
            created = str(engine.get_corpus(options.corpus).created_at)
            write_json(made, {"created": created, "window_days": window})
        if options.source_ranks and options.against is None:
            policy = engine.get_corpus(options.corpus).policy
            if policy.source_ranks != options.source_ranks:
                engine.update_corpus(options.corpus, policy=replace(policy, source_ranks=options.source_ranks))
        engine.operations.spare_syncs()
        engine.operations.reserve(options.corpus, documents, letters)
        yield engine
    if options.build:
        leave(options, state)


def leave(options: Options, state: State) -> None:
    """Give the store that was built the window that its corpus had, and have it on disk; twice is as good as once."""
    data = folder_of(options, state)
    if window := read_json(state.path(MADE))["window_days"]:
        _set_window(data, options.corpus, window)
    sync_folder(data)
