"""The page that a bulk run leaves: what it shows, that it needs nothing else, and that a browser takes it."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from baznashr_server.bulk.report import charts
from baznashr_server.bulk.report.evidence import MOST, pieces
from baznashr_server.bulk.report.facts import Facts
from baznashr_server.bulk.report.words import LABELS, SECTIONS

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "tests" / "samples" / "articles.jsonl"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = '<script>console.error("ran")</script><img src=x onerror=alert(1)>"\'&amp;'


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the outputs of a run over the samples, rows with hostile names and texts, and broken rows."""
    from typer.testing import CliRunner

    from baznashr_server.cli import app

    home = tmp_path_factory.mktemp("report")
    samples = [json.loads(line) for line in SAMPLES.read_text("utf-8").splitlines()]
    body = samples[0]["text"]
    made = [
        {
            **samples[0],
            "id": f"hostile {number} {HOSTILE}",
            "title": HOSTILE,
            "source": HOSTILE,
            "text": HOSTILE + body * 2,
        }
        for number in range(2)
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in (*samples, *made)]
    (home / "in.jsonl").write_text("\n".join([*lines, HOSTILE, '{"id": "empty", "text": "…"}']) + "\n", "utf-8")
    done = CliRunner().invoke(app, ["bulk", str(home / "in.jsonl"), "--out", str(home / "out"), "--quiet"])
    assert done.exit_code == 3, done.output
    return home / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    """Return its report."""
    return Page((folder / "report.html").read_text("utf-8"))


def test_every_section_is_there_with_its_figures(folder: Path, page: Page) -> None:
    """All sections, five drawings, shaded passages and copies, and the totals of the tables."""
    assert [given["id"] for tag, given in page.elements if tag == "h2"] == list(SECTIONS)
    assert sum(tag == "svg" for tag, _ in page.elements) == 5
    assert sum(tag == "mark" for tag, _ in page.elements) > 20
    judged = pq.read_table(folder / "judgements.parquet").to_pylist()
    text = re.sub(r"\s+", " ", page.text)
    assert f"articles judged {LABELS['articles judged']}{len(judged)}" in text
    assert f"called repeated {LABELS['called repeated']}{sum(row['repeated'] for row in judged)} " in text
    assert f"rows rejected {LABELS['rows rejected']}2" in text
    for name in ("EMPTY_TEXT", "BROKEN_ROW", "the whole text twice", "reports", "first published by"):
        assert name in text


def test_persian_texts_run_from_right_to_left(page: Page) -> None:
    """Every text and every title of an article says its direction and its language."""
    texts = [given for tag, given in page.elements if (given.get("class") or "").split()[:1] == ["text"] or tag == "h4"]
    assert len(texts) > 10
    assert all(given.get("dir") == "rtl" and given.get("lang") == "fa" for given in texts)


def test_the_page_needs_nothing_and_runs_nothing(page: Page) -> None:
    """No script, no event handler, nothing fetched; what articles hold is shown as text."""
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe", "object", "embed"}
    for tag, given in page.elements:
        assert not [name for name in given if name.startswith("on")], (tag, given)
        for name in ("src", "href", "xlink:href"):
            assert (given.get(name) or "#").startswith(("#", "data:")), (tag, given)
    assert HOSTILE in page.text


def test_the_same_run_makes_the_same_page(bulk: Callable[..., Result], tmp_path: Path) -> None:
    """The page is a function of the rows; --no-report leaves it out and changes nothing else."""
    for out in ("one", "other"):
        assert bulk(SAMPLES, "--report", out=out).exit_code == 0
    assert bulk(SAMPLES, "--no-report", out="none").exit_code == 0
    one, other = ((tmp_path / out / "report.html").read_bytes() for out in ("one", "other"))
    assert one == other
    assert not (tmp_path / "none" / "report.html").exists()
    judged = [(tmp_path / out / "judgements.parquet").read_bytes() for out in ("one", "none")]
    assert judged[0] == judged[1]


def test_an_archive_of_one_article_makes_a_page(bulk: Callable[..., Result], tmp_path: Path) -> None:
    """Without time, source, match, cluster or reject, each section says so."""
    (tmp_path / "one.jsonl").write_text(json.dumps({"id": "a", "text": "تنها خبر روز"}) + "\n", "utf-8")
    assert bulk(tmp_path / "one.jsonl", "--report").exit_code == 0
    text = Page((tmp_path / "out" / "report.html").read_text("utf-8")).text
    for line in (
        "No article has a match.",
        "Nothing is republished.",
        "There are no clusters.",
        "No row was rejected.",
    ):
        assert line in text


def test_a_run_that_rejects_all_makes_a_page(bulk: Callable[..., Result], tmp_path: Path) -> None:
    """Where nothing was judged, all outputs are there, and the page shows what was rejected."""
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "…"}\n', "utf-8")
    assert bulk(tmp_path / "in.jsonl", "--report").exit_code == 3
    assert pq.read_table(tmp_path / "out" / "judgements.parquet").num_rows == 0
    text = Page((tmp_path / "out" / "report.html").read_text("utf-8")).text
    assert f"articles judged {LABELS['articles judged']}0" in text
    assert "No article was judged." in text
    assert "EMPTY_TEXT: 1." in text


def test_a_name_that_no_xml_may_hold_is_drawn() -> None:
    """A control character or a noncharacter in a source's name becomes a mark; it does not end the process."""
    facts = Facts(articles=2, verdicts=Counter(NEW=1, EXACT=1))
    facts.sources = Counter({("site\x01.ir", "NEW"): 1, ("دو\ufffe", "EXACT"): 1})
    facts.flows = Counter({("دو\ufffe", "site\x01.ir"): 1})
    for drawn in (charts.sources(facts), charts.flow(facts)):
        assert drawn is not None
        assert {"site\ufffd.ir", "دو\ufffd"} <= set(re.findall(r">([^<>]+)</text>", drawn))


def test_long_texts_are_cut_between_what_is_shaded() -> None:
    """The shading's edges stay, what is left out is counted, and nothing else is lost."""
    text = "الف ب " * 2000
    shown = pieces(text, [(3000, 3100), (6000, 9000)])
    assert sum(len(piece.text) + piece.left_out for piece in shown) == len(text)
    assert sum(len(piece.text) for piece in shown) < MOST
    assert [piece.shaded for piece in shown if piece.text] == [
        False,
        False,
        True,
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    short = "یک\n\n\nدو"
    assert [(piece.text, piece.shaded) for piece in pieces(short, [(0, len(short))])] == [
        ("یک", True), ("\n\n", False), ("دو", True)
    ]  # fmt: skip


def browse(chromium: str, path: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the page as the browser understood it, and what it wrote to its console."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    command: list[Any] = [chromium, *flags, "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look at the page with: apt-get install chromium")
@pytest.mark.timeout(240)
def test_a_browser_takes_it_without_a_word(folder: Path, tmp_path: Path) -> None:
    """Chromium finds all sections and drawings and says nothing, while it does of a page with a script."""
    assert CHROMIUM is not None
    seen, said = browse(CHROMIUM, folder / "report.html", tmp_path / "profile")
    assert said == []
    for name in SECTIONS:
        assert f'id="{name}"' in seen
    assert seen.count("<svg") == 5
    (tmp_path / "loud.html").write_text("<script>console.error('ran')</script>", "utf-8")
    assert browse(CHROMIUM, tmp_path / "loud.html", tmp_path / "profile")[1]
