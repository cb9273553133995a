"""Guards that a test drives, synchronous and asynchronous ones alike, and what they are given."""

import asyncio
import time

import pytest

from baznashr import AsyncClient, Client, Document, errors
from baznashr.pipeline import AsyncRepeatGuard, RepeatGuard
from baznashr.testing import StubServer

OUTAGES = [
    errors.Unavailable("Overloaded.", reason="OVERLOADED", metadata={"retry_after_ms": "-1"}),
    errors.DeadlineExceeded("Late."),
    errors.ReadOnly("The disk is full."),
    errors.QuotaExceeded("Enough for today."),
    errors.Cancelled("Going away."),
]


def documents(*numbers):
    """Make documents whose text is their number."""
    return [Document(id=f"d{number}", text=f"خبر {number}") for number in numbers]


def ids(items):
    """Return the ids of documents or of the documents of admissions."""
    return [getattr(item, "document", item).id for item in items]


class AwaitedGuard:
    """An asynchronous guard driven from a test that knows nothing of asyncio."""

    def __init__(self, address, *args, **kwargs):
        self._runner = asyncio.Runner()
        self._client = AsyncClient(address)
        self._guard = AsyncRepeatGuard(self._client, *args, **kwargs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._runner.run(self._guard.__aexit__(None, None, None))
        self._runner.run(self._client.close())
        self._runner.close()

    def __getattr__(self, name):
        return getattr(self._guard, name)

    def admit(self, document):
        """Wait for the admission."""
        return self._runner.run(self._guard.admit(document))

    def _iterate(self, items):
        """Run the loop from item to item."""
        try:
            while (item := self._runner.run(anext_or_none(items))) is not None:
                yield item
        finally:
            self._runner.run(items.aclose())

    def replayed(self):
        """Iterate over what is late."""
        return self._iterate(self._guard.replayed())

    def only_new(self, feed, **options):
        """Iterate over what is new."""
        return self._iterate(self._guard.only_new(feed, **options))

    def admissions(self, feed):
        """Iterate over all."""
        return self._iterate(self._guard.admissions(feed))


async def anext_or_none(items):
    """Return the next item, and None after the last."""
    return await anext(items, None)


class SyncGuard(RepeatGuard):
    """A guard with a client of its own."""

    def __init__(self, address, *args, **kwargs):
        self.own = Client(address)
        super().__init__(self.own, *args, **kwargs)

    def __exit__(self, *_):
        super().__exit__(None, None, None)
        self.own.close()


@pytest.fixture
def server():
    """A server that judges as the test tells it."""
    with StubServer() as server:
        yield server


@pytest.fixture(params=[SyncGuard, AwaitedGuard], ids=["sync", "async"])
def guarding(request, server, tmp_path):
    """Make each kind of guard in turn; a spooling one has its folder."""
    opened = []

    def make(mode="raise", **options):
        if mode == "spool":
            options.setdefault("spool", tmp_path / "spool")
        guard = request.param(server.address, on_unavailable=mode, max_pause=0.01, **options)
        opened.append(guard.__enter__())
        return guard

    yield make
    for guard in opened:
        guard.__exit__(None, None, None)


def rest():
    """Let a guard's pause pass."""
    time.sleep(0.02)
