"""What all tests share."""

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
