"""How the compiled kernels are built and where their machine code is kept.

Numba's cache files are pickles: whoever can write them can run code as the service. They are therefore kept in one
folder that belongs to the user the service runs as (or to root, where an image warmed it at build time) and that
nobody else may write. Without such a folder the kernels are compiled anew at each start. Numba uses no folder that it
cannot write: of one that the service may only read, as an image's, it takes a copy for as long as it runs.

Numba compiles a kernel anew when the file that it is in changes, and not when another one does, of whose kernels or
constants its machine code has a copy. So what is compiled from other sources is kept apart, in a folder of its own. In
it lie the tables, too, that kernels read and that take long to build.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
from numba import config, njit
from numba.core.bytecode import FunctionIdentity
from numpy.typing import NDArray

from baznashr_server.kernel_cache import cache_folder, fault_of

PART = "kernels-"
"""What the name of each version's part of the folder begins with."""
KEPT_VERSIONS = 3
"""Whose machine code stays beside this one's: to go back to one, or to run two at once, costs no minute then."""


def of_these_sources(folder: Path) -> Path:
    """Return the part of *folder* for the machine code of this very version of the service."""
    package = Path(__file__).parent
    sources = sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix())
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return folder / f"{PART}{digest.hexdigest()[:16]}"


def forget_others(folder: Path, own: Path) -> None:
    """Remove the parts of *folder* for other versions, all but those used last, and nothing else that is in it."""
    others = sorted((path for path in folder.glob(f"{PART}*") if path != own), key=lambda path: path.stat().st_mtime)
    for path in others[:-KEPT_VERSIONS]:
        shutil.rmtree(path, ignore_errors=True)


def copied(folder: Path) -> Path:
    """Return a copy of *folder* that this user alone may read and write, and that goes when the process ends."""
    copy = Path(tempfile.mkdtemp(prefix="baznashr-kernels-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for source in folder.rglob("*"):
        target = copy / source.relative_to(folder)
        if source.is_dir():
            target.mkdir()
        else:
            shutil.copyfile(source, target)
    return copy


def _prepare() -> bool:
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    if fault_of(folder):  # only now: another user may have made it in between
        return False
    try:
        own = of_these_sources(folder)
        if not os.access(folder, os.W_OK):
            own = copied(own)
        elif own.exists():
            own.touch()
        else:
            with suppress(OSError):  # another process that starts may do the same
                forget_others(folder, own)
            own.mkdir(mode=0o700, exist_ok=True)
        vars(config)["CACHE_DIR"] = str(own)
    except OSError:
        return False
    return True


CACHED = _prepare()
"""Whether machine code is kept between runs."""


def kept_arrays(name: str, build: Callable[[], Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the arrays that *build* makes of these sources alone, which are kept beside the machine code as *name*.

    They are built anew where none are kept, or where the file is damaged: its archive holds checksums.
    """
    path = Path(vars(config)["CACHE_DIR"]) / f"{name}.npz"
    if CACHED:
        with suppress(OSError, ValueError, EOFError, BadZipFile), np.load(path, allow_pickle=False) as found:
            return dict(found)
    made = dict(build())
    if CACHED:
        with suppress(OSError), tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            np.savez(part, **made)  # type: ignore[arg-type]
            part.replace(path)
    return made


def _number_functions_apart() -> None:
    """Let numba count the functions it compiles from a number that no other process counts from.

    It knows a function's constants by a name that holds this number. A kernel that others call is cached by itself and
    in theirs; compiled anew by another process under the name it has in theirs, it would look for constants there that
    only its own copy has, and fail for as long as the cache lives: SystemError, "'descr' is NULL" (numba 0.68).
    """
    FunctionIdentity._unique_ids = count(int.from_bytes(os.urandom(6)))  # noqa: SLF001 - there is no other way to say so


_number_functions_apart()


def spare_imports() -> None:
    """Keep numba from importing SciPy's BLAS and cffi, which it does for its first kernel and none of ours uses.

    They take a third of the time until the first text is judged. For processes that are ours alone: their kernels could
    not call cffi's functions afterwards.
    """
    asked = [name for name in ("scipy.linalg", "cffi") if name not in sys.modules]
    for name in asked:
        sys.modules[name] = None  # type: ignore[assignment]  # as the import system marks what is not there
    try:
        import_module("numba.np.arraymath")
        import_module("numba.core.typing.cffi_utils")
    finally:
        for name in asked:
            del sys.modules[name]


def kernel[F: Callable[..., object]](function: F) -> F:
    """Compile *function* at its first call, to run without the GIL."""
    return cast("F", njit(nogil=True, cache=CACHED)(function))
