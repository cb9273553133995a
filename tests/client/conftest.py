"""Fixtures of the client's tests."""

import pytest

from baznashr import Client
from baznashr.testing.pytest_plugin import baznashr_address, baznashr_corpus, baznashr_stub
from tests.client.guards import guarding, server
from tests.client.stub import Awaited, Stub, serve

__all__ = ["baznashr_address", "baznashr_corpus", "baznashr_stub", "guarding", "server"]


@pytest.fixture
def stub():
    """What the server answers, and what it was asked."""
    return Stub()


@pytest.fixture
def address(stub):
    """The address of a server that answers from *stub*."""
    server, address = serve(stub)
    yield address
    server.stop(0).wait()


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def client(request, address):
    """Each kind of client in turn, connected to *stub*."""
    with request.param(address) as client:
        yield client


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def connect(request):
    """Make each kind of client in turn."""
    return request.param
