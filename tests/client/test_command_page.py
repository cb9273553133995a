"""The pages that show the command: what they type is run by a shell, and prints what they show."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from baznashr.testing._real import real_server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/client/command.md", ROOT / "client/README.md"]
"""The second, which the first has all of, only in the long form."""
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "@@@"
INVISIBLE = re.compile("[\u2066-\u2069]")
DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")
ARTICLE = (
    "شهرداری تبریز از امروز سه خط تازه اتوبوس برقی را راه انداخت. این خط‌ها میدان ساعت را به دانشگاه و بیمارستان "
    "می‌رسانند و روزانه چهل هزار مسافر دارند."
)
OTHER = f"به گزارش خبرنگار ما، {ARTICLE} انتهای پیام"
FEED = [
    {"id": "rain", "text": "بارش باران در شمال کشور تا پایان هفته ادامه دارد و دمای هوا پنج درجه کاهش می‌یابد."},
    {"id": "bus", "text": ARTICLE},
    {"id": "empty", "text": "؟!"},
]
# A package is not installed for a test, a home not changed, and watching ends by itself.
PRELUDE = """
pip() { :; }
baznashr() {
    case "$1" in
        --install-completion) ;;
        watch)
            command baznashr "$@" --settle 0 >watched 2>&1 &
            for _ in {1..200}; do grep -q 'new share' watched && break; sleep 0.1; done
            kill %%; wait 2>/dev/null; cat watched ;;
        *) command baznashr "$@" ;;
    esac
}
"""


def commands_of(page):
    """Return what a page types, with what it shows below: nothing where it shows nothing."""
    commands = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line.removeprefix("$ "), []))
            else:
                commands[-1][1].append(line.rstrip())
    return commands


@pytest.fixture
def shell(tmp_path):
    """Run commands one after the other in one shell, against a server of their own; return what each printed."""
    (tmp_path / "article.txt").write_text(ARTICLE + "\n", encoding="utf-8")
    (tmp_path / "other.txt").write_text(OTHER + "\n", encoding="utf-8")
    for name in ("feed.jsonl", "archive.jsonl"):
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in FEED)
        (tmp_path / name).write_text(lines, encoding="utf-8")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "copy.txt").write_text(OTHER, encoding="utf-8")

    def shell(commands):
        with real_server(tmp_path / "data") as address:
            # The exit code of a command is there for the next one to show.
            script = PRELUDE + "".join(f"{each}\ncode=$?; echo; echo '{MARK}'; (exit $code)\n" for each in commands)
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            result = subprocess.run(
                ["bash", "--norc", "-c", script.replace("127.0.0.1:50051", address)],
                cwd=tmp_path,
                env=os.environ | {"PATH": path, "HOME": str(tmp_path), "COLUMNS": "100"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=200,
                check=False,
            )
        *printed, rest = INVISIBLE.sub("", result.stdout).split(f"\n{MARK}\n")
        assert not rest
        return [[line.rstrip().replace(f"{tmp_path}/", "") for line in each.splitlines()] for each in printed]

    return shell


def pytest_generate_tests(metafunc):
    """Read the pages that the form of the run asks for."""
    pages = PAGES if metafunc.config.getoption("long") else PAGES[:1]
    metafunc.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.mark.timeout(240)
def test_the_page_shows_what_the_command_prints(page, shell):
    """Every command of the page ends without a traceback and prints what stands below it, where something does."""
    commands = commands_of(page)
    assert len(commands) > 5
    printed = shell([command for command, _ in commands])
    assert len(printed) == len(commands)
    for (command, shown), lines in zip(commands, printed, strict=True):
        assert "Traceback" not in "\n".join(lines)
        if shown:
            assert (command, [DATE.sub("DATE", line) for line in lines]) == (
                command,
                [DATE.sub("DATE", line) for line in shown],
            )
