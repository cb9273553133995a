"""Streams: many items at once in a bounded window, answered in the order asked, each failing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from baznashr.status import status_from_error
from baznashr.types import Judgement
from baznashr.v1 import stream_pb2
from baznashr.wire import judgement_to_message
from baznashr_server.rpc.errors import answerable


class Item(Protocol):
    @property
    def sequence(self) -> int: ...


AnyItem = TypeVar("AnyItem", bound=Item)


async def answers(
    items: AsyncIterator[AnyItem], judge: Callable[[AnyItem], Awaitable[Judgement]], window: int
) -> AsyncIterator[stream_pb2.StreamItem]:
    """Judge *items*, at most *window* at once, and yield an answer for each; nothing more is read while it is full."""
    room = asyncio.Semaphore(window)
    begun: asyncio.Queue[asyncio.Task[stream_pb2.StreamItem] | None] = asyncio.Queue()

    async def read() -> None:
        try:
            async for item in items:
                await room.acquire()
                begun.put_nowait(asyncio.create_task(_answer(item, judge)))
        finally:
            begun.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while (task := await begun.get()) is not None:
            yield await task
            room.release()  # after the answer was taken, so that a client that does not read is not read from
        await reader
    finally:
        reader.cancel()
        while not begun.empty():
            if task := begun.get_nowait():
                task.cancel()


async def _answer(item: AnyItem, judge: Callable[[AnyItem], Awaitable[Judgement]]) -> stream_pb2.StreamItem:
    try:
        judgement = await judge(item)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
        return stream_pb2.StreamItem(sequence=item.sequence, error=status_from_error(answerable(error)))
    return stream_pb2.StreamItem(sequence=item.sequence, judgement=judgement_to_message(judgement))
