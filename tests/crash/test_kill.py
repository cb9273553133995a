"""A server killed under load, at random moments and at every named point of the write path: nothing told is lost."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from baznashr_server.engine import Engine
from baznashr_server.failpoints import POINTS
from tests.crash.history import History
from tests.crash.load import load
from tests.crash.victim import Victim, Victims, victims
from tests.support.audit import audit_engine, audit_folder

pytestmark = [pytest.mark.crash, pytest.mark.timeout(7200)]
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def servers() -> Iterator[Victims]:
    """The process that starts servers."""
    with victims() as started:
        yield started


def recovered(history: History, data: Path) -> None:
    """Open what was left behind and compare it with what the callers were told."""
    with Engine.open(data) as engine:
        audit_engine(engine)
        history.check(engine)
        audit_engine(engine)
    audit_folder(data)


def wait_until_gone(victim: Victim) -> None:
    """Wait for a server that is to end by itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with suppress(FileNotFoundError, ProcessLookupError):  # gone, perhaps since its file was opened
        while Path(f"/proc/{victim.pid}/stat").read_text().split()[2] != "Z" and time.monotonic() < deadline:
            time.sleep(0.005)


def wait_until_told(history: History) -> None:
    """Wait until callers were told something, which takes longer than usual on a busy machine."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not history.acknowledged and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point(servers: Victims, tmp_path: Path, seed: int, long: bool, point: str) -> None:
    """The process dies at the point, whichever time it is reached, and what was told before is there, once."""
    rng = random.Random(f"{seed} {point}")
    data = tmp_path / "data"
    history = History(rng)
    for again in range(12 if long else 1):
        failpoint = f"{point}:exit@{1 if point == 'before_close' else rng.randint(1, 1 + 2 * again)}"
        at_start = point == "after_schema"
        victim = servers.start(data, f"{point}:exit" if at_start else "")
        if not at_start:
            with load(history, victim.listen, f"{seed} {point} {again}"):
                time.sleep(0.1)
                wait_until_told(history)
                victim.arm(failpoint)
                if point == "before_close":
                    victim.signal(signal.SIGTERM)
                wait_until_gone(victim)
        assert victim.kill() == -signal.SIGKILL, "ended otherwise"
        recovered(history, data)
        history.renew_families()
    assert at_start or history.acknowledged


def test_paused_at_each_point(servers: Victims, tmp_path: Path, seed: int, long: bool) -> None:
    """A process that stops at a point for longer than callers wait, and goes on, tells no two stories."""
    rng = random.Random(seed)
    history = History(rng)
    victim = servers.start(tmp_path / "data")
    with load(history, victim.listen, seed):
        for point in (set(POINTS) - {"after_schema", "before_close"}) if long else {"before_commit", "after_commit"}:
            time.sleep(0.1)
            victim.arm(f"{point}:stop")
            time.sleep(0.4)
            victim.signal(signal.SIGCONT)
        time.sleep(0.1)
    victim.kill()
    recovered(history, tmp_path / "data")


def test_killed_at_random(servers: Victims, tmp_path: Path, seed: int, long: bool) -> None:
    """Killed again and again at random moments, some after a pause, the store goes on from what it told."""
    rng = random.Random(seed)
    kills = 200 if long else 3
    history = History(rng)
    data = tmp_path / "0"
    acknowledged = 0
    for kill in range(kills):
        if kill and kill % 25 == 0:
            acknowledged += history.acknowledged
            history, data = History(rng), tmp_path / str(kill)
        victim = servers.start(data)
        with load(history, victim.listen, f"{seed} {kill}"):
            time.sleep(rng.random())
            if rng.random() < 0.3:
                victim.signal(signal.SIGSTOP)
                time.sleep(rng.random() / 4)
                victim.signal(signal.SIGCONT)
                time.sleep(rng.random() / 4)
            assert victim.kill() == -signal.SIGKILL
        recovered(history, data)
        history.renew_families()
    print(f"{kills} kills, {acknowledged + history.acknowledged} answers")


def test_failed_before_the_commit(servers: Victims, tmp_path: Path, seed: int) -> None:
    """What goes wrong before the commit fails the calls it concerns; the store takes the next, and tells no lie."""
    history = History(random.Random(seed))
    victim = servers.start(tmp_path / "data")
    with load(history, victim.listen, seed):
        for point in ("before_begin", "after_insert", "after_delete", "before_commit"):
            victim.arm(f"{point}:error")
            time.sleep(0.15)
        before = history.acknowledged
        time.sleep(0.5)
    assert history.acknowledged > before
    victim.signal(signal.SIGTERM)
    assert victim.wait() == 0
    recovered(history, tmp_path / "data")
