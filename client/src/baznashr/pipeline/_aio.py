"""The guard for asyncio, with the methods of ``_guard``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from baznashr._aio import AsyncClient
from baznashr._batching import MAX_ITEMS
from baznashr.pipeline._policy import (
    DEFAULT_MAX_PAUSE_SECONDS,
    DEFAULT_SPOOL_BYTES,
    UNAVAILABLE,
    Admission,
    Gate,
    OnRefused,
    OnUnavailable,
    State,
    admission,
    check_on_refused,
)
from baznashr.types import DEFAULT_CORPUS, Document

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncRepeatGuard:
    """Stands between a feed and a store: each document is judged and registered before the pipeline stores it.

    For any number of tasks of the client's loop. The guard does not close the client.

    Args:
        client: What it asks.
        corpus: Where documents are judged and registered.
        replace: What an id with another text than before does, as in ``Client.ingest``: it is refused or replaces the
            old version.
        on_unavailable: What happens to a document while the service is down, late, read-only or over its quota:
            ``"raise"`` raises the error, ``"accept"`` lets the document through unjudged and counts it, ``"spool"``
            keeps it on disk and judges it later, in order.
        spool: The folder of spooled documents, which one guard at a time may use; only with ``"spool"``.
        spool_bytes: What the folder may take; beyond it ``SpoolFull`` is raised.
        max_pause: After a failure the service is left alone, for longer each time it fails again: at most this many
            seconds.

    Raises:
        SpoolError: Another guard uses the spool folder, or it holds what is no spool's.
    """

    def __init__(
        self,
        client: AsyncClient,
        corpus: str = DEFAULT_CORPUS,
        replace: bool = False,
        *,
        on_unavailable: OnUnavailable = "raise",
        spool: str | Path | None = None,
        spool_bytes: int = DEFAULT_SPOOL_BYTES,
        max_pause: float = DEFAULT_MAX_PAUSE_SECONDS,
    ) -> None:
        self._client = client
        self._corpus = corpus
        self._replace = replace
        self._gate = Gate(on_unavailable, spool, spool_bytes, max_pause)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others have the spool folder; what waits in it stays there for the next guard."""
        self._gate.close()

    @property
    def accepted(self) -> int:
        """How many documents were let through unjudged."""
        return self._gate.accepted

    @property
    def waiting(self) -> int:
        """How many documents wait on disk."""
        return len(self._gate.spool or ())

    async def admit(self, document: Document) -> Admission:
        """Judge and register one document; say whether to store it.

        While documents wait on disk, later ones wait behind them: take them with ``replayed``.

        Raises:
            BaznashrError: The document is refused or, with ``on_unavailable="raise"``, the service is unavailable.
            SpoolFull: The document is not kept.
        """
        if not self._gate.closed():
            try:
                judgement = await self._client.ingest(document, self._corpus, self._replace)
            except UNAVAILABLE as error:
                if self._gate.raises:
                    raise
                self._gate.failed(error)
            else:
                self._gate.worked()
                return admission(document, judgement)
        return (await self._divert([document]))[0]

    async def replayed(self) -> AsyncGenerator[Admission, None]:
        """Judge what waits on disk, the oldest first, as far as the service answers.

        It asks nothing while nothing waits or the service failed a moment ago, so it may be called after every
        document. A document is off the disk once the next one is asked for; one that is refused, and has its ``error``,
        is off before.
        """
        with self._gate.replaying() as spool:
            while spool and not self._gate.resting():
                documents = await asyncio.to_thread(spool.peek, MAX_ITEMS)
                oldest_first = iter(documents)
                try:
                    async with aclosing(
                        self._client.ingest_many(documents, self._corpus, self._replace, on_error="yield")
                    ) as outcomes:
                        async for outcome in outcomes:
                            late = admission(next(oldest_first), outcome, late=True)
                            if late.state is State.REFUSED:
                                spool.acknowledge()
                            yield late
                            if late.state is not State.REFUSED:
                                spool.acknowledge()
                except UNAVAILABLE as error:
                    self._gate.failed(error)
                else:
                    self._gate.worked()

    async def _divert(self, documents: list[Document]) -> list[Admission]:
        # Writing to the disk must not hold up the loop.
        return await asyncio.to_thread(self._gate.divert, documents)

    async def only_new(
        self,
        documents: Iterable[Document] | AsyncIterable[Document],
        *,
        on_refused: OnRefused = "raise",
        progress: Callable[[int], object] | None = None,
    ) -> AsyncGenerator[Document, None]:
        """Yield what should be stored, in order, judged in batches.

        Documents that an earlier run left on disk come first. Those that still wait when *documents* ends stay there
        for ``replayed`` or the next run.

        Args:
            documents: Read only as fast as the service answers.
            on_refused: What a document does that the service will never take: ``"raise"`` ends the iteration with its
                error, ``"skip"`` leaves it out.
            progress: Told how many of *documents* are settled: stored, dropped or on disk. To go on after an error,
                leave out that many.
        """
        check_on_refused(on_refused)
        settled = 0
        async with aclosing(self.admissions(documents)) as admissions:
            async for each in admissions:
                if each.state is State.REFUSED and on_refused == "raise" and each.error is not None:
                    raise each.error
                if each.store:
                    yield each.document
                if not each.late:
                    settled += 1
                    if progress is not None:
                        progress(settled)

    async def admissions(
        self, documents: Iterable[Document] | AsyncIterable[Document]
    ) -> AsyncGenerator[Admission, None]:
        """Yield what becomes of each document, in order, judged in batches; those that waited on disk come in between.

        A document is settled once the next one is asked for.
        """
        feed = _Feed(documents)
        while True:
            async with aclosing(self.replayed()) as replayed:
                async for late in replayed:
                    yield late
            if self._gate.closed():
                group = await feed.take(MAX_ITEMS)
                if not group:
                    return
                for each in await self._divert(group):
                    yield each
                continue
            try:
                async with aclosing(
                    self._client.ingest_many(feed, self._corpus, self._replace, on_error="yield")
                ) as outcomes:
                    async for outcome in outcomes:
                        yield admission(feed.unanswered.popleft(), outcome)
            except UNAVAILABLE as error:
                if self._gate.raises or feed.error is error:
                    raise
                self._gate.failed(error)
                for each in await self._divert(feed.drop()):
                    yield each
            else:
                self._gate.worked()
                return


class _Feed:
    """Iterates the caller's documents and remembers those without an answer, and the iterable's own error."""

    def __init__(self, documents: Iterable[Document] | AsyncIterable[Document]) -> None:
        self._documents = aiter(documents if isinstance(documents, AsyncIterable) else _asynchronous(documents))
        self.unanswered: deque[Document] = deque()
        self.error: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[Document]:
        return self

    async def __anext__(self) -> Document:
        try:
            document = await anext(self._documents)
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
        self.unanswered.append(document)
        return document

    async def take(self, limit: int) -> list[Document]:
        """Return the next documents, at most *limit*."""
        async for _ in self:
            if len(self.unanswered) == limit:
                break
        return self.drop()

    def drop(self) -> list[Document]:
        """Return what is unanswered and wait for its answers no longer."""
        documents = list(self.unanswered)
        self.unanswered.clear()
        return documents


async def _asynchronous(documents: Iterable[Document]) -> AsyncIterator[Document]:
    for document in documents:
        yield document
