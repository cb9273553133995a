"""A server that the tests of a file share, each with corpora of its own."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from baznashr.v1 import corpus_service_pb2
from tests.support.server import ServerProcess, Stubs, serving

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on an empty folder, shared by the tests of one file."""
    with serving(tmp_path_factory.mktemp("served") / "data", "--log-level", "debug") as running:
        yield running


@pytest.fixture(scope="module")
def stubs(server: ServerProcess) -> Iterator[Stubs]:
    """The generated stubs, connected to the shared server."""
    with Stubs(server.listen) as connected:
        yield connected


@pytest.fixture
def corpus(stubs: Stubs, request: pytest.FixtureRequest) -> str:
    """A new empty corpus on the shared server."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{name}-{next(_NUMBERS)}"
    stubs.corpora.CreateCorpus(corpus_service_pb2.CreateCorpusRequest(name=name))
    return name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give whichever test comes first the time that its server takes to compile the kernels on a fresh machine."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))
