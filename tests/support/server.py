"""A real server process for tests, on free ports of this machine."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from baznashr.errors import BaznashrError
from baznashr.status import error_from_trailers
from baznashr.v1 import admin_service_pb2_grpc, check_service_pb2_grpc, corpus_service_pb2_grpc, ingest_service_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
DEADLINE_SECONDS = 30
_MESSAGE_OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]


def command(data: Path, *flags: str) -> list[str]:
    """Return the command that serves *data*; later flags win over those given here."""
    free = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    return [sys.executable, "-m", "baznashr_server", "serve", "--data", str(data), *free, *flags]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without settings of the person who runs the tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BAZNASHR_") or name == "BAZNASHR_KERNEL_CACHE"
    }
    return {**kept, **variables}


@dataclass
class ServerProcess:
    """A running ``baznashr-server``."""

    process: subprocess.Popen[str]
    data: Path
    log_file: Path
    listen: str = ""
    metrics: str = ""
    admin: str = ""
    health: str = ""

    def wait_until_ready(self) -> "ServerProcess":
        """Read the ready line and take the addresses from it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            pytest.fail(f"the server did not become ready: {line!r}\n{self.log_text()}")
        for name, address in (part.split("=", 1) for part in line.split()[1:]):
            setattr(self, name, address)
        return self

    def log_text(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def events(self) -> list[dict[str, Any]]:
        """Return the log's lines; a line that is no JSON fails."""
        return [json.loads(line) for line in self.log_text().splitlines()]

    def scrape(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return the value of each series, by name and labels."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=DEADLINE_SECONDS) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def metric(self, name: str, **labels: str) -> float:
        return self.scrape()[name, frozenset(labels.items())]

    def peak_mib(self) -> float:
        """Return the most memory that the process has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """End the server as an operator would, and return its exit code."""
        if self.process.poll() is None:
            self.signal()
        return self.process.wait(DEADLINE_SECONDS)


class Stubs:
    """The generated stubs of all services, on one channel, in clear without *credentials*."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options=_MESSAGE_OPTIONS)
        else:
            self.channel = grpc.secure_channel(address, credentials, options=_MESSAGE_OPTIONS)
        self.check = check_service_pb2_grpc.CheckServiceStub(self.channel)
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self.channel)
        self.corpora = corpus_service_pb2_grpc.CorpusServiceStub(self.channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def is_serving(self, service: str = "") -> bool:
        request = health_pb2.HealthCheckRequest(service=service)
        return self.health.Check(request, timeout=DEADLINE_SECONDS).status == SERVING

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


@dataclass(frozen=True)
class Refusal:
    """What a call was refused with: as gRPC shows it, and as the SDK reads it."""

    code: str
    error: BaznashrError
    everything: str
    """All text that reached the client."""


def refusal(call: Callable[[], object | Awaitable[object]]) -> Refusal:
    """Make the call, which must fail, and return how it did."""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    raised: Any = refused.value
    return read_refusal(raised)


def read_refusal(raised: Any) -> Refusal:
    """Read the error of a call that failed."""
    trailers = dict(raised.trailing_metadata() or ())
    details = trailers.get("grpc-status-details-bin")
    error = error_from_trailers(raised.code().name, raised.details() or "", details)
    return Refusal(raised.code().name, error, f"{raised.details()} {trailers} {error!r} {error.metadata}")


@contextmanager
def launched(data: Path, *flags: str, **variables: str) -> Iterator[ServerProcess]:
    """Start a server on *data*, which may not be ready yet, and end it at last."""
    log_file = data.parent / f"{data.name}.log"
    with log_file.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command(data, *flags), stdout=subprocess.PIPE, stderr=log, text=True, env=environment(**variables)
        )
    server = ServerProcess(process, data, log_file)
    try:
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def serving(data: Path, *flags: str, **variables: str) -> Iterator[ServerProcess]:
    """Start a server on *data* and wait until it is ready."""
    with launched(data, *flags, **variables) as server:
        yield server.wait_until_ready()
        server.stop()
