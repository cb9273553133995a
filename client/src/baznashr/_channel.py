"""How the clients connect: limits, keepalive, retries, encryption and tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc

from baznashr._rpc import RPCS

MAX_REQUEST_BYTES = 4 << 20
"""What the service accepts in one message."""
MAX_ANSWER_BYTES = 64 << 20
"""Answers carry evidence, so a batch's answer may be larger than the batch."""

DEFAULT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TLS:
    """An encrypted connection; every path names a PEM file."""

    ca_file: str | Path | None = None
    """Whom to trust; the authorities that gRPC brings where it is None."""
    certificate_file: str | Path | None = None
    """The client's own certificate chain, for servers that ask for one."""
    key_file: str | Path | None = None
    """The key of the client's certificate."""
    server_name: str | None = None
    """The name that the server's certificate must have, where that is not the host of the address."""

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("A client's certificate is given together with its key.")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            OSError: A file cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file),
            private_key=_read(self.key_file),
            certificate_chain=_read(self.certificate_file),
        )


def address(target: str | Sequence[str]) -> str:
    """Return what gRPC calls the server, or the servers that it tries in order, at *target*.

    Raises:
        ValueError: No target is given, one of several is no IP address with a port, or all are not of one family.
    """
    if isinstance(target, str):
        return target
    if not target:
        raise ValueError("A list of servers holds the address of at least one.")
    versions = set()
    for one in target:
        host, _, port = one.rpartition(":")
        try:
            versions.add(ip_address(host.strip("[]")).version)
        except ValueError:
            raise ValueError(f"{one!r} is no IP address with a port: several names are one name in DNS.") from None
        if not port.isdecimal():
            raise ValueError(f"{one!r} has no port.")
    if len(versions) != 1:
        raise ValueError("Several servers are given as addresses of one family, IPv4 or IPv6.")
    return f"ipv{versions.pop()}:{','.join(target)}"


def is_local(target: str) -> bool:
    """Return whether what is sent to *target*, as gRPC calls it, stays on this machine."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in {"unix", "unix-abstract"}:
        return True
    addresses = rest.rpartition("/")[2] if colon and scheme in {"dns", "ipv4", "ipv6", "passthrough"} else target
    return all(_is_loopback(address) for address in addresses.split(","))


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0] or address
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


@dataclass(frozen=True, slots=True)
class Connection:
    """What both clients are given."""

    target: str
    """As gRPC calls it."""
    timeout: float
    token: str | None = field(repr=False)
    tls: TLS | None
    token_in_clear: bool

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise ValueError("The timeout is a number of seconds above 0.")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise ValueError("A token is one line of visible ASCII characters.")
        if self.token is not None and self.tls is None and not self.token_in_clear and not is_local(self.target):
            raise ValueError(
                f"Whoever listens between here and {self.target} could read the token: encrypt with tls=TLS(...), or "
                "say token_in_clear=True where something else encrypts."
            )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every call carries."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    def options(self) -> Sequence[tuple[str, Any]]:
        """Return the options of the channel."""
        from importlib.metadata import version  # noqa: PLC0415 - a third of this package's own time to import

        name = self.tls.server_name if self.tls else None
        return (
            *((("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)) if name else ()),
            ("grpc.primary_user_agent", f"baznashr-python/{version('baznashr')}"),
            ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
            ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 0),
            # Not gRPC's two minutes: a server that is back should be found at once.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            ("grpc.enable_retries", 1),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.service_config", service_config()),
        )


def service_config() -> str:
    """Return gRPC's retry policy for every method that the contract calls idempotent.

    It holds no timeout: gRPC's core gets those wrong (grpc/grpc issues 34547 and 40633), so each call carries its own.
    """
    return json.dumps(
        {
            "methodConfig": [
                {
                    "name": [{"service": rpc.service, "method": rpc.method} for rpc in RPCS if rpc.idempotent],
                    "retryPolicy": {
                        "maxAttempts": 4,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "1s",
                        "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ],
            "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
        }
    )
