"""What ``ingest_many`` and ``check_many`` do between the caller's iterable and the service's batches.

A raw batch is all or nothing, and its error names one item. Here a bad item costs only itself: the items before it
are sent again as a batch of their own, then those after it. Nothing here does input or output, so both clients use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from baznashr._calls import Call, check_messages, ingest_messages
from baznashr.errors import BaznashrError, CorpusNotFound, InvalidArgument, InvalidCorpus, MessageTooLarge
from baznashr.types import Document, Judgement
from baznashr.wire import check_item_to_message, document_to_message

OnError: TypeAlias = Literal["raise", "skip", "yield"]
Outcome: TypeAlias = Judgement | BaznashrError
Progress: TypeAlias = Callable[[int], object]

MAX_ITEMS = 64
"""In one batch: the cost of a call is spread thin enough, and an answer is not waited for too long."""
MAX_BYTES = 3 << 20
"""Of one batch's items, under the 4 MiB that the service accepts in a message."""

_ITEM = re.compile(r"^(\w+)\[(\d+)\]\.?(.*)$")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Plan(Generic[_T]):
    """How one iterable is sent."""

    encode: Callable[[_T], Any]
    """Makes an item's message."""
    path: str
    """The name of the items in an error's field."""
    call: Callable[[Sequence[Any]], Call[list[Judgement]]]
    """Makes the call for some messages."""
    on_error: OnError
    in_flight: int
    """Batches sent and not yet answered."""
    progress: Progress | None
    """Told how many items are settled."""

    def __post_init__(self) -> None:
        if self.on_error not in get_args(OnError):
            raise ValueError(f"on_error is one of {', '.join(get_args(OnError))}, not {self.on_error!r}.")


@dataclass(slots=True)
class Batch:
    """Neighbours of the caller's iterable."""

    first: int
    """Place of the first item in the iterable."""
    messages: list[Any] = field(default_factory=list)
    refused: BaznashrError | None = None
    """Why the one item of this batch cannot even be sent."""


def checks(corpus: str, on_error: OnError, progress: Progress | None = None) -> Plan[str | Document]:
    """Checks do not depend on each other, so a few batches at once keep the service busy."""
    return Plan(
        encode=check_item_to_message,
        path="items",
        call=lambda messages: check_messages(messages, corpus),
        on_error=on_error,
        in_flight=4,
        progress=progress,
    )


def ingests(corpus: str, replace: bool, on_error: OnError, progress: Progress | None = None) -> Plan[Document]:
    """Later documents may repeat earlier ones, so only one batch at a time is judged."""
    return Plan(
        encode=document_to_message,
        path="documents",
        call=lambda messages: ingest_messages(messages, corpus, replace),
        on_error=on_error,
        in_flight=1,
        progress=progress,
    )


@dataclass(slots=True)
class Settled:
    """What became of the items of a batch, in order."""

    first: int
    """Place of the first item in the iterable."""
    outcomes: list[Outcome]
    failure: BaznashrError | None = None
    """Why the items after the outcomes have none: no item is to blame."""


class Job:
    """A batch on its way: ``call`` is what to send next, and None once ``settled`` holds what became of it."""

    def __init__(self, batch: Batch, plan: Plan[Any]) -> None:
        self.call: Call[list[Judgement]] | None = None
        self.settled = Settled(batch.first, [])
        self._plan = plan
        self._machine = settle(batch, plan.path, stop=plan.on_error == "raise")
        self._step(lambda: next(self._machine))

    @property
    def lets_others_follow(self) -> bool:
        """Whether the batches behind this one may be sent once it is settled."""
        stops = self._plan.on_error == "raise" and any(
            isinstance(each, BaznashrError) for each in self.settled.outcomes
        )
        return self.settled.failure is None and not stops

    def answered(self, judgements: Sequence[Judgement]) -> None:
        """Take the answer to ``call``."""
        self._step(lambda: self._machine.send(judgements))

    def failed(self, error: BaznashrError) -> None:
        """Take the error of ``call``."""
        self._step(lambda: self._machine.throw(error))

    def _step(self, step: Callable[[], list[Any]]) -> None:
        try:
            self.call = self._plan.call(step())
        except StopIteration as done:
            self.call, self.settled = None, done.value


class Batcher(Generic[_T]):
    """Cuts an iterable into batches by count, by size, and before an id that comes again."""

    def __init__(self, plan: Plan[_T]) -> None:
        self._plan = plan
        self._seen = 0
        self._size = 0
        self._ids: set[str] = set()
        self._batch = Batch(0)

    def add(self, item: _T) -> list[Batch]:
        """Take the next item; return the batches that are complete now."""
        place, self._seen = self._seen, self._seen + 1
        try:
            message = self._plan.encode(item)
        except InvalidArgument as error:
            return [*self.flush(), Batch(place, refused=error.at(f"{self._plan.path}[{place}]"))]
        size = message.ByteSize()
        # The service refuses an id that comes twice in one batch; over the iterable it is an ordinary retry.
        document_id = item.id if isinstance(item, Document) else None
        full = len(self._batch.messages) == MAX_ITEMS or self._size + size > MAX_BYTES or document_id in self._ids
        complete = self.flush() if full else []
        if not self._batch.messages:
            self._batch.first = place
        self._batch.messages.append(message)
        self._size += size
        if document_id is not None:
            self._ids.add(document_id)
        return complete

    def flush(self) -> list[Batch]:
        """Return what is not yet returned."""
        complete = [self._batch] if self._batch.messages else []
        self._batch, self._size = Batch(self._seen), 0
        self._ids.clear()
        return complete


def settle(batch: Batch, path: str, *, stop: bool) -> Generator[list[Any], Sequence[Judgement], Settled]:
    """Bring a batch to its end: yields the messages to send, is sent their judgements or thrown their error.

    With *stop*, nothing after a bad item is sent.
    """
    outcomes: list[Outcome] = []
    work = [batch]
    while work:
        part = work.pop()
        if part.refused is not None:
            outcomes.append(part.refused)
            if stop:
                break
        elif part.messages:
            try:
                judgements = yield part.messages
            except BaznashrError as error:
                parts = _split(part, error, path)
                if not parts:
                    return Settled(batch.first, outcomes, error)
                work += reversed(parts)
            else:
                outcomes += judgements
    return Settled(batch.first, outcomes)


def _split(batch: Batch, error: BaznashrError, path: str) -> list[Batch]:
    """Return what comes before, is, and comes after the item that *error* blames; nothing where it blames none."""
    named = _ITEM.match(error.field)
    if isinstance(error, (CorpusNotFound, InvalidCorpus)):
        return []  # every item would get it, whichever one it names
    if named and int(named[2]) < len(batch.messages):
        bad, below = int(named[2]), named[3]
    elif len(batch.messages) == 1 and isinstance(error, MessageTooLarge):
        bad, below = 0, ""
    else:
        return []
    place = batch.first + bad
    moved = type(error)(error.message, reason=error.reason, field=below, metadata=error.metadata)
    return [
        Batch(batch.first, batch.messages[:bad]),
        Batch(place, refused=moved.at(f"{path}[{place}]")),
        Batch(place + 1, batch.messages[bad + 1 :]),
    ]


def deliver(settled: Settled, plan: Plan[Any]) -> Generator[Outcome, None, None]:
    """Yield the outcomes as the caller wants its errors, then raise what stopped the batch.

    An item is settled once the caller, who was given its outcome, asks for the next one.
    """
    for count, outcome in enumerate(settled.outcomes, start=settled.first + 1):
        if not isinstance(outcome, BaznashrError) or plan.on_error == "yield":
            yield outcome
        elif plan.on_error == "raise":
            raise outcome
        if plan.progress is not None:
            plan.progress(count)
    if settled.failure is not None:
        raise settled.failure
