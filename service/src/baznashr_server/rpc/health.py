"""Health by service, by the standard protocol ``grpc.health.v1``."""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import Gauge

from baznashr_server.rpc.interception import Context

WHOLE_SERVER = ""
_Health = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """Says NOT_SERVING of each of *services* until told otherwise, and of all of them once it drains.

    The package's own servicer says SERVING of the whole server from the start, and its watches outlive a shutdown and
    use up the grace.
    """

    def __init__(self, services: tuple[str, ...], serving: Gauge) -> None:
        self._serving = dict.fromkeys((WHOLE_SERVER, *services), False)
        self._gauges = {name: serving.labels(name or "server") for name in self._serving}
        self._changed = asyncio.Event()
        self._draining = False
        self._closed = False

    def set(self, serving: Mapping[str, bool]) -> None:
        """Say of the services named whether they serve."""
        if self._draining or serving.items() <= self._serving.items():
            return
        self._serving.update(serving)
        for name, is_serving in serving.items():
            self._gauges[name].set(is_serving)
        self._wake()

    def drain(self) -> None:
        """Say NOT_SERVING of everything from now on."""
        self.set(dict.fromkeys(self._serving, False))
        self._draining = True

    def close(self) -> None:
        """End all watches."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _answer(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._serving:
            return _Health(status=_Health.SERVICE_UNKNOWN)
        return _Health(status=_Health.SERVING if self._serving[service] else _Health.NOT_SERVING)

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such service.")
        return self._answer(request.service)

    async def List(self, request: Any, context: Context) -> Any:  # typeshed's stubs do not know this method
        statuses = {name: self._answer(name) for name in self._serving}
        return health_pb2.HealthListResponse(statuses=statuses)  # type: ignore[attr-defined]

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        last = None
        while True:
            changed = self._changed
            answer = self._answer(request.service)
            if answer != last:
                yield answer
                last = answer
            if self._closed:
                return
            await changed.wait()
