"""Certificates and tokens made for a test."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import trustme


class Authority:
    """A certificate authority of the test's own, which issues what servers and clients show."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def issue(self, folder: Path, name: str, *names: str, days: int = 30) -> tuple[Path, Path]:
        """Write a certificate for *names* and its key to *folder*, as *name*; a negative number of days is past."""
        now = datetime.now(UTC)
        made = self._ca.issue_cert(*names, not_before=now - timedelta(days=60), not_after=now + timedelta(days=days))
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        key.chmod(0o600)
        return certificate, key

    def write(self, path: Path) -> Path:
        """Write the authority's own certificate."""
        path.write_bytes(self._ca.cert_pem.bytes())
        return path

    def credentials(self, own: tuple[Path, Path] | None = None) -> grpc.ChannelCredentials:
        """Return what a client uses that trusts this authority and shows its *own* certificate, if any."""
        certificate, key = (file.read_bytes() for file in own) if own else (None, None)
        return grpc.ssl_channel_credentials(self._ca.cert_pem.bytes(), key, certificate)


def token_for(name: str) -> str:
    """Return the token of the caller called *name*, the same each time."""
    return f"token-of-{name}-which-is-long-enough"


def entry(name: str, scopes: Sequence[str] = ("read", "write", "admin"), **more: object) -> str:
    """Return the entry of a file of tokens for the caller called *name*; *more* is TOML already."""
    digest = hashlib.sha256(token_for(name).encode()).hexdigest()
    lines = [f'name = "{name}"', f'sha256 = "{digest}"', f"scopes = {list(scopes)}"]
    return "\n".join(["[[token]]", *lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"


def write_tokens(path: Path, *entries: str) -> Path:
    """Write the file at once, as whoever replaces it under a running server should."""
    new = path.with_suffix(".new")
    new.write_text("".join(entries), encoding="utf-8")
    new.chmod(0o600)
    return new.replace(path)


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call by the caller called *name*."""
    return (("authorization", f"Bearer {token_for(name)}"),)
