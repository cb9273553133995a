"""A data folder as the file system shows it: permissions, owner, disk, age of the backup."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

from baznashr_server.doctor.findings import Findings, broken, duration, note, ok, size, warning
from baznashr_server.engine.operations import storage
from baznashr_server.store.backup import LAST_BACKUP, last_backup
from baznashr_server.store.folder import DATABASE, LOCK

LOW_SHARE, LEAST_SHARE = 0.1, 0.02
LEAST_BYTES = 64 << 20
LONG_LOG_BYTES = 1 << 30
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def holder(data: Path) -> int | None:
    """Return the process that has a data folder open; 0 where that is one that cannot be named, None without one.

    Raises:
        OSError: It cannot be found out.
    """
    try:
        lock = os.open(data / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared and for an instant: it cannot take the folder from anybody, only find that somebody has it.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(lock, 32).decode("ascii", "replace").strip()
        return int(written) if written.isdigit() else 0
    else:
        return None
    finally:
        os.close(lock)


def examine(data: Path, backup_days: float, backup_dir: Path | None) -> Findings:
    """Yield what is to be said of a folder that holds a store."""
    yield from _permissions(data)
    yield from _owner(data)
    yield from _disk(data)
    yield from _backup(data, backup_days, backup_dir)


def _permissions(data: Path) -> Findings:
    folder = data.stat()
    wrong = False
    for path in (data, *sorted(data.rglob("*"))):
        try:
            status = path.stat()
        except FileNotFoundError:  # removed a moment ago, by the server that has the folder open
            continue
        mode = stat.S_IMODE(status.st_mode)
        if path.name == LAST_BACKUP:  # whoever takes backups made it, and who serves reads no more than its time
            continue
        if status.st_uid != folder.st_uid:
            wrong = True
            yield broken(
                "permissions",
                f"{path} belongs to user {status.st_uid} and the folder to {folder.st_uid}, who may not write it",
                f"chown {folder.st_uid} {path}",
            )
        elif not mode & stat.S_IRUSR or not mode & stat.S_IWUSR:
            wrong = True
            yield broken("permissions", f"{path} has mode {mode:04o}: its owner cannot use it", f"chmod u+rw {path}")
        elif path == data and mode & _OTHERS:
            wrong = True
            yield warning("permissions", f"{path} has mode {mode:04o}: others may enter", f"chmod 700 {path}")
        elif path.name == DATABASE and mode & _OTHERS:
            wrong = True
            yield warning("permissions", f"{path} has mode {mode:04o}: others may read articles", f"chmod 600 {path}")
    if os.statvfs(data).f_flag & os.ST_RDONLY:
        yield broken("permissions", f"{data} is on a file system mounted read-only", "mount it for writing")
    elif not wrong:
        yield ok("permissions", "the folder is its owner's alone")


def _owner(data: Path) -> Findings:
    pid = holder(data)
    if pid is None:
        yield note("owner", "no server or engine has the folder open")
    elif pid and Path(f"/proc/{pid}").exists():
        yield ok("owner", f"process {pid} has the folder open")
    else:
        yield note(
            "owner",
            f"it is held by process {pid or 'unknown'}, which is not to be seen from here: in a container, or stale"
            " after a copy of the folder's file LOCK",
            "name the server with --server to look at it",
        )


def _disk(data: Path) -> Findings:
    found = storage(data)
    share = found.disk_free / max(1, found.disk_size)
    free = f"{size(found.disk_free)} of {size(found.disk_size)} free ({share:.0%})"
    do = "make room, or move the folder to a larger disk while no server has it open"
    if share < LEAST_SHARE or found.disk_free < LEAST_BYTES:
        yield broken("disk", f"{free}: a write that fails turns the store read-only", do)
    elif share < LOW_SHARE:
        yield warning("disk", free, do)
    else:
        yield ok("disk", free)
    if not os.statvfs(data).f_favail and os.statvfs(data).f_files:
        yield broken("disk", "the file system has no inode left", "remove files that are not needed")
    if found.files["log"] > LONG_LOG_BYTES:
        yield warning(
            "log",
            f"the database's log has {size(found.files['log'])}: something has been reading for long",
            "end the backup or export that hangs; the log shrinks by itself",
        )


def _backup(data: Path, days: float, backup_dir: Path | None) -> Findings:
    taken = last_backup(data)
    do = f"baznashr-server backup {data} FILE; where the disk is copied by other means: touch {data / LAST_BACKUP}"
    if taken is None:
        yield warning("backup", "no backup is known", do)
    elif (age := time.time() - taken) > days * 86_400:
        yield warning("backup", f"the last backup known is {duration(age)} old", do)
    else:
        yield ok("backup", f"the last backup was taken {duration(max(0.0, age))} ago")
    if backup_dir and backup_dir.exists() and backup_dir.stat().st_dev == data.stat().st_dev:
        yield warning(
            "backup", f"{backup_dir} is on the same disk as the store, and would be lost with it", "copy backups away"
        )
