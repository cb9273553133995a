"""Streams: order, window, errors by item, and the end of the server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr.errors import InvalidText, Unavailable
from baznashr.status import error_from_status
from baznashr.types import Judgement, Verdict
from baznashr.v1.stream_pb2 import StreamItem
from baznashr_server.rpc.streams import answers


@dataclass
class Item:
    sequence: int
    delay: float = 0.0
    error: Exception | None = None


async def judge(item: Item) -> Judgement:
    await asyncio.sleep(item.delay)
    if item.error:
        raise item.error
    return Judgement(Verdict.NEW, repeated=False, reason="R", document_id=str(item.sequence))


async def feed(items: list[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item


async def collect(stream: AsyncIterator[StreamItem], into: list[int]) -> None:
    async for answer in stream:
        into.append(answer.sequence)  # noqa: PERF401 - keeps what came before the stream broke


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.001]), st.booleans()), max_size=20), st.integers(1, 5))
def test_answers_come_in_the_order_asked(plan: list[tuple[float, bool]], window: int) -> None:
    """Whatever takes longest or fails, the n-th answer is that of the n-th item."""

    async def test() -> None:
        bad = InvalidText("Empty.", reason="EMPTY_TEXT", field="document.text")
        items = [Item(n * 7, delay, bad if fails else None) for n, (delay, fails) in enumerate(plan)]
        got = [answer async for answer in answers(feed(items), judge, window, asyncio.Event())]
        assert [answer.sequence for answer in got] == [item.sequence for item in items]
        assert [answer.HasField("error") for answer in got] == [fails for _, fails in plan]
        for answer in got:
            if answer.HasField("error"):
                assert error_from_status(answer.error).field == "document.text"

    run(test())


def test_no_more_than_the_window_is_worked_on() -> None:
    """While nothing is taken, a window's worth of items is begun, and one more is read."""

    async def test() -> None:
        begun = read = 0

        async def endless() -> AsyncIterator[Item]:
            nonlocal read
            while True:
                read += 1
                yield Item(read)

        async def count(item: Item) -> Judgement:
            nonlocal begun
            begun += 1
            return await judge(item)

        stream = answers(endless(), count, 4, asyncio.Event())
        await anext(stream)
        await asyncio.sleep(0.05)
        assert (begun, read) == (4, 5)
        await anext(stream)
        await asyncio.sleep(0.05)
        assert (begun, read) == (5, 6)
        await stream.aclose()

    run(test())


def test_what_is_unforeseen_says_nothing_of_itself() -> None:
    """An item that meets a defect is answered with INTERNAL and an incident id, and the next one is answered too."""

    async def test() -> None:
        items = [Item(1, error=RuntimeError("/secret/path")), Item(2)]
        first, second = [answer async for answer in answers(feed(items), judge, 2, asyncio.Event())]
        error = error_from_status(first.error)
        assert error.reason == "INTERNAL"
        assert error.metadata["incident_id"]
        assert "secret" not in str(first)
        assert second.judgement.document_id == "2"

    run(test())


def test_a_broken_feed_ends_the_stream_after_the_answers() -> None:
    """What was read before the feed broke is answered; then the break is raised."""

    async def test() -> None:
        async def broken() -> AsyncIterator[Item]:
            yield Item(1, delay=0.01)
            raise InvalidText("Broken.")

        got: list[int] = []
        with pytest.raises(InvalidText):
            await collect(answers(broken(), judge, 2, asyncio.Event()), got)
        assert got == [1]

    run(test())


def test_a_closing_server_answers_what_it_read() -> None:
    """When the server closes, items already read are answered, and the stream ends as SHUTTING_DOWN."""

    async def test() -> None:
        closing = asyncio.Event()

        async def endless() -> AsyncIterator[Item]:
            yield Item(1, delay=0.02)
            await asyncio.Event().wait()

        got: list[int] = []
        asyncio.get_running_loop().call_later(0.01, closing.set)
        with pytest.raises(Unavailable, match="SHUTTING_DOWN"):
            await collect(answers(endless(), judge, 2, closing), got)
        assert got == [1]

    run(test())


def test_an_abandoned_stream_leaves_nothing_running() -> None:
    """A stream that is cancelled takes its reader and its items with it."""

    async def test() -> None:
        async def endless() -> AsyncIterator[Item]:
            n = 0
            while True:
                n += 1
                yield Item(n, delay=0 if n == 1 else 60)

        stream = answers(endless(), judge, 8, asyncio.Event())
        await anext(stream)
        await asyncio.sleep(0.01)
        await stream.aclose()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(test())
