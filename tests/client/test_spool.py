"""Documents on disk that wait for the service: nothing lost, nothing reordered, whatever ends the process."""

import os
import random
import shutil
import stat
import subprocess
import sys
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr import Document, errors
from baznashr.pipeline import _spool
from baznashr.pipeline._spool import Spool

LIMIT = 1 << 20


def documents(*numbers):
    """Make documents whose text is their number."""
    return [Document(id=f"d{number}", text=f"خبر {number}") for number in numbers]


def take(spool, number):
    """Take documents from the spool one by one."""
    taken = []
    while len(taken) < number and (oldest := spool.peek(1)):
        taken += oldest
        spool.acknowledge()
    return taken


@pytest.fixture
def folder(tmp_path):
    """Where a spool may be."""
    return tmp_path / "spool"


@pytest.fixture
def spool(folder):
    """An empty spool."""
    spool = Spool(folder, LIMIT)
    yield spool
    spool.close()


TEXTS = st.text(st.characters(codec=None), max_size=20)


@given(
    st.builds(
        Document,
        id=TEXTS,
        text=TEXTS,
        title=TEXTS,
        source=TEXTS,
        url=TEXTS,
        published_at=st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=3.5))])),
        labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    )
)
def test_any_document_comes_back_as_it_was(document):
    """Line breaks, controls and lone surrogates included, a line holds the whole document and no more."""
    line = _spool._to_line(document)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert _spool._from_line(line, "file", 0) == document


def test_what_waits_survives_the_process(folder, spool):
    """Documents come back in order after the spool is closed and opened, without those acknowledged."""
    spool.append(documents(1, 2, 3))
    spool.append(documents(4))
    assert take(spool, 2) == documents(1, 2)
    spool.close()
    again = Spool(folder, LIMIT)
    assert len(again) == 2
    assert take(again, 9) == documents(3, 4)
    assert len(again) == 0
    again.close()
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_peeking_acknowledges_nothing(spool):
    """The oldest documents are seen again until they are acknowledged."""
    spool.append(documents(1, 2, 3))
    assert spool.peek(2) == spool.peek(2) == documents(1, 2)
    spool.acknowledge()
    assert spool.peek(9) == documents(2, 3)


@pytest.mark.parametrize("operations", range(3))
def test_a_spool_is_a_queue(folder, monkeypatch, operations, seed):
    """Against a list: random appends, takings, closings and torn tails, over many small segments."""
    monkeypatch.setattr(_spool, "SEGMENT_BYTES", 300)
    rng = random.Random(seed + operations)
    spool, expected, number = Spool(folder, LIMIT), [], 0
    for _ in range(300):
        action = rng.random()
        if action < 0.4:
            new = documents(*range(number, number + rng.randint(1, 4)))
            number += len(new)
            spool.append(new)
            expected += new
        elif action < 0.8:
            count = rng.randint(1, 5)
            assert take(spool, count) == expected[:count]
            del expected[:count]
        else:
            spool.close()
            segments = sorted(folder.glob("*.jsonl"))
            if segments and rng.random() < 0.5:
                with segments[-1].open("ab") as file:
                    file.write('{"id": "نیمه'.encode()[: rng.randint(1, 14)])
            spool = Spool(folder, LIMIT)
        assert len(spool) == len(expected)
    assert take(spool, number) == expected
    spool.close()


def test_the_limit_holds(spool):
    """Beyond its limit the spool refuses all of a call, keeps what it had, and takes again when there is room."""
    large = [Document(id=f"d{number}", text="x" * (LIMIT // 5)) for number in range(8)]
    spool.append(large[:4])
    with pytest.raises(errors.SpoolFull) as full:
        spool.append(documents(1) + large[4:])
    assert full.value.retriable
    assert len(spool) == 4
    assert take(spool, 4) == large[:4]
    spool.append(large[4:])
    assert take(spool, 4) == large[4:]


def test_a_failed_write_keeps_nothing(spool, monkeypatch):
    """A disk that fails in the middle of a call leaves the spool as it was."""
    spool.append(documents(1))

    def full_disk(_descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space"):
            spool.append(documents(2, 3))
    spool.append(documents(4))
    assert take(spool, 9) == documents(1, 4)


@pytest.mark.parametrize("undone", [True, False])
@pytest.mark.parametrize("point", ["before", "after"])
def test_an_interrupted_write_costs_no_other(spool, monkeypatch, point, undone):
    """What a signal's handler interrupts, and even cannot be taken back, is not kept, and all before and after is."""
    spool.append(documents(1))
    fsync, ftruncate = os.fsync, os.ftruncate

    def interrupted(descriptor):
        if point == "after":
            fsync(descriptor)
        if not undone:
            monkeypatch.setattr(os, "ftruncate", lambda *_: None)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        spool.append(documents(2, 3))
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "ftruncate", ftruncate)
    assert spool.peek(9) == documents(1)
    spool.append(documents(4))
    assert take(spool, 9) == documents(1, 4)
    assert not spool
    assert len(spool) == 0


def test_one_owner(folder, spool):
    """A second spool on the folder is refused, naming the process that has it, until the first is closed."""
    with pytest.raises(errors.SpoolError, match=str(os.getpid())) as refused:
        Spool(folder, LIMIT)
    assert refused.value.reason == "SPOOL_IN_USE"
    spool.close()
    Spool(folder, LIMIT).close()
    for use in (lambda: spool.append(documents(1)), lambda: spool.peek(1)):
        with pytest.raises(ValueError, match="closed with its guard"):
            use()


def test_a_fork_neither_uses_nor_keeps_the_folder(folder, spool, monkeypatch):
    """A fork, which has a copy of the lock, is told to make its own; the folder is free once its owner closes it."""
    copied = os.dup(spool._owner.fileno())
    with monkeypatch.context() as fork:
        fork.setattr(os, "getpid", lambda: spool._pid + 1)
        for use in (lambda: spool.append(documents(1)), lambda: spool.peek(1)):
            with pytest.raises(RuntimeError, match="make a guard after the fork"):
                use()
    spool.append(documents(1))
    spool.close()
    again = Spool(folder, LIMIT)
    assert take(again, 9) == documents(1)
    again.close()
    os.close(copied)


def test_other_files_are_left_alone(folder):
    """What somebody else put into the folder is neither read nor removed."""
    folder.mkdir()
    (folder / "notes.jsonl").write_text("{}\n")
    spool = Spool(folder, LIMIT)
    spool.append(documents(1))
    assert take(spool, 9) == documents(1)
    spool.close()
    assert (folder / "notes.jsonl").read_text() == "{}\n"


def test_files_named_like_segments_are_no_spool(folder):
    """A folder of files named by date is refused as it is: taken for segments, they would be cut and removed."""
    folder.mkdir()
    for name, text in (("20240501.jsonl", '{"id": "a"}'), ("20240502.jsonl", "")):
        (folder / name).write_text(text)
    with pytest.raises(errors.SpoolError, match="is no spool") as refused:
        Spool(folder, LIMIT)
    assert refused.value.reason == "NO_SPOOL"
    assert {path.name for path in folder.iterdir()} == {"20240501.jsonl", "20240502.jsonl"}
    assert (folder / "20240501.jsonl").read_text() == '{"id": "a"}'


def test_a_copy_without_its_lock_is_told_how_to_be_one(folder, spool, tmp_path):
    """Its segments alone could be anybody's files; with an empty lock, as the error says, nothing of it is lost."""
    spool.append(documents(1, 2, 3))
    assert take(spool, 1) == documents(1)
    copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("lock"))
    with pytest.raises(errors.SpoolError, match="if this is a copy of a spool, make an empty file lock"):
        Spool(copy, LIMIT)
    (copy / "lock").touch()
    again = Spool(copy, LIMIT)
    assert take(again, 9) == documents(2, 3)
    again.close()


def test_only_the_owner_may_read(folder, spool):
    """Whatever the umask, articles and their folder are their owner's alone."""
    spool.append(documents(1, 2))
    spool.peek(1)
    spool.acknowledge()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 3


def test_damage_is_named(folder, spool):
    """A whole line that holds no document stops the replay when its turn comes, with the file and the place."""
    spool.append(documents(1, 2, 3))
    spool.close()
    (segment,) = folder.glob("*.jsonl")
    first, second, third = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(first + second.replace(b'"id"', b'"ix"') + third)
    again = Spool(folder, LIMIT)
    assert take(again, 1) == documents(1)
    with pytest.raises(errors.SpoolError, match=rf"00000001\.jsonl holds no document at byte {len(first)}:") as damaged:
        again.peek(9)
    assert damaged.value.reason == "SPOOL_DAMAGED"
    assert len(again) == 2
    again.close()


def test_a_killed_writer_loses_nothing_it_was_answered_for(folder):
    """A process killed while it appends leaves every document whose append returned, in order."""
    program = (
        "import sys; from baznashr import Document; from baznashr.pipeline._spool import Spool\n"
        "spool = Spool(sys.argv[1], 1 << 30)\n"
        "for number in range(1_000_000):\n"
        "    spool.append([Document(id=f'd{number}', text='x' * (number % 7000))])\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(200):
            writer.stdout.readline()
        writer.kill()
        answered = [int(line) for line in writer.stdout.read().split()]
    spool = Spool(folder, 1 << 30)
    ids = [document.id for document in take(spool, 1_000_000)]
    spool.close()
    assert ids == [f"d{number}" for number in range(len(ids))]
    assert len(ids) > (answered[-1] if answered else 199)
