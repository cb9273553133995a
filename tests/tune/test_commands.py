"""The commands, over the sample articles."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path

import pytest
from typer.testing import Result

from baznashr.types import Document, Override, OverrideKind, Policy, Verdict
from baznashr_server.engine import Engine
from baznashr_server.tune import command, policies
from baznashr_server.tune.data import ARTICLES, PAIRS, Pair, read_articles, read_pairs
from baznashr_server.tune.sweep import NAMES
from tests.tune.conftest import sample_documents, sample_pairs

Run = Callable[..., Result]
Files = tuple[Path, Path]


def printed_policy(output: str, folder: Path) -> Policy:
    """Return the policy at the end of a report."""
    path = folder / "printed.json"
    path.write_text(re.search(r"^\{.*^\}", output, re.DOTALL | re.MULTILINE)[0], encoding="utf-8")
    return policies.read(path)


def test_pairs_end_with_the_policy_to_paste(run: Run, files: Files, tmp_path: Path) -> None:
    """The report holds the S-curve, recall, confusion, every sweep and intervals, and ends with a policy."""
    done = run("tune", "--pairs", files[0], "--articles", files[1])
    assert done.exit_code == 0, done.stderr
    for part in ("J = 0.70         0.9899", "by a band of the signature", "by label", "Wrong: ", *NAMES, "interval"):
        assert part in done.stdout
    assert printed_policy(done.stdout, tmp_path) == Policy()
    repeats = sum(pair.repeated is True for pair in sample_pairs())
    assert re.search(r"now +\S+ +\S+ +\S+ +\S+ to \S+\n", done.stdout)
    assert f"Of the {repeats} pairs labelled repeated" in done.stdout


def test_a_bad_start_is_improved(run: Run, files: Files, tmp_path: Path) -> None:
    """From a policy that is far off, the changes are named and the printed policy is the fitted one."""
    start = tmp_path / "start.json"
    start.write_text('{"thresholds": {"covered": 1.0, "numbers_changed": 0.6}}', encoding="utf-8")
    done = run("tune", "--pairs", *(files[0], "--articles", files[1], "--policy", start))
    assert done.exit_code == 0, done.stderr
    assert "Fitted thresholds do better on pairs they were not fitted to" in done.stdout
    assert printed_policy(done.stdout, tmp_path).thresholds.covered < 1.0


@pytest.mark.parametrize(("name", "magic"), [("p.svg", b"<?xml"), ("p.png", b"\x89PNG")])
def test_plots_are_drawn(run: Run, files: Files, tmp_path: Path, name: str, magic: bytes) -> None:
    """The plot is written in the format that its name asks for."""
    done = run("tune", "--pairs", files[0], "--articles", files[1], "--plot", tmp_path / name)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_missing_plotting_library_is_told_before_the_work(
    run: Run, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra one line names it, and nothing is computed first."""
    find_spec = util.find_spec
    hidden = lambda name, package=None: None if name == "matplotlib" else find_spec(name, package)  # noqa: E731
    monkeypatch.setattr("baznashr_server.tune.plot.find_spec", hidden)
    done = run("tune", "--pairs", files[0], "--articles", files[1], "--plot", tmp_path / "p.svg")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "baznashr-server: plots need matplotlib: pip install 'baznashr-server[plots]'\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give either --pairs with --articles, or --data"),
        (("--pairs", "p", "--data", "d"), 2, "give either --pairs with --articles, or --data"),
        (("--pairs", "p"), 2, "--pairs needs --articles"),
        (("--pairs", "p", "--articles", "a"), 1, "p cannot be read: No such file"),
        (("--pairs", "p", "--articles", "a", "--plot", "plot.txt"), 1, "plot.txt: a plot's name ends in .svg"),
        (("--data", "nowhere"), 1, "nowhere is no data folder"),
    ],
)
def test_mistakes_end_with_a_sentence(run: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    """A mistake is told in one line on standard error, with an exit code of its own kind."""
    done = run("tune", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(f"baznashr-server: {message}")
    assert done.stderr.count("\n") == 1


def test_pairs_of_one_label_teach_nothing(run: Run, files: Files, tmp_path: Path) -> None:
    """Where no pair is labelled no, any policy that repeats everything would be best: that is refused."""
    lines = [
        line for line in files[0].read_text(encoding="utf-8").splitlines() if json.loads(line)["repeated"] == "yes"
    ]
    only = tmp_path / "only.jsonl"
    only.write_text("\n".join(lines), encoding="utf-8")
    done = run("tune", "--pairs", only, "--articles", files[1])
    assert done.exit_code == 1
    assert "pairs labelled yes and pairs labelled no" in done.stderr


def test_interruption_is_no_traceback(run: Run, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the command with one line and the exit code of an interrupt."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "read_pairs", interrupt)
    done = run("tune", "--pairs", files[0], "--articles", files[1])
    assert (done.exit_code, done.stderr) == (130, "baznashr-server: interrupted\n")


def test_help_does_not_load_the_engine() -> None:
    """The module of the commands imports nothing that is slow to import."""
    code = "import sys, baznashr_server.tune.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"numba", "numpy", "apsw", "matplotlib"} & set(done.stdout.split()) == set()


def test_samples_show_what_a_corpus_holds(run: Run, data: Path, tmp_path: Path) -> None:
    """All documents are counted by verdict; under the policy in force the shares are those that were answered."""
    done = run("tune", "--data", data, "--sample", 1000, "--save", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    with Engine.open(data) as engine:
        stats = engine.corpus_stats()
        repeated = sum(stats.verdicts[verdict] for verdict in ("EXACT", "NEAR_DUPLICATE", "EXCERPT"))
    assert f"{stats.documents} documents of corpus default" in done.stdout
    assert f"{repeated} ({repeated / stats.documents:.1%}) repeated" in done.stdout
    now = re.findall(r"^ .*? +(\d+) +\S+%  <- now$", done.stdout, re.MULTILINE)
    assert [int(count) for count in now] == [repeated] * (len(NAMES) - 1)
    pairs = read_pairs(tmp_path / "out" / PAIRS)
    assert {pair.repeated for pair in pairs} == {None}
    assert ("metro", "metro-part") in {(pair.a, pair.b) for pair in pairs}
    assert len({pair.b for pair in pairs}) == len(pairs)
    assert read_articles(tmp_path / "out" / ARTICLES, {pair.b for pair in pairs})


@pytest.mark.parametrize("name", [PAIRS, ARTICLES])
def test_what_was_labelled_by_hand_is_not_overwritten(run: Run, data: Path, tmp_path: Path, name: str) -> None:
    """Neither command writes over a file, and tune says so before the work."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("labelled", encoding="utf-8")
    for done in (
        run("tune", "--data", data, "--save", tmp_path / "out"),
        run("export-overrides", data, "--out", tmp_path / "out"),
    ):
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"baznashr-server: {tmp_path / 'out' / name} exists already\n"
    assert [path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()] == ["labelled"]


def test_samples_are_drawn_by_seed(run: Run, data: Path) -> None:
    """The same seed draws the same documents, another one others, and never more than were asked for."""
    first, again, other = (run("tune", "--data", data, "--sample", 20, "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == again != other
    assert first.startswith("20 documents")


def test_folders_in_use_are_refused(run: Run, data: Path, tmp_path: Path) -> None:
    """While an engine has the folder neither command reads it, and the owner is named."""
    with Engine.open(data):
        for done in (run("tune", "--data", data), run("export-overrides", data, "--out", tmp_path / "out")):
            assert done.exit_code == 1
            assert "is in use by process" in done.stderr
    assert not (tmp_path / "out").exists()
    assert "no corpus news" in run("tune", "--data", data, "--corpus", "news").stderr


def test_overrides_become_labelled_pairs(run: Run, data: Path, tmp_path: Path) -> None:
    """A repeat is a yes, no repeat a no of the target or of what had repeated it; a pin says nothing; gone texts go."""
    with Engine.open(data) as engine:
        for override in (
            Override("fire-followup", OverrideKind.REPEAT_OF, "fire"),
            Override("gold-2", OverrideKind.NOT_REPEAT, "gold-1"),
            Override("metro-part", OverrideKind.NOT_REPEAT),
            Override("qanat", OverrideKind.PIN_CANONICAL),
            Override("library", OverrideKind.REPEAT_OF, "kiln"),
        ):
            engine.override(override)
        matches = engine.get("metro-part").judgement.matches
        engine.delete("kiln")
    done = run("export-overrides", data, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert "1 pairs left out: a text is no longer stored" in done.stdout
    pairs = read_pairs(tmp_path / "out" / PAIRS)
    repeated = [match.document_id for match in matches if match.verdict in Policy().repeated_verdicts]
    assert "metro" in repeated
    assert set(pairs) == {
        Pair("fire", "fire-followup", True, "REPEAT_OF", True),
        Pair("gold-1", "gold-2", True, "NOT_REPEAT", False),
        *(Pair(name, "metro-part", True, "NOT_REPEAT", False) for name in repeated),
    }
    tuned = run("tune", "--pairs", tmp_path / "out" / PAIRS, "--articles", tmp_path / "out" / ARTICLES)
    assert tuned.exit_code == 0, tuned.stderr
    assert re.search(r"REPEAT_OF +yes +1 ", tuned.stdout)


def test_texts_that_no_corpus_takes_are_told(run: Run, files: Files, tmp_path: Path) -> None:
    """A pair with a text that has no letter is left out, and said to be."""
    articles = tmp_path / "articles.jsonl"
    empty = {"id": "empty", "text": "...", "title": ""}
    articles.write_text(files[1].read_text(encoding="utf-8") + json.dumps(empty), encoding="utf-8")
    with files[0].open("a", encoding="utf-8") as pairs:
        pairs.write(json.dumps({"a": "metro", "b": "empty", "repeated": "no"}) + "\n")
    done = run("tune", "--pairs", files[0], "--articles", articles)
    assert done.exit_code == 0, done.stderr
    assert "1 pairs left out, the first because: The text has no letter and no digit." in done.stdout


def test_a_corpus_without_texts_can_be_sampled(run: Run, tmp_path: Path) -> None:
    """Where no texts are kept, verdicts and similarities are shown all the same."""
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("bare", keep_text=False)
        engine.ingest_batch(list(sample_documents().values()), "bare")
        assert engine.ingest(Document("again", sample_documents()["metro"].text), "bare").verdict is Verdict.EXACT
    done = run("tune", "--data", tmp_path / "data", "--corpus", "bare")
    assert done.exit_code == 0, done.stderr
    assert "SIGNATURES_AGREE" in done.stdout
