"""The settings a server would start with, and the files that they name."""

from __future__ import annotations

from baznashr_server.access.files import AccessError
from baznashr_server.access.protection import Protection
from baznashr_server.doctor.findings import Findings, broken, ok, warning
from baznashr_server.settings import Settings


def examine(settings: Settings) -> Findings:
    """Yield what is to be said of settings that can be read."""
    try:
        warnings = Protection.read(settings.secrets).warnings
    except AccessError as error:
        for line in str(error).splitlines():
            yield broken("settings", line, "see it with: baznashr-server check-config")
        return
    for line in warnings:
        yield warning("settings", line, "chmod 600 the file")
    if settings.insecure:
        yield warning(
            "settings",
            "insecure: calls need be neither encrypted nor authenticated",
            "set tls_certificate and tokens, or listen on 127.0.0.1",
        )
    if settings.metrics is None:
        yield warning("settings", "metrics are off, so nobody is warned", 'set metrics = "127.0.0.1:9464"')
    yield ok("settings", "they can be used")
