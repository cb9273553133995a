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

    def __init__(self, connection: Connection) -> None:
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
        return call.read(self._answer(self._start(call)))

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
        pending: deque[_Sent] = deque()
        try:
            for batch in _batches(items, plan):
                oldest = pending.popleft() if len(pending) >= plan.in_flight else None
                if oldest is not None:
                    self._receive(oldest)
                if oldest is None or oldest.lets_others_follow:
                    pending.append(self._send(Job(batch, plan)))
                # Read and delivered only now: the service works on the next batch meanwhile.
                if oldest is not None:
                    yield from deliver(oldest.settle(), plan)
            while pending:
                self._receive(pending[0])
                yield from deliver(pending.popleft().settle(), plan)
        finally:
            for sent in pending:
                sent.cancel()

    def _send(self, job: Job) -> _Sent:
        return _Sent(job, job.call and self._start(job.call))

    def _receive(self, sent: _Sent) -> None:
        """Wait for the answer and, where it is an error, bring the batch to its end item by item."""
        while (call := sent.awaited()) is not None:
            self._receive_one(sent, call)

    def _receive_one(self, sent: _Sent, call: Call[Any]) -> None:
        try:
            answer = self._answer(sent.under_way or self._start(call))
        except BaznashrError as error:
            sent.failed(error)
        else:
            sent.answered(answer)

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
                self._channel = grpc.insecure_channel(self._connection.target, options)
            else:
                self._channel = grpc.secure_channel(
                    self._connection.target, self._connection.tls.credentials(), options
                )
            return self._channel

    def _answer(self, future: Any) -> bytes:
        try:
            answer: bytes = future.result()
        except grpc.FutureCancelledError:
            raise Cancelled("The call was cancelled, or the client closed.") from None
        except grpc.RpcError as error:
            raise _error(error, closed=self._closed) from None
        except BaseException:
            # Ctrl-C in the middle of a call must not leave the call running.
            future.cancel()
            raise
        return answer


class AsyncTransport:
    """A channel for asyncio; it belongs to the loop that makes the first call."""

    def __init__(self, connection: Connection) -> None:
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
        return call.read(await self._answer(self._start(call)))

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
        pending: deque[_Sent] = deque()
        try:
            async for batch in _async_batches(items, plan):
                oldest = pending.popleft() if len(pending) >= plan.in_flight else None
                if oldest is not None:
                    await self._receive(oldest)
                if oldest is None or oldest.lets_others_follow:
                    pending.append(self._send(Job(batch, plan)))
                    # A call leaves with the loop's next turn, which a caller who awaits nothing would not give it.
                    await asyncio.sleep(0)
                if oldest is not None:
                    for outcome in deliver(oldest.settle(), plan):
                        yield outcome
            while pending:
                await self._receive(pending[0])
                for outcome in deliver(pending.popleft().settle(), plan):
                    yield outcome
        finally:
            for sent in pending:
                sent.cancel()

    def _send(self, job: Job) -> _Sent:
        return _Sent(job, job.call and self._start(job.call))

    async def _receive(self, sent: _Sent) -> None:
        """Wait for the answer and, where it is an error, bring the batch to its end item by item."""
        while (call := sent.awaited()) is not None:
            await self._receive_one(sent, call)

    async def _receive_one(self, sent: _Sent, call: Call[Any]) -> None:
        try:
            answer = await self._answer(sent.under_way or self._start(call))
        except BaznashrError as error:
            sent.failed(error)
        else:
            sent.answered(answer)

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
        target, tls, options = self._connection.target, self._connection.tls, self._connection.options()
        if tls is None:
            return grpc.aio.insecure_channel(target, options)
        return grpc.aio.secure_channel(target, tls.credentials(), options)

    async def _answer(self, started: Any) -> bytes:
        try:
            answer: bytes = await started
        except grpc.RpcError as error:
            raise _error(error, closed=self._closed) from None
        except asyncio.CancelledError:
            if self._closed and not _is_task_cancelled():
                raise Cancelled("The client closed.") from None
            raise
        return answer


class _Sent:
    """A batch under way; its first answer is read when it is delivered and not before."""

    def __init__(self, job: Job, under_way: Any) -> None:
        self.under_way = under_way
        """The call; None where it has ended."""
        self._job = job
        self._unread: bytes | None = None
        self._has_failed = False

    @property
    def lets_others_follow(self) -> bool:
        """Whether the batches behind it may be sent."""
        return self._unread is not None or self._job.lets_others_follow

    def awaited(self) -> Call[Any] | None:
        """Return the call whose answer is still missing."""
        return None if self._unread is not None else self._job.call

    def answered(self, answer: bytes) -> None:
        """Take an answer; after an error it may be to a part of the batch, and is read at once."""
        self.under_way = None
        self._unread = answer
        if self._has_failed:
            self.settle()

    def failed(self, error: BaznashrError) -> None:
        """Take an error, after which the batch may go on in parts."""
        self.under_way, self._has_failed = None, True
        self._job.failed(error)

    def settle(self) -> Settled:
        """Read what is not read yet; return what became of the items."""
        call, answer, self._unread = self._job.call, self._unread, None
        if call is not None and answer is not None:
            try:
                judgements = call.read(answer)
            except BaznashrError as error:
                self.failed(error)
            else:
                self._job.answered(judgements)
        return self._job.settled

    def cancel(self) -> None:
        """End the call where it is under way: nobody waits for its answer."""
        if self.under_way is not None:
            self.under_way.cancel()


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
