"""Batches on their way to the engine and back: plain tuples, which cross to another process cheaply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

Given = tuple[str, str, str, str, str, int | None]
"""Of a document: id, text, title, source, URL, and publish time in microseconds since 1970."""


SIZE = 128
"""Documents of a batch. A text is looked up before those of its own batch are in the tables, and again where one of
them might be found: in larger batches more are, in smaller ones what is done once for a batch weighs."""


class Answers(NamedTuple):
    """What became of a batch."""

    rows: list[tuple[Any, ...]]
    """ANSWERED columns of the documents that were not refused, in order."""
    edges: list[tuple[Any, ...]]
    """EDGES of their matches."""
    refused: list[tuple[int, str, str]]
    """Place in the batch, reason and message of the others."""


class Judges(Protocol):
    """An engine, here or in another process."""

    ahead: int
    """Batches that may be under way."""

    def submit(self, given: Sequence[Given]) -> Callable[[], Answers]:
        """Have a batch judged after those before, and return what waits for its answers; they come in that order.

        Raises:
            StoreError: The store cannot be written; also by what waits.
        """
