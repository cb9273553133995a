"""What all tests share."""

import random
import sys

import pytest
from hypothesis import settings

# Without a deadline: a kernel's first call compiles it, and shared machines stall. Every failure prints how to get it
# again, beside the seed that pytest-randomly prints for the run.
settings.register_profile("baznashr", deadline=None, print_blob=True)
settings.load_profile("baznashr")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile the kernels before any test's time counts: on a fresh machine that takes a minute."""
    if session.items and "baznashr_server.kernel" in sys.modules:
        from baznashr_server.app import warm_up

        warm_up()


SHORT_SECONDS = 900
"""For a test in its short form, whatever its long form may take: one that hangs is told, not waited for."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bound the time of tests in their short form."""
    if config.getoption("long"):
        return
    for item in items:
        marker = item.get_closest_marker("timeout")
        if marker is not None and marker.args[0] > SHORT_SECONDS:
            item.add_marker(pytest.mark.timeout(SHORT_SECONDS), append=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the crash, race and property tests in their long form")
    parser.addoption("--seed", type=int, help="of the random faults and loads of those tests; printed by each")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Return whether the long form is asked for."""
    return bool(request.config.getoption("long"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return the seed asked for, or a new one, and print it."""
    asked = request.config.getoption("seed")
    chosen = random.SystemRandom().randrange(1 << 32) if asked is None else int(asked)
    print(f"--seed={chosen}")
    return chosen
