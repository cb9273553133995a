"""How a server is named, and which names stay on this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

_HOST_AND_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:/@\s]+)):([0-9]{1,5})")
_LARGEST_PORT = (1 << 16) - 1
_DNS = re.compile(r"dns:(?://[^/]*/)?(.*)", re.DOTALL)
_LIST = re.compile(r"ipv[46]:(.*)", re.DOTALL)
_LEFT_TO_GRPC = re.compile(r"(unix|unix-abstract|vsock|xds):.+")


def address(target: str | Sequence[str]) -> str:
    """Return what gRPC calls the server, or the servers that it tries in order, at *target*.

    gRPC itself takes nearly anything, port 443 where none is named, and then cannot reach it.

    Raises:
        ValueError: No target is given, one has no host or port, one of several is no IP address, or all are not of one
            family.
    """
    if isinstance(target, str):
        return _one(target)
    if not target:
        raise ValueError("A list of servers holds the address of at least one.")
    return _several(target)


def _one(target: str) -> str:
    if _LEFT_TO_GRPC.fullmatch(target):
        return target
    if several := _LIST.fullmatch(target):
        _several(several[1].split(","))
    else:
        by_dns = _DNS.fullmatch(target)
        _host_of(by_dns[1] if by_dns else target)
    return target


def _several(targets: Sequence[str]) -> str:
    versions = set()
    for one in targets:
        host = _host_of(one)
        try:
            versions.add(ip_address(host).version)
        except ValueError:
            raise ValueError(f"{one!r} is no IP address with a port: several names are one name in DNS.") from None
    if len(versions) != 1:
        raise ValueError("Several servers are given as addresses of one family, IPv4 or IPv6.")
    return f"ipv{versions.pop()}:{','.join(targets)}"


def _host_of(target: str) -> str:
    parts = _HOST_AND_PORT.fullmatch(target)
    if parts is None or not 0 < int(parts[3]) <= _LARGEST_PORT or not (parts[1] is None or _is_ipv6(parts[1])):
        raise ValueError(
            f"{target!r} is no address of a server: it has a host and a port of 1 to {_LARGEST_PORT}, as in "
            "127.0.0.1:50051, news.internal:50051 or [::1]:50051."
        )
    return parts[1] or parts[2]


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False


def is_local(target: str) -> bool:
    """Return whether what is sent to *target*, as gRPC calls it, stays on this machine."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in {"unix", "unix-abstract"}:
        return True
    addresses = rest.rpartition("/")[2] if colon and scheme in {"dns", "ipv4", "ipv6"} else target
    return all(_is_loopback(address) for address in addresses.split(","))


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0] or address
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
