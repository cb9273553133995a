"""Fixtures: ``pytest_plugins = ["baznashr.testing.pytest_plugin"]`` in the tests' top ``conftest.py`` brings them.

``baznashr_stub``     a ``StubServer``, new for each test
``baznashr_address``  the address of a real server, one for the whole run; skipped where ``baznashr-server`` is missing
``baznashr_corpus``   a new corpus on it for each test, deleted afterwards
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from baznashr._client import Client
from baznashr.testing._real import real_server
from baznashr.testing._stub import StubServer


@pytest.fixture
def baznashr_stub() -> Iterator[StubServer]:
    """A server that judges as the test tells it."""
    with StubServer() as server:
        yield server


@pytest.fixture(scope="session")
def baznashr_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server."""
    if find_spec("baznashr_server") is None:
        pytest.skip("baznashr-server is not installed: pip install baznashr-server")
    with real_server(tmp_path_factory.mktemp("baznashr") / "data") as address:
        yield address


@pytest.fixture
def baznashr_corpus(baznashr_address: str) -> Iterator[str]:
    """The name of an empty corpus on the real server."""
    name = f"test-{uuid.uuid4().hex}"
    with Client(baznashr_address, timeout=30) as client:
        client.create_corpus(name)
        yield name
        client.delete_corpus(name)
