"""Disks that are full, fail, or lose what was not synced: what was told is there, whole; nothing is written after."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.articles import ROOT
from tests.support.server import environment

pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600)]


def run(mode: str, folder: Path, seed: int, stride: int) -> subprocess.CompletedProcess[str]:
    """Work on a bad disk in a process of its own, where the disk can lie below the checksums."""
    command = [sys.executable, "-m", "tests.crash.on_a_bad_disk", mode, str(folder), str(seed), str(stride)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    print(done.stdout[-5000:], done.stderr[-5000:])
    return done


def test_the_nth_write_or_sync_fails(tmp_path: Path, seed: int, long: bool) -> None:
    """ENOSPC and EIO, wherever they come, turn the store read-only; checks go on, nothing told is lost or halved."""
    assert run("fail", tmp_path, seed, 1 if long else 90).returncode == 0


def test_a_power_loss(tmp_path: Path, seed: int, long: bool) -> None:
    """With what was not synced gone, in part or in any order, the store holds what was told, and at most one more."""
    assert run("lose", tmp_path, seed, 1 if long else 60).returncode == 0


def test_a_power_loss_where_syncs_are_spared(tmp_path: Path, seed: int, long: bool) -> None:
    """A store that syncs no commit, only what it writes back, holds after a power loss what it held at one time."""
    assert run("lose-spared", tmp_path, seed, 1 if long else 60).returncode == 0


def test_a_power_loss_is_noticed(tmp_path: Path, seed: int) -> None:
    """A store that syncs nothing fails the first of these tests: by what is gone, damaged, or not writable."""
    done = run("lose-unsynced", tmp_path, seed, 60)
    assert done.returncode != 0
    assert any(told in done.stderr for told in ("AssertionError", "StoreDamaged", "ReadOnly"))
