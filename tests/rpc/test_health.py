"""Health: by service, watched, and over at the end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, Gauge

from baznashr_server.rpc.health import WHOLE_SERVER, Health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Health, Any, grpc.aio.Server, CollectorRegistry]]:
    registry = CollectorRegistry()
    health = Health(("a", "b"), Gauge("serving", "Serving.", ["service"], registry=registry))
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield health, health_pb2_grpc.HealthStub(channel), server, registry
    health.close()
    await server.stop(None)


def asked(service: str) -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def test_nothing_serves_until_it_is_said() -> None:
    """The whole server and each service are NOT_SERVING at first, then as they are set; the metric follows."""

    async def test() -> None:
        async with served() as (health, stub, _, registry):
            for name in (WHOLE_SERVER, "a", "b"):
                assert (await stub.Check(asked(name))).status == NOT_SERVING
            health.set({WHOLE_SERVER: True, "a": True})
            statuses = (await stub.List(health_pb2.HealthListRequest())).statuses
            assert {name: answer.status for name, answer in statuses.items()} == {
                WHOLE_SERVER: SERVING,
                "a": SERVING,
                "b": NOT_SERVING,
            }
            assert registry.get_sample_value("serving", {"service": "server"}) == 1
            assert registry.get_sample_value("serving", {"service": "b"}) == 0
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Check(asked("c"))
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND

    run(test())


def test_watches_see_changes_and_end() -> None:
    """A watch tells each change once, NOT_SERVING when the server drains, and ends when it closes."""

    async def test() -> None:
        async with served() as (health, stub, server, _):
            watch = aiter(stub.Watch(asked("a")))
            unknown = aiter(stub.Watch(asked("c")))
            assert (await anext(watch)).status == NOT_SERVING
            assert (await anext(unknown)).status == UNKNOWN
            health.set({"a": True})
            assert (await anext(watch)).status == SERVING
            health.set({"b": True})
            health.drain()
            assert (await anext(watch)).status == NOT_SERVING
            health.set({"a": True})
            assert (await stub.Check(asked("a"))).status == NOT_SERVING
            health.close()
            assert [answer async for answer in watch] == []
            assert [answer async for answer in unknown] == []
            begun = asyncio.get_running_loop().time()
            await server.stop(10)
            assert asyncio.get_running_loop().time() - begun < 1

    run(test())
