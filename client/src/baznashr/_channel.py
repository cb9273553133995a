"""How the clients connect: limits, keepalive, retries, encryption and tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from baznashr._addresses import is_local
from baznashr._rpc import RPCS
from baznashr._tls import TLS

MAX_REQUEST_BYTES = 4 << 20
"""What the service accepts in one message."""
MAX_ANSWER_BYTES = 64 << 20
"""Answers carry evidence, so a batch's answer may be larger than the batch."""

DEFAULT_TIMEOUT_SECONDS = 5.0
MAX_TIMEOUT_SECONDS = 365 * 24 * 3600
"""gRPC takes a deadline some centuries away, or none, for one that has passed."""


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
        if not 0 < self.timeout <= MAX_TIMEOUT_SECONDS:
            raise ValueError(f"The timeout is a number of seconds above 0, up to a year's {MAX_TIMEOUT_SECONDS:,}.")
        if self.tls is not None:
            self.tls.check()
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
