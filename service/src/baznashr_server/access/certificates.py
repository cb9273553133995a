"""The server's certificate and key, and the authority of its clients, from PEM files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from baznashr_server.access.files import AccessError, read

_MIN_RSA_BITS = 2048


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
        AccessError: A file is missing, unreadable or holds something else; the key is another certificate's, needs a
            password, or is of a kind that gRPC cannot serve with; or the certificate is not valid now.
    """
    public_part, private, authority = read(chain), read(key), read(client_ca) if client_ca else None
    shown = _certificates(public_part, chain)
    try:
        public = load_pem_private_key(private, password=None).public_key()
    except TypeError:
        raise AccessError(
            f"{key} is encrypted: give a key without a password, in a file that only you can read"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise AccessError(f"{key} holds no private key in PEM") from None
    if not _is_served(public):
        raise AccessError(
            f"{key} is of a kind that gRPC cannot serve with: take EC P-256 or P-384, or RSA of 2048 bits"
        )
    if not _is_key_of(public, shown[0]):
        raise AccessError(f"{key} is not the key of the first certificate in {chain}")
    if _algorithm_of(public) not in shown[0].public_bytes(Encoding.DER):
        raise AccessError(f"{chain} states its key as gRPC cannot read it, for RSA-PSS or with its curve spelt out")
    now = datetime.now(UTC)
    if shown[0].not_valid_after_utc <= now:
        raise AccessError(f"{chain} expired on {shown[0].not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    if shown[0].not_valid_before_utc > now:
        raise AccessError(f"{chain} is valid only from {shown[0].not_valid_before_utc:%Y-%m-%d %H:%M} UTC on")
    if client_ca and authority is not None:
        _certificates(authority, client_ca)
    expires_at = min(certificate.not_valid_after_utc for certificate in shown)
    return Certificates(public_part, private, authority, expires_at)


def _is_served(public: object) -> bool:
    """Whether handshakes succeed with such a key: with others, Ed25519 among them, gRPC listens and each one fails."""
    if isinstance(public, rsa.RSAPublicKey):
        return public.key_size >= _MIN_RSA_BITS
    return isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1 | ec.SECP384R1)


def _certificates(content: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise AccessError(f"{path} holds no certificate in PEM") from None


def _is_key_of(public: PublicKeyTypes, certificate: x509.Certificate) -> bool:
    try:
        return _bytes_of(public) == _bytes_of(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):  # of a kind that nobody knows, as this one is not
        return False


def _bytes_of(public: PublicKeyTypes) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _algorithm_of(public: PublicKeyTypes) -> bytes:
    """Return the first of the two parts of a public key in DER, in the plain form of its kind."""
    whole = _bytes_of(public)
    start = 2 + (whole[1] & 0x7F if whole[1] & 0x80 else 0)
    return whole[start : start + 2 + whole[start + 1]]
