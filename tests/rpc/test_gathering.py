"""Calls that are taken together: each answered for itself, none kept waiting for company."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from baznashr.errors import BaznashrError, InternalError, InvalidText, ReadOnly, Unavailable
from baznashr.types import Document, Judgement, Verdict
from baznashr.v1 import check_service_pb2, document_pb2, ingest_service_pb2
from baznashr_server.engine import Engine
from baznashr_server.obs import calls
from baznashr_server.obs.metrics import Metrics
from baznashr_server.rpc.admission import Admission
from baznashr_server.rpc.check import CheckServicer
from baznashr_server.rpc.gathering import MOST_CHARS, MOST_ITEMS, Gathering, Item, Key
from baznashr_server.rpc.ingest import IngestServicer
from baznashr_server.rpc.memory import Ceiling
from baznashr_server.rpc.runner import Runner

KEY = ("default", False)
CONTEXT: Any = None


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


class Desk:
    """Threads and work under a test's control: work waits at the gate, and answers with the ids it was given."""

    engine: Any = None

    def __init__(self, fault: Callable[[Sequence[Item]], BaseException | None] = lambda _: None) -> None:
        self.threads = ThreadPoolExecutor(4)
        self.gate = threading.Event()
        self.batches: list[list[str]] = []
        self.fault = fault

    def start(self, work: Callable[[], None], *, bulk: bool) -> None:
        assert not bulk
        try:
            self.threads.submit(work)
        except RuntimeError:
            raise Unavailable("The end.") from None

    def waited(self, seconds: float) -> None:
        assert seconds >= 0

    def work(self, _: Engine, items: Sequence[Item], key: Key) -> Future[list[Judgement]]:
        documents = [item for item in items if isinstance(item, Document)]
        self.batches.append([document.id for document in documents])
        self.gate.wait(10)
        calls.add("verify", 0.5)
        answer: Future[list[Judgement]] = Future()
        if error := self.fault(documents):
            answer.set_exception(error)
        else:
            answer.set_result(
                [Judgement(Verdict.NEW, False, "R", document.id, corpus=key[0]) for document in documents]
            )
        return answer

    def gathering(self, *, at_once: int = 1, in_order: bool = False) -> Gathering:
        return Gathering(self.work, self, bulk=False, at_once=at_once, in_order=in_order)


def document(name: str, text: str = "متن") -> Document:
    return Document(name, text)


async def asked(gathering: Gathering, *documents: Document, key: Key = KEY) -> list[asyncio.Task[Judgement]]:
    """Ask for each, and let them arrive."""
    tasks = [asyncio.create_task(gathering.ask(one, key)) for one in documents]
    await asyncio.sleep(0.05)
    return tasks


def test_an_alone_call_starts_at_once_and_the_next_go_together() -> None:
    """The first is taken by itself; all that come while it is worked on are one batch, answered each with its own."""

    async def test() -> None:
        desk = Desk()
        gathering = desk.gathering()
        tasks = await asked(gathering, document("first"))
        assert desk.batches == [["first"]]
        tasks += await asked(gathering, *(document(f"d{n}") for n in range(5)))
        assert len(gathering) == 5
        desk.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.document_id for answer in answers] == ["first", "d0", "d1", "d2", "d3", "d4"]
        assert desk.batches == [["first"], ["d0", "d1", "d2", "d3", "d4"]]

    run(test())


def test_what_cannot_go_together_goes_apart() -> None:
    """Other corpora, an id that comes twice, long texts, and more than are taken at once."""

    async def test() -> None:
        desk = Desk()
        gathering = desk.gathering()
        tasks = await asked(gathering, document("first"))
        tasks += await asked(gathering, document("a"), document("a"), document("b"))
        tasks += await asked(gathering, document("c"), key=("other", False))
        tasks += await asked(gathering, *(document(f"d{n}") for n in range(MOST_ITEMS)))
        tasks += await asked(gathering, document("long", "ا" * (MOST_CHARS + 1)))
        assert desk.batches == [
            ["first"],
            ["a", "b", *(f"d{n}" for n in range(MOST_ITEMS - 2))],
        ]  # the long one's thread
        desk.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.corpus for answer in answers if answer.document_id == "c"] == ["other"]
        assert ["long"] in desk.batches
        assert ["c"] in desk.batches
        assert sum(batch.count("a") for batch in desk.batches) == 2
        assert max(batch.count("a") for batch in desk.batches) == 1

    run(test())


def test_a_call_cancelled_while_it_waits_never_starts() -> None:
    """It is not handed to the engine, and those around it are answered."""

    async def test() -> None:
        desk = Desk()
        gathering = desk.gathering()
        first, gone, stays = [
            *await asked(gathering, document("first")),
            *await asked(gathering, document("gone"), document("stays")),
        ]
        gone.cancel()
        await asyncio.sleep(0)
        desk.gate.set()
        assert [answer.document_id for answer in await asyncio.gather(first, stays)] == ["first", "stays"]
        assert desk.batches == [["first"], ["stays"]]

    run(test())


@pytest.mark.parametrize("in_order", [False, True])
def test_one_at_fault_does_not_fail_the_others(in_order: bool) -> None:
    """Whether an error names its item or comes out of the blue, the others get their answers, in their order."""

    def fault(documents: Sequence[Item]) -> BaseException | None:
        ids = [one.id for one in documents if isinstance(one, Document)]
        if "bad" in ids:
            return InvalidText("Empty.", reason="EMPTY_TEXT", field=f"documents[{ids.index('bad')}].text")
        return InternalError("Nobody knows.") if "worse" in ids else None

    async def test() -> None:
        desk = Desk(fault)
        gathering = desk.gathering(in_order=in_order)
        tasks = await asked(gathering, document("first"))
        tasks += await asked(gathering, document("a"), document("bad"), document("b"), document("worse"), document("c"))
        desk.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[2], InvalidText)
        assert answers[2].field == "text"
        assert isinstance(answers[4], InternalError)
        fine = [answer.document_id for answer in answers if isinstance(answer, Judgement)]
        assert fine == ["first", "a", "b", "c"]
        assert [batch[0] for batch in desk.batches if len(batch) == 1] == ["first", "a", "b", "worse", "c"]

    run(test())


def test_what_concerns_all_fails_all_each_with_its_own_error() -> None:
    """A store that takes no writes fails every call of a batch, and nothing is tried again."""

    async def test() -> None:
        desk = Desk(lambda _: ReadOnly("No."))
        gathering = desk.gathering()
        tasks = await asked(gathering, document("first"))
        tasks += await asked(gathering, document("a"), document("b"))
        desk.gate.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in errors] == [ReadOnly] * 3
        assert len({id(error) for error in errors}) == 3
        assert len(desk.batches) == 2

    run(test())


def test_at_the_end_of_the_server_those_who_wait_are_told() -> None:
    """When no thread can be had any more, what still waits is refused instead of waiting for ever."""

    async def test() -> None:
        desk = Desk()
        gathering = desk.gathering()
        tasks = await asked(gathering, document("first"))
        tasks += await asked(gathering, document("a"), document("b"))
        desk.threads.shutdown(wait=False)
        desk.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[0], Judgement)
        assert [type(answer) for answer in answers[1:]] == [Unavailable] * 2

    run(test())


def test_the_time_of_a_batch_is_each_calls_time() -> None:
    """Each call's account has the stages of the batch it was part of, since it waited for all of them."""

    async def test() -> None:
        desk = Desk()
        gathering = desk.gathering()

        async def call(name: str) -> calls.Call:
            account = calls.Call("service", "method")
            calls.current.set(account)
            await gathering.ask(document(name), KEY)
            return account

        tasks = [asyncio.create_task(call(name)) for name in ("a", "b", "c")]
        await asyncio.sleep(0.05)
        desk.gate.set()
        for account in await asyncio.gather(*tasks):
            assert account.stages["verify"].seconds == 0.5
            assert account.stages["thread"].runs == 1

    run(test())


@asynccontextmanager
async def servicers(folder: Path) -> AsyncIterator[tuple[IngestServicer, CheckServicer]]:
    """Yield the services over a real engine."""
    metrics = Metrics()
    runner = Runner(2, metrics.calls)
    with Engine.open(folder) as engine:
        runner.attach(engine)
        admission = Admission(256, 256, 1, metrics.calls)
        yield IngestServicer(runner, admission, Ceiling(0), 512), CheckServicer(runner, admission)
        await asyncio.to_thread(runner.detach)


def fields(answers: Sequence[object]) -> list[str]:
    return [answer.field for answer in answers if isinstance(answer, BaznashrError)]


def test_many_calls_at_once_are_answered_as_one_by_one(tmp_path: Path) -> None:
    """Each document gets the answer that is its own; a bad one and a reused id fail alone, in stores and checks."""
    texts = {f"d{n}": " ".join(f"واژه{n}شماره{m}" for m in range(60)) for n in range(40)}
    messages = [document_pb2.Document(id=name, text=text) for name, text in texts.items()]
    copy = document_pb2.Document(id="copy", text=texts["d7"])
    bad, reused = document_pb2.Document(id="bad", text="؟"), document_pb2.Document(id="d3", text="متن دیگری است")

    async def test() -> None:
        async with servicers(tmp_path) as (ingest, check):

            async def store(message: document_pb2.Document) -> Any:
                request = ingest_service_pb2.IngestDocumentRequest(document=message)
                return (await ingest.IngestDocument(request, CONTEXT)).judgement

            async def judge(item: check_service_pb2.CheckItem) -> Any:
                return (await check.CheckText(check_service_pb2.CheckTextRequest(item=item), CONTEXT)).judgement

            stored = await asyncio.gather(*map(store, [*messages, bad]), return_exceptions=True)
            assert [answer.document_id for answer in stored[:-1]] == list(texts)
            assert all(answer.stored and not answer.matches for answer in stored[:-1])
            assert fields(stored) == ["document.text"]
            again = await asyncio.gather(*map(store, [*messages, copy, reused]), return_exceptions=True)
            assert all(answer.replayed for answer in again[:-2])
            assert again[-2].canonical_id == "d7"
            assert fields(again) == ["document.id"]
            items = [check_service_pb2.CheckItem(text=text) for text in texts.values()]
            items += [check_service_pb2.CheckItem(document=one) for one in (bad, reused)]
            checked = await asyncio.gather(*map(judge, items), return_exceptions=True)
            assert [answer.canonical_id for answer in checked[:-2]] == list(texts)
            assert fields(checked) == ["item.document.text", "item.document.id"]

    run(test())
