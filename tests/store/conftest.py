"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from baznashr_server.profile import FA_1
from baznashr_server.store.folder import DataFolder
from baznashr_server.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """Return a data folder that is ours."""
    folder = DataFolder.acquire(tmp_path / "data")
    yield folder
    folder.release()


@pytest.fixture
def store(folder: DataFolder) -> Iterator[Store]:
    """Return an empty store."""
    store = Store(folder, FA_1)
    yield store
    store.close()
