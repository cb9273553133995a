"""Health by service, by the standard protocol ``grpc.health.v1``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import Gauge

from baznashr_server.rpc.interception import Context

WHOLE_SERVER = ""


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

    def _status(self, service: str) -> health_pb2.HealthCheckResponse.ServingStatus | None:
        serving = self._serving.get(service)
        if serving is None:
            return None
        return health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING

    async def Check(  # noqa: N802 - the name is the protocol's, here and below
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        status = self._status(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return health_pb2.HealthCheckResponse(status=status)

    async def List(  # noqa: N802
        self, request: health_pb2.HealthListRequest, context: Context  # noqa: ARG002
    ) -> health_pb2.HealthListResponse:
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=self._status(name)) for name in self._serving}
        )

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context  # noqa: ARG002
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        last = None
        while True:
            changed = self._changed
            status = self._status(request.service) or health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != last:
                yield health_pb2.HealthCheckResponse(status=status)
                last = status
            if self._closed:
                return
            await changed.wait()
