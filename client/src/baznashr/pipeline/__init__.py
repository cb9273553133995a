"""Guards for pipelines: store what is new, and lose nothing while the service is away.

    from baznashr import Client
    from baznashr.pipeline import only_new

    with Client("127.0.0.1:50051") as client:
        for document in only_new(client, documents):
            store(document)

``RepeatGuard`` and ``AsyncRepeatGuard`` offer the same for one document at a time, and count.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, overload

from baznashr._aio import AsyncClient
from baznashr._client import Client
from baznashr.pipeline._aio import AsyncRepeatGuard
from baznashr.pipeline._guard import RepeatGuard
from baznashr.pipeline._policy import Admission, OnRefused, OnUnavailable, State
from baznashr.types import DEFAULT_CORPUS, Document

__all__ = ["Admission", "AsyncRepeatGuard", "OnRefused", "OnUnavailable", "RepeatGuard", "State", "only_new"]


@overload
def only_new(
    client: Client,
    documents: Iterable[Document],
    corpus: str = ...,
    replace: bool = ...,
    *,
    on_unavailable: OnUnavailable = ...,
    spool: str | Path | None = ...,
    on_refused: OnRefused = ...,
    progress: Callable[[int], object] | None = ...,
) -> Iterator[Document]: ...


@overload
def only_new(
    client: AsyncClient,
    documents: Iterable[Document] | AsyncIterable[Document],
    corpus: str = ...,
    replace: bool = ...,
    *,
    on_unavailable: OnUnavailable = ...,
    spool: str | Path | None = ...,
    on_refused: OnRefused = ...,
    progress: Callable[[int], object] | None = ...,
) -> AsyncGenerator[Document, None]: ...


def only_new(
    client: Client | AsyncClient,
    documents: Any,
    corpus: str = DEFAULT_CORPUS,
    replace: bool = False,
    *,
    on_unavailable: OnUnavailable = "raise",
    spool: str | Path | None = None,
    on_refused: OnRefused = "raise",
    progress: Callable[[int], object] | None = None,
) -> Iterator[Document] | AsyncGenerator[Document, None]:
    """Yield what should be stored of *documents*: ``RepeatGuard.only_new`` with a guard of its own.

    With an ``AsyncClient`` the answer is an asynchronous generator, which keeps the spool folder until it is closed:
    where it may be left before its end, use ``contextlib.aclosing``. The arguments are those of ``RepeatGuard`` and of
    its ``only_new``; keep a guard yourself to read its counts or to replay what still waits at the end.
    """
    guarding: dict[str, Any] = {"corpus": corpus, "replace": replace, "on_unavailable": on_unavailable, "spool": spool}
    options: dict[str, Any] = {"on_refused": on_refused, "progress": progress}
    if isinstance(client, AsyncClient):
        return _awaited(client, guarding, documents, options)
    return _iterated(client, guarding, documents, options)


# Guards are made when the iteration begins, so that one that never begins leaves no folder locked.
def _iterated(
    client: Client, guarding: dict[str, Any], documents: Iterable[Document], options: dict[str, Any]
) -> Iterator[Document]:
    with RepeatGuard(client, **guarding) as guard:
        yield from guard.only_new(documents, **options)


async def _awaited(
    client: AsyncClient, guarding: dict[str, Any], documents: Any, options: dict[str, Any]
) -> AsyncGenerator[Document, None]:
    async with AsyncRepeatGuard(client, **guarding) as guard, aclosing(guard.only_new(documents, **options)) as new:
        async for document in new:
            yield document
