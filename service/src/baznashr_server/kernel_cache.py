"""Where the compiled kernels are kept, and whether they can be; it takes no compiler to ask."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder asked for by ``BAZNASHR_KERNEL_CACHE``, else one below the user's cache folder."""
    asked = os.environ.get("BAZNASHR_KERNEL_CACHE")
    if asked:
        return Path(asked)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "baznashr" / "kernels"


def fault_of(folder: Path) -> str:
    """Say why nothing can be kept in *folder*; empty where it can be, also where the folder is yet to be made."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        above = next(path for path in folder.absolute().parents if path.exists())
        can_be_made = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        return "" if can_be_made else f"{folder} cannot be made"
    except OSError as error:
        return f"{folder} cannot be used: {error.strerror}"
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is no folder"
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{folder} is another user's, or others may write it, so it is not used"
    return "" if os.access(folder, os.R_OK | os.X_OK) else f"{folder} cannot be read"
