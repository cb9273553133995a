"""Sends calls over gRPC, for threads and for asyncio, and turns its errors into ours."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

import grpc
import grpc.aio

from baznashr import status
from baznashr._batching import Batch, Batcher, Job, Outcome, Plan, Settled, deliver
from baznashr._calls import Call, Page
from baznashr._channel import Connection
from baznashr.errors import BaznashrError, Cancelled, Unavailable

_T = TypeVar("_T")


class Transport:
    """A channel for threads; it belongs to the process that makes the first call."""

    def __init__(self, target: str, connection: Connection) -> None:
        self._target = target
        self._connection = connection
        self._metadata = connection.metadata()
        self._connecting = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._process = _Process()
        self._closed = False
        self._methods: dict[str, Any] = {}

    def close(self) -> None:
        self._closed = True
        if self._channel is not None and self._process.is_this():
            self._channel.close()

    def run(self, call: Call[_T]) -> _T:
        return self._finish(call, self._start(call))

    def all(self, call: Callable[[str], Call[Page[_T]]]) -> tuple[_T, ...]:
        """Follow the pages of a list to its end."""
        page = self.run(call(""))
        items = page.items
        while page.next_token:
            page = self.run(call(page.next_token))
            items += page.items
        return items

    def many(self, items: Iterable[_T], plan: Plan[_T]) -> Generator[Outcome, None, None]:
        """Send *items* in batches and yield what becomes of each, in order."""
        pending: deque[tuple[Job, Any]] = deque()
        try:
            for batch in _batches(items, plan):
                while len(pending) >= plan.in_flight:
                    yield from deliver(self._settle(*pending.popleft()), plan)
                job = Job(batch, plan)
                pending.append((job, job.call and self._start(job.call)))
            while pending:
                yield from deliver(self._settle(*pending.popleft()), plan)
        finally:
            for _, future in pending:
                if future is not None:
                    future.cancel()

    def _settle(self, job: Job, future: Any) -> Settled:
        while job.call is not None:
            try:
                judgements = self._finish(job.call, future or self._start(job.call))
            except BaznashrError as error:
                job.failed(error)
            else:
                job.answered(judgements)
            future = None
        return job.settled

    def _start(self, call: Call[Any]) -> Any:
        if self._closed:
            raise ValueError("The client is closed.")
        channel = self._channel or self._connect()
        self._process.check()
        method = self._methods.get(call.rpc.path)
        if method is None:
            method = self._methods[call.rpc.path] = channel.unary_unary(call.rpc.path)
        return method.future(
            call.request.SerializeToString(), timeout=self._connection.timeout, metadata=self._metadata
        )

    def _connect(self) -> grpc.Channel:
        # Not sooner: gRPC's threads do not survive a fork, and prefork servers load the application before theirs.
        with self._connecting:
            if self._channel is not None:
                return self._channel
            self._process.enter()
            options = self._connection.options()
            if self._connection.tls is None:
                self._channel = grpc.insecure_channel(self._target, options)
            else:
                self._channel = grpc.secure_channel(self._target, self._connection.tls.credentials(), options)
            return self._channel

    def _finish(self, call: Call[_T], future: Any) -> _T:
        try:
            response = future.result()
        except grpc.FutureCancelledError:
            raise Cancelled("The call was cancelled, or the client closed.") from None
        except grpc.RpcError as error:
            raise _error(error, closed=self._closed) from None
        except BaseException:
            # Ctrl-C in the middle of a call must not leave the call running.
            future.cancel()
            raise
        return call.read(response)


class AsyncTransport:
    """A channel for asyncio; it belongs to the loop that makes the first call."""

    def __init__(self, target: str, connection: Connection) -> None:
        self._target = target
        self._connection = connection
        self._metadata = connection.metadata()
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = _Process()
        self._closed = False
        self._methods: dict[str, Any] = {}

    async def close(self) -> None:
        self._closed = True
        if self._channel is not None and self._process.is_this():
            await self._channel.close()

    async def run(self, call: Call[_T]) -> _T:
        return await self._finish(call, self._start(call))

    async def all(self, call: Callable[[str], Call[Page[_T]]]) -> tuple[_T, ...]:
        """Follow the pages of a list to its end."""
        page = await self.run(call(""))
        items = page.items
        while page.next_token:
            page = await self.run(call(page.next_token))
            items += page.items
        return items

    async def many(self, items: Iterable[_T] | AsyncIterable[_T], plan: Plan[_T]) -> AsyncGenerator[Outcome, None]:
        """Send *items* in batches and yield what becomes of each, in order."""
        pending: deque[tuple[Job, Any]] = deque()
        try:
            async for batch in _async_batches(items, plan):
                while len(pending) >= plan.in_flight:
                    for outcome in deliver(await self._settle(*pending.popleft()), plan):
                        yield outcome
                job = Job(batch, plan)
                pending.append((job, job.call and self._start(job.call)))
            while pending:
                for outcome in deliver(await self._settle(*pending.popleft()), plan):
                    yield outcome
        finally:
            for _, started in pending:
                if started is not None:
                    started.cancel()

    async def _settle(self, job: Job, started: Any) -> Settled:
        while job.call is not None:
            try:
                judgements = await self._finish(job.call, started or self._start(job.call))
            except BaznashrError as error:
                job.failed(error)
            else:
                job.answered(judgements)
            started = None
        return job.settled

    def _start(self, call: Call[Any]) -> Any:
        if self._closed:
            raise ValueError("The client is closed.")
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._process.enter()
            self._loop = loop
            self._channel = self._connect()
        self._process.check()
        if self._loop is not loop:
            raise RuntimeError("This client was first used in another event loop: make a client in each.")
        method = self._methods.get(call.rpc.path)
        if method is None:
            method = self._methods[call.rpc.path] = self._channel.unary_unary(call.rpc.path)
        return method(call.request.SerializeToString(), timeout=self._connection.timeout, metadata=self._metadata)

    def _connect(self) -> grpc.aio.Channel:
        options = self._connection.options()
        if self._connection.tls is None:
            return grpc.aio.insecure_channel(self._target, options)
        return grpc.aio.secure_channel(self._target, self._connection.tls.credentials(), options)

    async def _finish(self, call: Call[_T], started: Any) -> _T:
        try:
            response = await started
        except grpc.RpcError as error:
            raise _error(error, closed=self._closed) from None
        except asyncio.CancelledError:
            if self._closed and not _is_task_cancelled():
                raise Cancelled("The client closed.") from None
            raise
        return call.read(response)


def _is_task_cancelled() -> bool:
    """Return whether somebody cancelled the task that runs; Python 3.10 cannot tell."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is not None and cancelling() > 0


class _Process:
    """The one process that may use a channel: gRPC's threads and sockets are of no use to its forks."""

    def __init__(self) -> None:
        self._pid: int | None = None

    def enter(self) -> None:
        self._pid = os.getpid()

    def is_this(self) -> bool:
        return self._pid == os.getpid()

    def check(self) -> None:
        if not self.is_this():
            raise RuntimeError(
                f"This client was first used in process {self._pid}, of which this process, {os.getpid()}, is a fork: "
                "make a client after the fork."
            )


def _error(error: Any, *, closed: bool) -> BaznashrError:
    """Return our exception for one of gRPC's."""
    details = next((value for key, value in error.trailing_metadata() or () if key == status.DETAILS_KEY), None)
    ours = status.error_from_trailers(error.code().name, error.details() or "", details)
    if isinstance(ours, Cancelled) and not closed:
        # Nobody here cancelled it: a server or a proxy did, as it went away.
        return Unavailable(ours.message, reason="CANCELLED_BY_PEER", metadata=ours.metadata)
    return ours


def _batches(items: Iterable[_T], plan: Plan[_T]) -> Iterator[Batch]:
    batcher = Batcher(plan)
    for item in items:
        yield from batcher.add(item)
    yield from batcher.flush()


async def _async_batches(items: Iterable[_T] | AsyncIterable[_T], plan: Plan[_T]) -> AsyncIterator[Batch]:
    batcher = Batcher(plan)
    if isinstance(items, AsyncIterable):
        async for item in items:
            for batch in batcher.add(item):
                yield batch
    else:
        for item in items:
            for batch in batcher.add(item):
                yield batch
    for batch in batcher.flush():
        yield batch
