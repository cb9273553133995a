"""The gRPC server: the services, what stands around each call, and health, from the first answer to the last."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from baznashr.v1 import (
    admin_service_pb2_grpc,
    check_service_pb2_grpc,
    corpus_service_pb2_grpc,
    ingest_service_pb2_grpc,
)
from baznashr_server import limits
from baznashr_server.access.protection import Protection
from baznashr_server.engine import Engine
from baznashr_server.obs.metrics import Metrics
from baznashr_server.obs.watch import NoTracing, Tracing, Watch
from baznashr_server.rpc.access import Access, Doorstep, Guard
from baznashr_server.rpc.admin import AdminServicer
from baznashr_server.rpc.admission import Admission, AdmissionInterceptor
from baznashr_server.rpc.check import CheckServicer
from baznashr_server.rpc.corpora import CorpusServicer
from baznashr_server.rpc.decoding import Decoding
from baznashr_server.rpc.errors import Errors
from baznashr_server.rpc.health import WHOLE_SERVER, Health
from baznashr_server.rpc.ingest import IngestServicer
from baznashr_server.rpc.interception import Layers
from baznashr_server.rpc.listening import ListenError, credentials, listen
from baznashr_server.rpc.memory import Ceiling
from baznashr_server.rpc.methods import ADMIN_SERVICE, CHECK_SERVICE, CORPUS_SERVICE, INGEST_SERVICE, SERVICES
from baznashr_server.rpc.observation import CallLog, RpcMetricsInterceptor
from baznashr_server.rpc.renewal import Renewal
from baznashr_server.rpc.runner import Runner
from baznashr_server.settings import Address, Settings

READ_ONLY_POLL_SECONDS = 0.5
SETTLE_SECONDS = 0.2

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # or a second server would take half of the first one's connections
    ("grpc.max_receive_message_length", limits.MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", limits.MAX_ANSWER_BYTES),
    ("grpc.max_concurrent_streams", limits.MAX_CALLS_PER_CONNECTION),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    # Client certificates are looked at when a connection is made; calls under way go on, later ones make a new one.
    ("grpc.max_connection_age_ms", limits.MAX_CONNECTION_SECONDS * 1000),
)


class Server:
    """Answers from ``start`` on, NOT_SERVING until it is given the engine by ``serve``. Belongs to one event loop."""

    def __init__(
        self, settings: Settings, protection: Protection, metrics: Metrics, tracing: Tracing | None = None
    ) -> None:
        self._settings = settings
        self._renewal = Renewal(settings.secrets, protection, metrics.access)
        self._guard = Guard(self._renewal.keeper, settings.tls_client_names, metrics.access)
        self._is_secure = protection.certificates is not None
        self._metrics = metrics
        self._watch = Watch(settings.slow_call_seconds, metrics.calls, tracing or NoTracing())
        self._health = Health(SERVICES, metrics.serving)
        self._runner = Runner(settings.workers, metrics.calls)
        self._admission = Admission(
            settings.max_concurrent_calls, settings.max_queued_calls, settings.max_streams, metrics.calls
        )
        if settings.admin:
            self._main = self._new_server(CHECK_SERVICE, INGEST_SERVICE, CORPUS_SERVICE)
            self._admin = self._new_server(ADMIN_SERVICE)
        else:
            self._main = self._admin = self._new_server(*SERVICES)
        check_service_pb2_grpc.add_CheckServiceServicer_to_server(
            CheckServicer(self._runner, self._admission), self._main
        )
        ceiling = Ceiling(settings.max_memory_mib << 20)
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(
            IngestServicer(self._runner, self._admission, ceiling, settings.group_commit_max_documents), self._main
        )
        corpus_service_pb2_grpc.add_CorpusServiceServicer_to_server(CorpusServicer(self._runner), self._main)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
            AdminServicer(self._runner, settings.backup_dir), self._admin
        )
        self._probed = self._health_server() if settings.health else None
        self._serving = False
        self._watches: list[asyncio.Task[None]] = []

    @property
    def _servers(self) -> set[grpc.aio.Server]:
        return {server for server in (self._main, self._admin, self._probed) if server}

    def _new_server(self, *services: str) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=self.interceptors(), options=_OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.reflection:
            reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        return server

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """Return what stands around each call, outermost first; new ones each time, since they keep what they wrap."""
        return [
            Doorstep(self._guard),
            Layers(
                Errors(),
                CallLog(self._watch),
                RpcMetricsInterceptor(self._metrics.rpc),
                Decoding(),
                Access(self._guard),
                AdmissionInterceptor(self._admission),
            ),
        ]

    def _health_server(self) -> grpc.aio.Server:
        server = grpc.aio.server(options=_OPTIONS)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        return server

    async def start(self) -> dict[str, Address]:
        """Listen; return the addresses by the settings they are for, with the ports that were taken.

        Raises:
            ListenError: An address is taken or not this machine's.
        """
        addresses: dict[str, Address] = {}
        try:
            for name, server in (("listen", self._main), ("admin", self._admin), ("health", self._probed)):
                address: Address | None = getattr(self._settings, name)
                if address and server:
                    # Each has credentials of its own: they remember what they have shown.
                    secure = credentials(self._renewal.certificates) if self._is_secure and name != "health" else None
                    addresses[name] = listen(server, address, secure)
        except ListenError:
            await self.stop()
            raise
        for server in self._servers:
            await server.start()
        self._watches.append(asyncio.create_task(self._renewal.watch()))
        return addresses

    def serve(self, engine: Engine) -> None:
        """Answer with *engine* and say SERVING."""
        self._runner.attach(engine)
        self._health.set(dict.fromkeys((WHOLE_SERVER, *SERVICES), True))
        self._serving = True
        self._watches.append(asyncio.create_task(self._watch_read_only(engine)))

    async def _watch_read_only(self, engine: Engine) -> None:
        while True:
            read_only = engine.read_only_reason is not None
            self._health.set({INGEST_SERVICE: not read_only})
            self._metrics.engine.read_only.set(read_only)
            await asyncio.sleep(READ_ONLY_POLL_SECONDS)

    async def stop(self) -> None:
        """Say NOT_SERVING, go on for the drain time, let calls finish within the grace, and let go of the engine."""
        self._health.drain()
        if self._serving:
            await asyncio.sleep(self._settings.drain_seconds)
        for watch in self._watches:
            watch.cancel()
        self._health.close()
        self._admission.close()
        begun = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace_seconds):
                await self._admission.idle()
                # What is on its way is refused by us, retriably; what gRPC finds at its own stop ends as CANCELLED.
                await asyncio.sleep(SETTLE_SECONDS)
        left = max(0.0, self._settings.grace_seconds - (asyncio.get_running_loop().time() - begun))
        await asyncio.gather(*(server.stop(left) for server in self._servers))
        await asyncio.to_thread(self._runner.detach)
