"""A batch crosses to another process with all that it takes to judge it, and with nothing changed."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baznashr_server.bulk.batches import Given
from baznashr_server.bulk.preparing import dump, load, prepare
from baznashr_server.profile import PROFILES, Profile
from tests.articles import samples
from tests.bulk.conftest import rows, write_lines

MICROS = st.none() | st.integers(-(10**15), 1_700_000_000_000_000)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
documents = st.tuples(st.text("ab1-", max_size=3), words, words, words, words, MICROS)


def crossed(given: list[Given], profile: Profile) -> None:
    """Fail where a batch comes out of `load` otherwise than it went into `dump`."""
    ready = prepare(given, profile)
    value, body = dump(ready)
    found = load(orjson.loads(orjson.dumps(value)), body)
    assert (found.places, found.refused) == (ready.places, ready.refused)
    assert len(found.places) + len(found.refused) == len(given)
    for one, other in zip(found.prepared, ready.prepared, strict=True):
        assert (one.document, one.text_bytes, one.frame) == (other.document, other.text_bytes, other.frame)
        assert one.published == other.published
        assert one.repetition == dataclasses.replace(other.repetition, share=round(other.repetition.share, 6))
        for name in ("signature", "passages"):
            mine, theirs = getattr(one.sketch, name), getattr(other.sketch, name)
            assert np.array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype
            assert mine.flags.aligned
        assert (one.sketch.size, one.sketch.digest_bytes) == (other.sketch.size, other.sketch.digest_bytes)


@settings(deadline=None)
@given(st.lists(documents, max_size=6), st.sampled_from(PROFILES))
def test_a_batch_comes_out_as_it_went_in(given: list[Given], profile: Profile) -> None:
    """Whatever its documents are, those included that are refused."""
    crossed(given, profile)


def test_samples_come_out_as_they_went_in() -> None:
    """With what repeats itself in them."""
    given: list[Given] = [(one["id"], one["text"], one["title"], one["source"], "", None) for one in samples()]
    ready = prepare(given, PROFILES[0])
    assert any(one.repetition.kinds for one in ready.prepared)
    crossed(given, PROFILES[0])


def children(process: int) -> list[int]:
    """Return the processes that one has started."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]


def is_running(process: int) -> bool:
    """Return whether there is such a process, and not only what is left of one that nobody asked for."""
    try:
        told = Path(f"/proc/{process}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_run_whose_preparing_process_is_killed_says_so_and_goes_on_later(tmp_path: Path) -> None:
    """No process is left, and the same command finishes the run."""
    source = write_lines(tmp_path / "in.jsonl", rows("killed", 6000))
    words = [
        sys.executable,
        "-m",
        "baznashr_server",
        "bulk",
        source,
        "--out",
        tmp_path / "out",
        "--no-report",
        "--quiet",
    ]
    command = list(map(str, words))
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    judging: list[int] = []
    preparing: list[int] = []
    until = time.monotonic() + 60
    while not preparing and time.monotonic() < until:
        judging = children(run.pid)
        preparing = [child for one in judging for child in children(one)]
    os.kill(preparing[0], signal.SIGKILL)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "The process that judges ended" in told
    assert not any(map(is_running, judging + preparing))
    assert subprocess.run(command, check=False, timeout=120, capture_output=True).returncode == 0
