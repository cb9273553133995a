"""Two texts beside each other, and what else the command does on a terminal."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from baznashr import types, wire
from baznashr.cli._side_by_side import Side, mark, show
from baznashr.v1 import check_service_pb2
from tests.client.stub import judge_batch
from tests.support.terminal import run_on_terminal

COMMAND = Path(sys.executable).with_name("baznashr")
LRI, RLI, FSI, PDI = "\u2066", "\u2067", "\u2068", "\u2069"
EARLIER = "شهرداری خط دوم مترو را گشود. این خط هشت ایستگاه دارد و می‌رود تا میدان."
LATER = "به گزارش ما، شهرداری خط دوم مترو را گشود. پایان پیام"
SHARED = "شهرداری خط دوم مترو را گشود"
SPANS = (types.MatchedSpan(LATER.index(SHARED), LATER.index(SHARED) + len(SHARED), 0, len(SHARED)),)
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def rows(capsys, monkeypatch):
    """Show two texts on a screen of some columns; return the lines."""

    def rows(earlier, later, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        show(Side("a.txt", earlier), Side("b.txt", later), SPANS)
        return capsys.readouterr().out.splitlines()

    return rows


def test_columns_stay_apart_in_any_terminal(rows):
    """Every row is as wide as the others, and each Persian cell is isolated right after a border."""
    shown = rows(EARLIER, LATER)
    assert len({cell_len(row) for row in shown}) == 1
    assert cell_len(shown[0]) <= 80
    body = shown[3:-1]
    assert len(body) > 1
    for row in body:
        assert row.count(RLI) == row.count(PDI) in {1, 2}
        assert re.fullmatch(rf"│ (?:{RLI}[^│]*{PDI}| +) │ (?:{RLI}[^│]*{PDI}| +) │", row)


def test_persian_columns_run_from_right_to_left(rows):
    """The earlier text stands on the right where both are Persian, on the left elsewhere, above on a narrow screen."""
    assert rows(EARLIER, LATER)[1].index("later: ") < rows(EARLIER, LATER)[1].index("earlier: ")
    english = rows("the earlier text", "the later text")
    assert english[1].index("earlier: ") < english[1].index("later: ")
    assert LRI in english[3]
    assert RLI not in english[3]
    narrow = rows(EARLIER, LATER, columns=40)
    assert max(map(cell_len, narrow)) <= 40
    assert [row for row in narrow if "earlier: " in row] == [narrow[1]]
    assert sum("later: " in row for row in narrow) == 1


def test_no_letter_is_lost_in_wrapping(rows):
    """The words of both texts are all there, in order, with the shared passage in its brackets."""
    body = [row.strip("│").split("│") for row in rows(EARLIER, LATER)[3:-1]]
    later, earlier = (
        " ".join(cells).translate(dict.fromkeys(map(ord, RLI + PDI))).split() for cells in zip(*body, strict=True)
    )
    assert later == LATER.replace(SHARED, f"⟦1 {SHARED}⟧").split()
    assert earlier == EARLIER.replace(SHARED, f"⟦1 {SHARED}⟧").split()


def test_texts_cannot_drive_the_terminal():
    """Escapes, overrides and isolates of a text are not shown; places of spans still count them."""
    text = "\x1b[31m\u202eسلام\u2069 دنیا\n"
    marked = mark(text, [(text.index("س"), text.index("س") + 4)], in_colour=False)
    assert marked.plain == "[31m⟦1 سلام⟧ دنیا"
    (run,) = mark(text, [(text.index("س"), text.index("س") + 4)], in_colour=True).spans
    assert (run.start, run.end) == (4, 8)


@pytest.fixture
def compared(stub):
    """The server's answer to a comparison: one shared passage."""
    match = types.Match("", 0.6, 0.6, 0.4, spans=SPANS, verdict=types.Verdict.OVERLAP, reason="LONG_PASSAGES")
    judgement = types.Judgement(
        verdict=types.Verdict.OVERLAP, repeated=False, reason="LONG_PASSAGES", matches=(match,), new_share=0.4
    )
    answer = check_service_pb2.CompareTextsResponse(judgement=wire.judgement_to_message(judgement))
    stub.answers["CompareTexts"] = lambda _: answer


def test_a_terminal_shows_colours(compared, address, tmp_path):
    """On a terminal the shared passage has one colour in both columns; without colours it has brackets."""
    (tmp_path / "a.txt").write_text(EARLIER, encoding="utf-8")
    (tmp_path / "b.txt").write_text(LATER, encoding="utf-8")
    command = [COMMAND, "compare", tmp_path / "a.txt", tmp_path / "b.txt", "-s", address]
    code, shown = run_on_terminal(command)
    assert code == 0
    assert shown.count("\x1b[1;32m") >= 2
    assert "⟦" not in shown
    assert SHARED.split(maxsplit=1)[0] in ESCAPES.sub("", shown)
    _, plain = run_on_terminal(command, NO_COLOR="1")
    assert plain.count("⟦1 ") == 2
    assert "\x1b[1;32m" not in plain
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "│" not in piped.stdout
    forced = subprocess.run([*command, "--side-by-side"], capture_output=True, text=True, check=True)
    assert forced.stdout.count("⟦1 ") == 2
    assert "\x1b" not in forced.stdout


def test_long_work_shows_a_bar_to_people_only(stub, address, tmp_path):
    """The bar is on standard error, only where that is a terminal and answers go elsewhere; the answers stay whole."""
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"text": "a"}\n' * 300)

    def answer(request):
        time.sleep(0.7)
        return judge_batch(request)

    stub.answers["BatchCheckTexts"] = answer
    command = [COMMAND, "check", "--jsonl", "--json", feed, "-s", address]
    with (tmp_path / "out").open("wb") as out:
        code, shown = run_on_terminal(command, stdout=out)
    assert code == 0
    assert (tmp_path / "out").read_bytes().count(b"\n") == 300
    assert "answered" in shown
    assert "%" in shown
    piped = subprocess.run(command, capture_output=True, check=True)
    assert piped.stderr == b""
    code, shown = run_on_terminal([*command, "--quiet"])
    assert "answered" in shown
    assert shown.splitlines()[-1].endswith('{"verdicts": {"NEW": 300}, "repeated": 0, "refused": 0}')
