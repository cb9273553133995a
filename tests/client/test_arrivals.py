"""Which files of a watched folder are taken, and when."""

import os
import time

import pytest

from baznashr.cli._arrivals import Arrivals


@pytest.fixture
def arrivals(tmp_path):
    """The arrivals of an empty folder, where files rest after a tenth of a second."""
    return Arrivals(tmp_path, ["*.txt"], 0.1)


def put(path, text="a", age=10.0):
    """Write a file that last changed *age* seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    changed = time.time() - age
    os.utime(path, (changed, changed))
    return path


def take(arrivals):
    """Take what is at rest; return the names."""
    files = arrivals.at_rest()
    for file in files:
        arrivals.taken(file)
    return [file.name for file in files]


def test_each_version_is_taken_once(arrivals, tmp_path):
    """Files come in the order in which they changed, each once, and again when its content or its place is another."""
    put(tmp_path / "late.txt", age=5)
    put(tmp_path / "sub" / "early.txt", age=9)
    arrivals.scan()
    assert take(arrivals) == ["early.txt", "late.txt"]
    arrivals.scan()
    assert take(arrivals) == []
    put(tmp_path / "late.txt", "longer", age=4)
    arrivals.scan()
    assert take(arrivals) == ["late.txt"]
    (tmp_path / "late.txt").rename(tmp_path / "other.txt")
    arrivals.scan()
    assert take(arrivals) == ["other.txt"]


def test_a_file_that_grows_is_not_torn(arrivals, tmp_path):
    """A file is taken only when it has not changed for the time asked for, however often it is looked at."""
    path = tmp_path / "a.txt"
    began = time.monotonic()
    for _ in range(8):
        with path.open("a") as file:
            file.write("more ")
        arrivals.note(path)
        assert take(arrivals) == []
        time.sleep(0.03)
    assert time.monotonic() - began > 0.2
    time.sleep(0.1)
    assert take(arrivals) == ["a.txt"]


def test_what_changes_while_it_is_read_is_taken_again(arrivals, tmp_path):
    """A version that came after the file was handed out is not mistaken for the one that was read."""
    path = put(tmp_path / "a.txt")
    arrivals.scan()
    assert arrivals.at_rest() == [path]
    put(path, "changed", age=3)
    arrivals.taken(path)
    assert take(arrivals) == ["a.txt"]


@pytest.mark.parametrize("name", [".a.txt", ".git/a.txt", "a.txt~", "a.txt.part", "a.tmp", "a.jsonl"])
def test_unfinished_and_other_files_are_left_alone(arrivals, tmp_path, name):
    """Hidden files, those of other names, and those that programs name as unfinished are never taken."""
    path = put(tmp_path / name)
    arrivals.scan()
    arrivals.note(path)
    assert take(arrivals) == []


def test_folders_and_gone_files(arrivals, tmp_path):
    """A folder that appears brings its files; what is gone waits no longer and, if it comes back, is taken again."""
    path = put(tmp_path / "sub" / "a.txt")
    arrivals.note(tmp_path / "sub")
    assert len(arrivals) == 1
    path.unlink()
    assert (take(arrivals), len(arrivals)) == ([], 0)
    put(path)
    arrivals.scan()
    assert take(arrivals) == ["a.txt"]
    path.unlink()
    arrivals.scan()
    put(path)
    arrivals.scan()
    assert take(arrivals) == ["a.txt"]


def test_files_that_were_there_can_be_passed_over(arrivals, tmp_path):
    """What is there at the start is not taken when only new files are asked for, until it changes."""
    path = put(tmp_path / "a.txt")
    arrivals.take_all()
    arrivals.scan()
    assert take(arrivals) == []
    put(path, "changed")
    arrivals.scan()
    assert take(arrivals) == ["a.txt"]
