"""Addresses that are listened on, in clear or with TLS whose certificates may change meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Callable

import grpc
import grpc.aio

from baznashr_server.access.certificates import Certificates
from baznashr_server.settings import Address


class ListenError(Exception):
    """An address cannot be listened on; the message says which and why it may be."""


def credentials(current: Callable[[], Certificates]) -> grpc.ServerCredentials:
    """Return credentials that show at each new connection what *current* says then.

    Whether clients must have a certificate is settled by the first; connections that are open stay as they are.
    """
    first = current()
    shown = first

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        certificates = current()
        if certificates is shown:
            return None  # as before
        shown = certificates
        return _configuration(certificates)

    return grpc.dynamic_ssl_server_credentials(_configuration(first), fetch, first.client_ca is not None)  # type: ignore[arg-type]  # the stubs forget None


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    pair = (certificates.key, certificates.chain)
    return grpc.ssl_server_certificate_configuration([pair], certificates.client_ca)


def listen(server: grpc.aio.Server, address: Address, secure: grpc.ServerCredentials | None) -> Address:
    """Listen on *address*, in clear where *secure* is None, and return it with the port that was taken.

    Raises:
        ListenError: It is taken or not this machine's.
    """
    try:
        # gRPC does not say why it cannot; a socket of our own does.
        family, kind, protocol, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(target)
        if secure is None:
            return address.with_port(server.add_insecure_port(str(address)))
        return address.with_port(server.add_secure_port(str(address), secure))
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "gRPC cannot bind it"
        raise ListenError(f"Cannot listen on {address}: {reason}.") from None
