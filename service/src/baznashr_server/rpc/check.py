"""CheckService: judges and stores nothing."""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial

from baznashr import wire
from baznashr.types import Document, Judgement
from baznashr.v1 import check_service_pb2 as pb
from baznashr.v1 import check_service_pb2_grpc, stream_pb2
from baznashr_server import limits
from baznashr_server.engine import Engine
from baznashr_server.rpc.admission import Admission
from baznashr_server.rpc.fields import errors_at
from baznashr_server.rpc.gathering import Gathering, Item, Key
from baznashr_server.rpc.interception import Context
from baznashr_server.rpc.runner import Runner, standing_aside
from baznashr_server.rpc.streams import answers


def _check_gathered(engine: Engine, items: Sequence[Item], key: Key, *, bulk: bool) -> Future[list[Judgement]]:
    corpus, _ = key
    answered: Future[list[Judgement]] = Future()
    answered.set_result(engine.check_batch(items, corpus, bulk=bulk))
    return answered


_check_singles = partial(_check_gathered, bulk=False)
_check_items = partial(_check_gathered, bulk=True)


async def _check(gathering: Gathering, request: pb.CheckTextRequest | pb.StreamCheckTextsRequest) -> Judgement:
    with errors_at("item"):
        item = wire.check_item_from_message(request.item)
        with errors_at("document") if isinstance(item, Document) else nullcontext():
            return await gathering.ask(item, (wire.corpus_name(request.corpus), False))


def _batch_check(engine: Engine, request: pb.BatchCheckTextsRequest) -> pb.BatchCheckTextsResponse:
    items = []
    for number, message in enumerate(standing_aside(engine, request.items)):
        with errors_at(f"items[{number}]"):
            items.append(wire.check_item_from_message(message))
    judgements = engine.check_batch(items, wire.corpus_name(request.corpus))
    return pb.BatchCheckTextsResponse(judgements=map(wire.judgement_to_message, standing_aside(engine, judgements)))


def _compare(engine: Engine, request: pb.CompareTextsRequest) -> pb.CompareTextsResponse:
    with errors_at("earlier"):
        earlier = wire.compare_item_from_message(request.earlier)
    with errors_at("later"):
        later = wire.compare_item_from_message(request.later)
    judgement = engine.compare(earlier, later, request.corpus or None)
    return pb.CompareTextsResponse(judgement=wire.judgement_to_message(judgement))


class CheckServicer(check_service_pb2_grpc.CheckServiceServicer):
    def __init__(self, runner: Runner, admission: Admission) -> None:
        self._runner = runner
        self._singles = runner.gathering(_check_singles)
        self._items = runner.gathering(_check_items, bulk=True)
        self._admission = admission

    async def CheckText(self, request: pb.CheckTextRequest, context: Context) -> pb.CheckTextResponse:
        return pb.CheckTextResponse(judgement=wire.judgement_to_message(await _check(self._singles, request)))

    async def BatchCheckTexts(self, request: pb.BatchCheckTextsRequest, context: Context) -> pb.BatchCheckTextsResponse:
        return await self._runner.run(_batch_check, request, bulk=True)

    async def CompareTexts(self, request: pb.CompareTextsRequest, context: Context) -> pb.CompareTextsResponse:
        return await self._runner.run(_compare, request)

    async def StreamCheckTexts(
        self, request_iterator: AsyncIterator[pb.StreamCheckTextsRequest], context: Context
    ) -> AsyncIterator[pb.StreamCheckTextsResponse]:
        window = stream_pb2.StreamWindow(max_in_flight=limits.MAX_STREAM_IN_FLIGHT)
        yield pb.StreamCheckTextsResponse(window=window)

        async def check(request: pb.StreamCheckTextsRequest) -> Judgement:
            async with self._admission.turn(patient=True, bulk=True):
                return await _check(self._items, request)

        async for item in answers(request_iterator, check, window.max_in_flight, self._admission.closing):
            yield pb.StreamCheckTextsResponse(item=item)
