"""AdminService: the process itself."""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from baznashr import wire
from baznashr.types import ServerStatus
from baznashr.v1 import admin_service_pb2 as pb
from baznashr.v1 import admin_service_pb2_grpc
from baznashr_server.engine import Engine
from baznashr_server.rpc.backups import Backups
from baznashr_server.rpc.interception import Context
from baznashr_server.rpc.runner import Runner, outlasting


class AdminServicer(admin_service_pb2_grpc.AdminServiceServicer):
    def __init__(self, runner: Runner, backup_dir: Path | None) -> None:
        self._runner = runner
        self._backups = Backups(backup_dir)
        self._started_at = datetime.now(UTC)

    async def GetServerStatus(self, request: pb.GetServerStatusRequest, context: Context) -> pb.GetServerStatusResponse:
        return await self._runner.run(self._status, request)

    def _status(self, engine: Engine, _: pb.GetServerStatusRequest) -> pb.GetServerStatusResponse:
        sizes = engine.sizes().values()
        status = ServerStatus(
            version=version("baznashr-server"),
            profile=engine.operations.profile.name,
            started_at=self._started_at,
            corpora=len(sizes),
            documents=sum(int(size["documents"]) for size in sizes),
            memory_bytes=sum(int(size["memory_bytes"]) for size in sizes),
            read_only_reason=engine.read_only_reason,
        )
        return pb.GetServerStatusResponse(status=wire.server_status_to_message(status))

    async def BackupStore(self, request: pb.BackupStoreRequest, context: Context) -> pb.BackupStoreResponse:
        # In a thread of its own: the engine's are for calls that last milliseconds.
        backup = asyncio.create_task(asyncio.to_thread(self._backups.take, self._runner.engine, request.name))
        return pb.BackupStoreResponse(backup=wire.backup_to_message(await outlasting(backup)))
