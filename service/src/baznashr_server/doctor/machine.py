"""What the machine gives a server: a folder for the compiled kernels."""

from __future__ import annotations

import os
from pathlib import Path

from baznashr_server.doctor.findings import Findings, note, ok, warning
from baznashr_server.kernel_cache import cache_folder, fault_of


def examine(kernel_cache: Path | None) -> Findings:
    """Yield what is to be said of the folder of the kernels, the one named or the one that would be taken."""
    from baznashr_server.kernel import of_these_sources  # noqa: PLC0415 - takes a second

    folder = kernel_cache or cache_folder()
    slow = "each start compiles for up to a minute"
    if fault := fault_of(folder):
        yield warning(
            "kernels",
            f"{fault}: {slow}",
            f"chown {os.geteuid()} {folder} and chmod 700 {folder}, as the user that serves",
        )
    elif not folder.exists():
        yield note("kernels", f"{folder} does not exist yet; the first start makes it and takes a minute")
    elif not any(of_these_sources(folder).rglob("*.nbc")):
        yield note("kernels", f"{folder} holds no kernel of this version yet; the first start takes a minute")
    else:
        yield ok("kernels", f"{folder} is private and holds compiled kernels")
