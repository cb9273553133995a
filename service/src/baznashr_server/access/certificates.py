"""The server's certificate and key, and the authority of its clients, from PEM files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from baznashr_server.access.files import AccessError, read


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a TLS server shows and whom it trusts, as PEM."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    """None asks clients for no certificate."""
    expires_at: datetime
    """When the first certificate of the chain that expires does."""


def read_certificates(chain: Path, key: Path, client_ca: Path | None) -> Certificates:
    """Read and check the files.

    Raises:
        AccessError: A file is missing, unreadable or holds something else, the key is another certificate's or needs
            a password, or the certificate has expired.
    """
    shown = _certificates(chain)
    private = read(key)
    try:
        public = load_pem_private_key(private, password=None).public_key()
    except TypeError:
        raise AccessError(
            f"{key} is encrypted: give a key without a password, in a file that only you can read"
        ) from None
    except ValueError:
        raise AccessError(f"{key} holds no private key in PEM") from None
    if _bytes_of(public) != _bytes_of(shown[0].public_key()):
        raise AccessError(f"{key} is not the key of the first certificate in {chain}")
    expires_at = min(certificate.not_valid_after_utc for certificate in shown)
    if expires_at <= datetime.now(UTC):
        raise AccessError(f"{chain} expired on {expires_at:%Y-%m-%d %H:%M} UTC")
    if client_ca:
        _certificates(client_ca)
    return Certificates(read(chain), private, read(client_ca) if client_ca else None, expires_at)


def _certificates(path: Path) -> list[x509.Certificate]:
    content = read(path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise AccessError(f"{path} holds no certificate in PEM") from None


def _bytes_of(public: object) -> bytes:
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded
