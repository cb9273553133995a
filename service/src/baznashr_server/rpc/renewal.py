"""Certificates and tokens that change while the server serves."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog

from baznashr_server.access.certificates import Certificates
from baznashr_server.access.files import AccessError, Files
from baznashr_server.access.keeper import Keeper
from baznashr_server.access.protection import Protection, read_tls
from baznashr_server.access.tokens import Tokens, read_tokens
from baznashr_server.obs.metrics import AccessMetrics

POLL_SECONDS = 1.0
"""How late a change is noticed. Everything is read each time, some milliseconds: times of change can lie."""

log = structlog.get_logger()


class Renewal:
    """What protects the server now. Files that cannot be used change nothing: what was in force before stays."""

    def __init__(self, files: Files, protection: Protection, metrics: AccessMetrics) -> None:
        self._files = files
        self._certificates = protection.certificates
        self._tokens = protection.tokens
        self.keeper = Keeper(protection.tokens)
        self._metrics = metrics
        self._faults: dict[str, str] = {}
        self._measure()

    def certificates(self) -> Certificates:
        """Return the certificates in force, of a server that has some; called from gRPC's threads."""
        assert self._certificates is not None  # noqa: S101 - asked only by a server that listens with TLS
        return self._certificates

    async def watch(self) -> None:
        """Read the files again and again, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
            except Exception:
                log.exception("internal error")

    async def refresh(self) -> None:
        """Read the files again."""
        if self._files.tokens:
            try:
                tokens, _ = await asyncio.to_thread(read_tokens, self._files.tokens)
                self._take_tokens(tokens)
            except AccessError as error:
                self._fault("tokens", str(error))
        if self._certificates:
            try:
                self._take_certificates(await asyncio.to_thread(read_tls, self._files))
            except AccessError as error:
                self._fault("certificates", str(error))
        self._measure()

    def _take_tokens(self, tokens: Tokens) -> None:
        self._mended("tokens")
        if tokens != self._tokens:
            self._tokens = tokens
            self.keeper.replace(tokens)
            log.info("tokens changed", callers=[token.name for token in tokens.all])

    def _take_certificates(self, certificates: Certificates | None) -> None:
        self._mended("certificates")
        if certificates != self._certificates:
            self._certificates = certificates
            log.info("certificates changed", expires_at=certificates and certificates.expires_at.isoformat())

    def _fault(self, what: Literal["tokens", "certificates"], reason: str) -> None:
        self._metrics.unusable.labels(what).set(1)
        if self._faults.get(what) != reason:
            self._faults[what] = reason
            log.error("cannot be used, the old ones stay in force", files=what, reason=reason)

    def _mended(self, what: Literal["tokens", "certificates"]) -> None:
        self._metrics.unusable.labels(what).set(0)
        self._faults.pop(what, None)

    def _measure(self) -> None:
        self._metrics.tokens.set(len(self._tokens.all) if self._tokens else 0)
        self._metrics.certificate_expiry.set(self._certificates.expires_at.timestamp() if self._certificates else 0)
