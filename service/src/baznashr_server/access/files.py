"""Files of secrets: reading them, and saying where others may read them too."""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from pathlib import Path

from baznashr_server.limits import MAX_SECRET_FILE_BYTES

_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP


@dataclass(frozen=True, slots=True)
class Files:
    """Where the secrets are; None where there are none."""

    certificate: Path | None = None
    private_key: Path | None = None
    """Given with the certificate."""
    client_ca: Path | None = None
    tokens: Path | None = None


class AccessError(ValueError):
    """The files of certificates and tokens cannot be used; the message says which one and why."""


def read(path: Path) -> bytes:
    """Return what the file holds.

    Raises:
        AccessError: It cannot be read, again and again, or is far larger than such a file is.
    """
    try:
        if path.is_fifo():
            raise OSError(errno.ESPIPE, "a pipe gives what it holds once, and this is read again while serving")
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_FILE_BYTES + 1)
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have
        raise AccessError(f"{str(path)!r} cannot be read: {error}") from None
    if len(content) > MAX_SECRET_FILE_BYTES:
        raise AccessError(f"{path} has more than {MAX_SECRET_FILE_BYTES >> 20} MiB")
    return content


def exposure(path: Path) -> str | None:
    """Return a sentence where others than the owner and its group may read the secrets in *path*, or change them."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:  # replaced just now
        return None
    if not mode & _OTHERS:
        return None
    return f"{path} holds secrets and has mode {mode:04o}: chmod 600, or 640 where a group must read it"
