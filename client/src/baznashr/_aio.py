"""The client for asyncio, with the methods of ``_client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal, overload

from baznashr import _calls
from baznashr._addresses import address
from baznashr._batching import OnError, Outcome, Progress, checks, ingests
from baznashr._channel import DEFAULT_TIMEOUT_SECONDS, Connection
from baznashr._tls import TLS
from baznashr._transport import AsyncTransport
from baznashr.types import (
    DEFAULT_CORPUS,
    Backup,
    Boilerplate,
    Cluster,
    Corpus,
    CorpusStats,
    Document,
    Judgement,
    Override,
    Policy,
    ServerStatus,
    ShadowDifference,
    StoredDocument,
    StoredId,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncClient:
    """A connection to one server, for the event loop that makes the first call.

    Every method may raise the exceptions of ``baznashr.errors``. Calls that find the server unavailable are sent again,
    at most three times and only where that is safe, within the call's time.

    Args:
        target: The server's address, such as ``"127.0.0.1:50051"``; or the IP addresses of several, of which the first
            that can be reached is used.
        timeout: Seconds that each call may take, attempts and all; up to a year's.
        token: Sent with every call as a bearer token.
        tls: Encrypts the connection; None does not.
        token_in_clear: Send the token without encryption to another machine, where something else encrypts.

    Raises:
        ValueError: An argument is wrong, a file of *tls* is no PEM, or the token would be sent in clear.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        token: str | None = None,
        tls: TLS | None = None,
        token_in_clear: bool = False,
    ) -> None:
        self._transport = AsyncTransport(Connection(address(target), timeout, token, tls, token_in_clear))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; calls under way end with ``Cancelled``."""
        await self._transport.close()

    async def check(self, text_or_document: str | Document, corpus: str = DEFAULT_CORPUS) -> Judgement:
        """Judge one text and store nothing."""
        return await self._transport.run(_calls.check(text_or_document, corpus))

    @overload
    def check_many(
        self,
        items: Iterable[str | Document] | AsyncIterable[str | Document],
        corpus: str = ...,
        *,
        on_error: Literal["raise", "skip"] = ...,
        progress: Progress | None = ...,
    ) -> AsyncGenerator[Judgement, None]: ...

    @overload
    def check_many(
        self,
        items: Iterable[str | Document] | AsyncIterable[str | Document],
        corpus: str = ...,
        *,
        on_error: OnError,
        progress: Progress | None = ...,
    ) -> AsyncGenerator[Outcome, None]: ...

    def check_many(
        self,
        items: Iterable[str | Document] | AsyncIterable[str | Document],
        corpus: str = DEFAULT_CORPUS,
        *,
        on_error: OnError = "raise",
        progress: Progress | None = None,
    ) -> AsyncGenerator[Outcome, None]:
        """Judge any number of texts, in batches; answers come in the order asked.

        Args:
            items: Read only as fast as the service answers.
            corpus: What to judge against.
            on_error: What a bad item does: ``"raise"`` ends the iteration with its error, ``"skip"`` leaves it out,
                ``"yield"`` gives its error in its place. An error that no item is to blame for is always raised.
            progress: Told how many items are settled: answered, or refused and left out, and the next one asked for.
                To go on after an error, leave out that many.
        """
        return self._transport.many(items, checks(corpus, on_error, progress))

    async def compare(
        self, earlier: str | Document | StoredId, later: str | Document | StoredId, corpus: str | None = None
    ) -> Judgement:
        """Give the judgement that *later* would get from a corpus that holds only *earlier*.

        With a corpus, its policy and what it has learned are used.
        """
        return await self._transport.run(_calls.compare(earlier, later, corpus))

    async def ingest(self, document: Document, corpus: str = DEFAULT_CORPUS, replace: bool = False) -> Judgement:
        """Judge one document and store it, in one atomic and durable step.

        The same id with the same text gives the first answer again. The same id with another text raises
        ``DocumentIdReused`` or, with *replace*, is judged without its own old version and stored over it.
        """
        return await self._transport.run(_calls.ingest(document, corpus, replace))

    @overload
    def ingest_many(
        self,
        documents: Iterable[Document] | AsyncIterable[Document],
        corpus: str = ...,
        replace: bool = ...,
        *,
        on_error: Literal["raise", "skip"] = ...,
        progress: Progress | None = ...,
    ) -> AsyncGenerator[Judgement, None]: ...

    @overload
    def ingest_many(
        self,
        documents: Iterable[Document] | AsyncIterable[Document],
        corpus: str = ...,
        replace: bool = ...,
        *,
        on_error: OnError,
        progress: Progress | None = ...,
    ) -> AsyncGenerator[Outcome, None]: ...

    def ingest_many(
        self,
        documents: Iterable[Document] | AsyncIterable[Document],
        corpus: str = DEFAULT_CORPUS,
        replace: bool = False,
        *,
        on_error: OnError = "raise",
        progress: Progress | None = None,
    ) -> AsyncGenerator[Outcome, None]:
        """Judge and store any number of documents, in batches and in order; answers come in the same order.

        Args:
            documents: Read only as fast as the service answers.
            corpus: Where to store them.
            replace: As in ``ingest``.
            on_error: As in ``check_many``. With ``"raise"``, all before the bad document is stored, nothing after it.
            progress: As in ``check_many``. A document that is sent again gives its first answer again.
        """
        return self._transport.many(documents, ingests(corpus, replace, on_error, progress))

    async def get(self, id: str, corpus: str = DEFAULT_CORPUS) -> StoredDocument:  # noqa: A002 - the field's name
        """Read a stored document."""
        return await self._transport.run(_calls.get(id, corpus))

    async def delete(self, id: str, corpus: str = DEFAULT_CORPUS) -> bool:  # noqa: A002 - the field's name
        """Delete a document; return whether it was stored."""
        return await self._transport.run(_calls.delete(id, corpus))

    async def list_cluster(self, id: str, corpus: str = DEFAULT_CORPUS, *, limit: int = 1000) -> Cluster:  # noqa: A002
        """Read the cluster of a stored document with its first *limit* members, at most 1000.

        Raises:
            ValueError: *limit* is less than 1.
        """
        return await self._transport.run(_calls.list_cluster(id, corpus, limit))

    async def override(self, override: Override, corpus: str = DEFAULT_CORPUS) -> Override:
        """Record an editor's word, which wins over the rules."""
        return await self._transport.run(_calls.override(override, corpus))

    async def list_overrides(self, corpus: str = DEFAULT_CORPUS) -> tuple[Override, ...]:
        """List a corpus's overrides, the oldest first."""
        return await self._transport.all(lambda token: _calls.list_overrides(corpus, token))

    async def create_corpus(
        self,
        name: str,
        *,
        window_days: int = 0,
        keep_text: bool = True,
        policy: Policy | None = None,
        shadow_policy: Policy | None = None,
    ) -> Corpus:
        """Create a corpus; without a policy it has the default one, without a shadow policy none."""
        return await self._transport.run(_calls.create_corpus(name, window_days, keep_text, policy, shadow_policy))

    async def get_corpus(self, name: str = DEFAULT_CORPUS) -> Corpus:
        """Read a corpus's settings."""
        return await self._transport.run(_calls.get_corpus(name))

    async def list_corpora(self) -> tuple[Corpus, ...]:
        """List the corpora by name."""
        return await self._transport.all(_calls.list_corpora)

    async def update_corpus(
        self,
        name: str,
        *,
        window_days: int | None = None,
        policy: Policy | None = None,
        shadow_policy: Policy | None = None,
        remove_shadow_policy: bool = False,
    ) -> Corpus:
        """Change a corpus's settings; None leaves one as it is, and judgements already given do not change."""
        call = _calls.update_corpus(name, window_days, policy, shadow_policy, remove_shadow_policy)
        return await self._transport.run(call)

    async def delete_corpus(self, name: str) -> None:
        """Delete a corpus with all its documents; deleting the default one leaves it empty."""
        return await self._transport.run(_calls.delete_corpus(name))

    async def delete_where(
        self,
        corpus: str = DEFAULT_CORPUS,
        *,
        source: str | None = None,
        published_before: datetime | None = None,
        published_after: datetime | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete all documents that match all that is given; return how many, with *dry_run* only that.

        Times count from *published_after* on and before *published_before*, by publish or else arrival time. What a
        client stops waiting for goes on: give one that deletes a lot a long timeout.
        """
        call = _calls.delete_where(corpus, source, published_before, published_after, dry_run)
        return await self._transport.run(call)

    async def corpus_stats(self, name: str = DEFAULT_CORPUS) -> CorpusStats:
        """Tell what a corpus holds and costs."""
        return await self._transport.run(_calls.corpus_stats(name))

    async def shadow_differences(self, name: str = DEFAULT_CORPUS) -> tuple[ShadowDifference, ...]:
        """List the newest judgements that the shadow policy would have given otherwise, the newest first."""
        return await self._transport.run(_calls.shadow_differences(name))

    async def list_boilerplate(self, corpus: str = DEFAULT_CORPUS, *, limit: int = 100) -> tuple[Boilerplate, ...]:
        """List what a corpus has learned to be boilerplate, up to *limit* stretches, the most widely held first.

        Raises:
            ValueError: *limit* is less than 1.
        """
        return await self._transport.run(_calls.list_boilerplate(corpus, limit))

    async def server_status(self) -> ServerStatus:
        """Tell how the server is."""
        return await self._transport.run(_calls.server_status())

    async def backup(self, name: str = "") -> Backup:
        """Copy the server's store to a new file in its backup folder; without a name, under one made of the time.

        What a client stops waiting for goes on: give one that copies a large store a long timeout.
        """
        return await self._transport.run(_calls.backup(name))
