"""The server in one process with the engine: what it says before there is one, and what when it cannot write."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from baznashr.errors import Unavailable
from baznashr.types import Policy
from baznashr.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    check_service_pb2,
    check_service_pb2_grpc,
    corpus_service_pb2,
    corpus_service_pb2_grpc,
)
from baznashr_server.access.protection import Protection
from baznashr_server.engine import Engine
from baznashr_server.obs.metrics import Metrics
from baznashr_server.rpc.backups import Backups
from baznashr_server.rpc.listening import ListenError
from baznashr_server.rpc.methods import SERVICES
from baznashr_server.rpc.server import Server
from baznashr_server.settings import load
from tests.support.server import SERVING, read_refusal

REQUEST = check_service_pb2.CheckTextRequest(item=check_service_pb2.CheckItem(text="خبر کوتاه"))


@asynccontextmanager
async def started(data: Path, **flags: object) -> AsyncIterator[tuple[Server, Metrics, grpc.aio.Channel]]:
    """A server that listens and has no engine yet."""
    metrics = Metrics()
    server = Server(load({"data": data, "listen": "127.0.0.1:0", **flags}), Protection(None, None), metrics)
    addresses = await server.start()
    try:
        async with grpc.aio.insecure_channel(str(addresses["listen"])) as channel:
            yield server, metrics, channel
    finally:
        await server.stop()


async def serving(channel: grpc.aio.Channel) -> set[str]:
    answer = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest())
    return {name for name, health in answer.statuses.items() if health.status == SERVING}


@pytest.mark.timeout(300)  # compiles everything on a fresh machine
def test_nothing_is_served_before_the_engine_is_ready(tmp_path: Path) -> None:
    """Until the tables are filled and the kernels compiled, health is NOT_SERVING and calls are told to come back."""

    async def test() -> None:
        async with started(tmp_path / "data") as (server, metrics, channel):
            assert await serving(channel) == set()
            check = check_service_pb2_grpc.CheckServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as early:
                await check.CheckText(REQUEST)
            refused = read_refusal(early.value)
            assert (refused.code, refused.error.reason) == ("UNAVAILABLE", "STARTING")
            assert refused.error.retriable
            with await asyncio.to_thread(Engine.open, tmp_path / "data") as engine:
                server.serve(engine)
                assert await serving(channel) == {"", *SERVICES}
                assert (await check.CheckText(REQUEST)).judgement.reason
                assert metrics.registry.get_sample_value("baznashr_serving", {"service": "server"}) == 1
                await server.stop()

    asyncio.run(test())


def test_an_address_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    """Where the server cannot listen, one sentence says so, without gRPC's own words."""

    async def test() -> None:
        with pytest.raises(ListenError, match=r"^Cannot listen on 192\.0\.2\.1:0: .+\.$"):
            async with started(tmp_path / "data", listen="192.0.2.1:0", insecure=True):
                pass

    asyncio.run(test())


def test_a_backup_that_nobody_waits_for_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its caller has left, a backup that is refused is no error of the server's own."""
    begun, may_end = Event(), Event()

    def take(*_: object) -> None:
        begun.set()
        may_end.wait(10)
        raise Unavailable("Another backup is being taken.")

    monkeypatch.setattr(Backups, "take", take)
    untold: list[dict[str, object]] = []

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: untold.append(context))
        async with started(tmp_path / "data") as (server, metrics, channel):
            with await asyncio.to_thread(Engine.open, tmp_path / "data") as engine:
                server.serve(engine)
                call = admin_service_pb2_grpc.AdminServiceStub(channel).BackupStore(
                    admin_service_pb2.BackupStoreRequest()
                )
                assert await asyncio.to_thread(begun.wait, 10)
                call.cancel()
                while metrics.registry.get_sample_value("baznashr_calls_running", {"lane": "single"}):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                may_end.set()
                await server.stop()

    asyncio.run(test())
    gc.collect()
    assert untold == []


def test_a_page_of_corpora_ends_by_size(tmp_path: Path) -> None:
    """Policies of megabytes come in several answers, each of which any client takes, and none is left out."""
    policy = Policy(source_ranks=tuple(f"{number}{'x' * 3990}" for number in range(900)))

    async def test() -> None:
        async with started(tmp_path / "data") as (server, _, channel):
            with await asyncio.to_thread(Engine.open, tmp_path / "data") as engine:
                for number in range(3):
                    engine.create_corpus(f"large{number}", policy=policy)
                server.serve(engine)
                stub = corpus_service_pb2_grpc.CorpusServiceStub(channel)
                pages = [await stub.ListCorpora(corpus_service_pb2.ListCorporaRequest())]
                while pages[-1].next_page_token:
                    request = corpus_service_pb2.ListCorporaRequest(page_token=pages[-1].next_page_token)
                    pages.append(await stub.ListCorpora(request))
                names = [[corpus.name for corpus in page.corpora] for page in pages]
                assert names == [["default", "large0"], ["large1"], ["large2"]]
                await server.stop()

    asyncio.run(test())
