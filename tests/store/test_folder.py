"""A data folder has one owner."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from baznashr.errors import DataFolderInUse, StoreError
from baznashr_server.store.folder import LOCK, DataFolder

TAKE = textwrap.dedent(
    """
    import sys, time
    from baznashr.errors import DataFolderInUse
    from baznashr_server.store.folder import DataFolder
    try:
        folder = DataFolder.acquire(sys.argv[1])
    except DataFolderInUse as error:
        print(error)
        raise SystemExit(3)
    print("taken", flush=True)
    time.sleep(60)
    """
)


def second_process(path: Path) -> subprocess.Popen[str]:
    """Start a process that takes the folder and keeps it, or says why it cannot."""
    return subprocess.Popen([sys.executable, "-c", TAKE, str(path)], stdout=subprocess.PIPE, text=True)


def test_a_second_process_is_refused_by_pid(tmp_path: Path) -> None:
    """Another process is told in one sentence who holds the folder; after release it gets it."""
    folder = DataFolder.acquire(tmp_path)
    with second_process(tmp_path) as other:
        answer, _ = other.communicate(timeout=30)
    assert other.returncode == 3
    assert answer.splitlines() == [
        f"DATA_FOLDER_IN_USE: {tmp_path} is in use by process {os.getpid()}; a data folder has one owner at a time"
    ]
    folder.release()
    DataFolder.acquire(tmp_path).release()


def test_a_killed_owner_leaves_the_folder_free(tmp_path: Path) -> None:
    """The lock of a process goes with it, however it ends."""
    with second_process(tmp_path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(DataFolderInUse) as refused:
            DataFolder.acquire(tmp_path)
        assert refused.value.metadata == {"pid": str(other.pid)}
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=30)
    folder = DataFolder.acquire(tmp_path)
    assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    folder.release()


def test_a_second_owner_in_one_process_is_refused(tmp_path: Path) -> None:
    """Also by another name of the folder."""
    folder = DataFolder.acquire(tmp_path / "data")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for path in (tmp_path / "data", tmp_path / "link", str(tmp_path / "data" / ".." / "data")):
        with pytest.raises(DataFolderInUse, match=str(os.getpid())):
            DataFolder.acquire(path)
    folder.release()


def test_a_new_folder_is_private(tmp_path: Path) -> None:
    """A folder that was not there is made with its parents, for its owner alone."""
    folder = DataFolder.acquire(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / LOCK).stat().st_mode) == 0o600
    assert folder.database.parent == folder.path
    folder.release()


def test_a_new_folder_outlasts_a_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder in which a new one was made is synced, and none where nothing was made."""
    synced: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    DataFolder.acquire(tmp_path / "a" / "b").release()
    assert set(synced) == {tmp_path, tmp_path / "a"}
    synced.clear()
    DataFolder.acquire(tmp_path / "a" / "b").release()
    assert not synced


@pytest.mark.parametrize("where", ["file", "file/below", "n\N{LATIN SMALL LETTER A}me" * 100])
def test_an_unusable_path_is_refused(tmp_path: Path, where: str) -> None:
    """A file, a place below a file, a name that is too long: one sentence, no traceback of the system's."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used as a data folder") as refused:
        DataFolder.acquire(tmp_path / where)
    assert refused.value.reason == "DATA_FOLDER_UNUSABLE"


def test_a_full_disk_is_no_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the owner's number can be written, that is said, and the folder is left free."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match="cannot be used as a data folder: No space left on device"):
            DataFolder.acquire(tmp_path)
    DataFolder.acquire(tmp_path).release()
