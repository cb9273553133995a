"""What protects a server, read from its files, and read again while it serves."""

from __future__ import annotations

from dataclasses import dataclass

from baznashr_server.access.certificates import Certificates, read_certificates
from baznashr_server.access.files import AccessError, Files, exposure
from baznashr_server.access.tokens import Tokens, read_tokens


@dataclass(frozen=True, slots=True)
class Protection:
    """What the files held."""

    certificates: Certificates | None
    tokens: Tokens | None
    warnings: tuple[str, ...] = ()
    """Sentences about files that others may read."""

    @classmethod
    def read(cls, files: Files) -> Protection:
        """Read all files.

        Raises:
            AccessError: One cannot be used; a line for each that cannot.
        """
        certificates, tokens, warnings, faults = None, None, [], []
        try:
            certificates = read_tls(files)
            if files.private_key:
                warnings.append(exposure(files.private_key))
        except AccessError as error:
            faults.append(str(error))
        try:
            if files.tokens:
                tokens, about_tokens = read_tokens(files.tokens)
                warnings += about_tokens
        except AccessError as error:
            faults.append(str(error))
        if faults:
            raise AccessError("\n".join(faults))
        return cls(certificates, tokens, tuple(warning for warning in warnings if warning))


def read_tls(files: Files) -> Certificates | None:
    """Read the certificates alone; None where there are none."""
    if files.certificate is None or files.private_key is None:
        return None
    return read_certificates(files.certificate, files.private_key, files.client_ca)
