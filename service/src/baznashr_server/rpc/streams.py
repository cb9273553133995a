"""Streams: many items at once in a bounded window, answered in the order asked, each failing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from baznashr.status import CODE_NAMES, status_from_error
from baznashr.types import Judgement
from baznashr.v1 import stream_pb2
from baznashr.wire import judgement_to_message
from baznashr_server.obs import watch
from baznashr_server.rpc.access import RefusedItem
from baznashr_server.rpc.admission import shutting_down
from baznashr_server.rpc.errors import answerable
from baznashr_server.rpc.observation import subject_of


class Item(Protocol):
    @property
    def sequence(self) -> int: ...


async def answers[AnyItem: Item](
    items: AsyncIterator[AnyItem],
    judge: Callable[[AnyItem], Awaitable[Judgement]],
    window: int,
    closing: asyncio.Event,
) -> AsyncIterator[stream_pb2.StreamItem]:
    """Judge *items*, at most *window* at once, and yield an answer for each; nothing more is read while it is full.

    Raises:
        Unavailable: SHUTTING_DOWN, after the last answer to what was read before *closing* was set.
    """
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
    closer = asyncio.create_task(closing.wait())
    closer.add_done_callback(lambda _: reader.cancel())
    try:
        while (task := await begun.get()) is not None:
            yield await task
            room.release()  # after the answer was taken, so that a client that does not read is not read from
        if closing.is_set():
            raise shutting_down()
        await reader
    finally:
        closer.cancel()
        reader.cancel()
        while not begun.empty():
            if task := begun.get_nowait():
                task.cancel()


async def _answer[AnyItem: Item](
    item: AnyItem, judge: Callable[[AnyItem], Awaitable[Judgement]]
) -> stream_pb2.StreamItem:
    with watch.item(item.sequence, subject_of(item)) as call:
        try:
            if isinstance(item, RefusedItem):
                raise item.error
            judgement = await judge(item)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
            status = status_from_error(answerable(error))
            call.code, call.reason = CODE_NAMES[status.code], getattr(error, "reason", "")
            return stream_pb2.StreamItem(sequence=item.sequence, error=status)
    return stream_pb2.StreamItem(sequence=item.sequence, judgement=judgement_to_message(judgement))
