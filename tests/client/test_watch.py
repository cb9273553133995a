"""The command that watches a folder, as a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baznashr import errors
from tests.client.stub import judge_batch

COMMAND = Path(sys.executable).with_name("baznashr")
GIVE_UP_SECONDS = 25


class Watch:
    """A running ``baznashr watch --json``."""

    def __init__(self, folder, address, *flags, settle=0.3):
        command = [COMMAND, "watch", folder, "--json", "--settle", str(settle), *flags]
        self._out = folder.with_name("out").open("w+")
        self._err = folder.with_name("err").open("w+")
        environment = os.environ | {"BAZNASHR_SERVER": address}
        self.process = subprocess.Popen(list(map(str, command)), stdout=self._out, stderr=self._err, env=environment)
        self.wait(lambda: "watching" in self.err())

    def err(self):
        return Path(self._err.name).read_text(encoding="utf-8")

    def answers(self):
        lines = Path(self._out.name).read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait(self, condition):
        """Wait until *condition* holds."""
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < give_up, (self.answers(), self.err())
            assert self.process.poll() is None, self.err()
            time.sleep(0.02)

    def wait_for(self, number):
        """Wait for as many answers, and return them."""
        self.wait(lambda: len(self.answers()) >= number)
        return self.answers()

    def end(self, number=signal.SIGINT):
        """End it as a person would; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(GIVE_UP_SECONDS)

    def close(self):
        """End it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()
        self._err.close()


@pytest.fixture
def folder(tmp_path):
    """The folder that is watched."""
    path = tmp_path / "inbox"
    path.mkdir()
    return path


@pytest.fixture
def watch(folder, address, stub):
    """Watch the folder with the stub as the server."""
    stub.answers["BatchIngestDocuments"] = stub.answers["BatchCheckTexts"] = judge_batch
    started = []

    def start(*flags, **options):
        started.append(Watch(folder, address, *flags, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("flags", [(), ("--polling",)], ids=["notices", "polling"])
def test_files_are_ingested_as_they_arrive(watch, folder, stub, flags):
    """What is there, what arrives, what is moved in and what changes is ingested under its path; Ctrl-C is no crash."""
    (folder / "یک.txt").write_text("خبر یک", encoding="utf-8")
    running = watch(*flags, "--corpus", "news")
    assert running.wait_for(1)[0]["input"] == "یک.txt"
    (folder / "sub").mkdir()
    (folder / "sub" / "two.txt").write_text("خبر دو", encoding="utf-8")
    running.wait_for(2)
    aside = folder.with_name("aside")
    aside.mkdir()
    (aside / "three.txt").write_text("خبر سه", encoding="utf-8")
    aside.rename(folder / "moved")
    running.wait_for(3)
    (folder / "یک.txt").write_text("خبر یک، ویرایش", encoding="utf-8")
    answers = running.wait_for(4)
    assert running.end() == 130
    assert [answer["input"] for answer in answers] == ["یک.txt", "sub/two.txt", "moved/three.txt", "یک.txt"]
    assert [answer["reason"] for answer in answers] == ["خبر یک", "خبر دو", "خبر سه", "خبر یک، ویرایش"]
    requests = [asked.request for asked in stub.asked]
    assert {(request.corpus, request.replace) for request in requests} == {("news", True)}
    ids = [document.id for request in requests for document in request.documents]
    assert ids == [answer["input"] for answer in answers]
    assert running.err() == f"watching {folder}; Ctrl-C ends\n"


def test_a_slow_writer_is_waited_for(watch, folder, stub):
    """A file that grows is sent once, whole, and one under a name that says unfinished when it has its own."""
    running = watch(settle=0.6)
    for number in range(8):
        with (folder / "slow.txt").open("a") as file:
            file.write(f"part {number} ")
        time.sleep(0.15)
    assert [answer["reason"] for answer in running.wait_for(1)] == ["".join(f"part {n} " for n in range(8))]
    (folder / "b.txt.part").write_text("half")
    time.sleep(1)
    (folder / "b.txt.part").rename(folder / "b.txt")
    assert running.wait_for(2)[1]["input"] == "b.txt"
    assert running.end() == 130


def test_files_wait_while_the_service_is_away(watch, folder, stub):
    """Through an outage no file is lost or sent twice after its answer; it is said once that files wait."""
    outage = [errors.ReadOnly("disk full"), errors.QuotaExceeded("enough"), errors.DeadlineExceeded("late")]

    def answer(request):
        if outage and any(document.text == "2" for document in request.documents):
            raise outage.pop()
        return judge_batch(request)

    stub.answers["BatchIngestDocuments"] = answer
    running = watch()
    for number in range(5):
        (folder / f"{number}.txt").write_text(str(number))
        running.wait_for(min(number + 1, 2))
    assert sorted(answer["input"] for answer in running.wait_for(5)) == [f"{number}.txt" for number in range(5)]
    running.wait(lambda: "answers again" in running.err())
    assert running.end() == 130
    assert not outage
    lines = running.err().splitlines()
    assert [line for line in lines if "wait)" in line] == [lines[1]]


def test_refused_files_hold_up_nothing(watch, folder):
    """A file that is not UTF-8 has its error in place; the rest goes on, and it is sent when it is mended."""
    (folder / "bad.txt").write_bytes(b"\xff")
    running = watch("--check")
    assert running.wait_for(1)[0]["error"]["reason"] == "MALFORMED_TEXT"
    (folder / "good.txt").write_text("good")
    running.wait_for(2)
    (folder / "bad.txt").write_text("mended")
    assert running.wait_for(3)[2]["reason"] == "mended"
    assert running.end() == 130


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems hold no name that is not UTF-8")
@pytest.mark.parametrize("flags", [(), ("--polling",)], ids=["notices", "polling"])
def test_names_that_are_not_utf8_hold_up_nothing(watch, folder, flags):
    """A name that is not UTF-8 is told once and refused as an id; what came with it and after it is taken."""
    running = watch(*flags)
    bad = Path(os.fsdecode(bytes(folder) + b"/bad\xffname.txt"))
    for number in range(3):
        bad.write_text(f"bad {number}")
        (folder / f"{number}.txt").write_text(f"good {number}")
        running.wait_for(2 * number + 2)
    answers = running.answers()
    assert running.end() == 130
    assert [each["reason"] for each in answers if "reason" in each] == ["good 0", "good 1", "good 2"]
    assert [each["error"]["reason"] for each in answers if "error" in each] == ["INVALID_DOCUMENT_ID"] * 3
    assert running.err().count("not UTF-8") == 1


def test_a_folder_whose_path_is_not_utf8_is_refused(address, tmp_path):
    """The system's notices cannot name such a folder: that is said in place of a traceback."""
    folder = os.fsencode(tmp_path) + b"/in\xffbox"
    try:
        os.mkdir(folder)  # noqa: PTH102 - bytes
    except OSError:
        pytest.skip("the file system holds no name that is not UTF-8")
    ended = subprocess.run(
        [COMMAND, "watch", folder, "--server", address], capture_output=True, check=False, timeout=GIVE_UP_SECONDS
    )
    assert ended.returncode == 2
    assert b"not UTF-8" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_lines_and_new_files_only(watch, folder, stub):
    """With --jsonl each line is a document of its own; with --new-only what is there already is passed over."""
    (folder / "old.jsonl").write_text('{"id": "old", "text": "old"}\n')
    running = watch("--jsonl", "--new-only")
    (folder / "new.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b"}\n{"id": "c", "text": "three"}\n')
    answers = running.wait_for(3)
    assert running.end() == 130
    assert [answer["input"] for answer in answers] == ["new.jsonl:1", "new.jsonl:2", "new.jsonl:3"]
    assert answers[1]["error"]["field"] == "text"
    assert [document.id for asked in stub.asked for document in asked.request.documents] == ["a", "c"]


def test_a_folder_that_goes_ends_it(watch, folder):
    """When the folder itself is removed, the command ends with one line instead of watching nothing."""
    running = watch()
    shutil.rmtree(folder)
    assert running.process.wait(GIVE_UP_SECONDS) == 2
    assert "is gone" in running.err()
    assert "Traceback" not in running.err()
