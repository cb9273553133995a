"""Encryption: whom to trust, and how a client proves who it is."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

_CERTIFICATE = re.compile(rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


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

    def check(self) -> None:
        """Look at the files where all are there: gRPC says of bad ones only that the server cannot be reached.

        Raises:
            ValueError: A file is no PEM, or the key is not the certificate's.
        """
        given = [path for path in (self.ca_file, self.certificate_file, self.key_file) if path is not None]
        # What is no file yet may be one before the first call, and a pipe can be read only once.
        if all(Path(path).is_file() for path in given):
            with suppress(OSError):
                self._check()

    def _check(self) -> None:
        _check_pem(self.ca_file, _CERTIFICATE, "certificate")
        _check_pem(self.certificate_file, _CERTIFICATE, "certificate")
        _check_pem(self.key_file, _KEY, "private key")
        if self.certificate_file is not None and self.key_file is not None:
            _check_pair(self.certificate_file, self.key_file)

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            OSError: A file cannot be read.
            ValueError: As from ``check``.
        """
        self.check()
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file),
            private_key=_read(self.key_file),
            certificate_chain=_read(self.certificate_file),
        )


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def _check_pem(path: str | Path | None, mark: re.Pattern[bytes], what: str) -> None:
    content = _read(path)
    if content is not None and not mark.search(content):
        raise ValueError(f"{path} holds no {what} in the form of PEM.")


def _check_pair(certificate: str | Path, key: str | Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # How strong keys must be is for gRPC and the server to say.
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    try:
        # Without a password OpenSSL would ask at the terminal for that of an encrypted key, which gRPC cannot use.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = f" ({error.reason})" if error.reason else ""
        raise ValueError(
            f"The key in {key} is encrypted or not that of the certificate in {certificate}{why}."
        ) from None
