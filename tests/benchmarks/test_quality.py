"""The quality benchmark: its arithmetic, its noises, and the whole of it on the sample articles."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr.types import Document, RepetitionKind
from baznashr_server.text.canonical import canonicalise
from benchmarks.quality import crossval, noises, reading, samples, stream
from benchmarks.quality.baselines import jaccard
from benchmarks.quality.data import Data, Pair, load_samples, published
from benchmarks.quality.scoring import best_threshold, called, components, f1_many, interval, score
from tests.articles import samples as sample_articles

ROOT = Path(__file__).parent.parent.parent
BARS = 12

decisions = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def pair(a: str = "a", b: str = "b", *, ordered: bool = False, repeated: str = "yes") -> Pair:
    return Pair(a, b, ordered, "DUP", repeated, "")


@pytest.mark.parametrize(
    ("ordered", "repeated", "forward", "backward", "expected"),
    [
        (True, "yes", False, True, False),
        (True, "no", True, False, True),
        (False, "yes", False, True, True),
        (False, "no", True, False, False),
        (False, "no", True, True, True),
    ],
)
def test_pairs_are_scored_as_the_data_says(
    ordered: bool, repeated: str, forward: bool, backward: bool, expected: bool
) -> None:
    """Where the order is unknown either direction meets a yes, and both must be called repeated to fail a no."""
    assert called(pair(ordered=ordered, repeated=repeated), forward, backward) is expected


def test_f1_by_hand() -> None:
    """Two right, one wrong, one missed: precision, recall and F1 are two thirds."""
    found = score(np.array([True, True, True, False, False]), np.array([True, True, False, True, False]))
    assert (found.right, found.wrong, found.missed) == (2, 1, 1)
    assert found.f1 == found.precision == found.recall == pytest.approx(2 / 3)


@given(decisions)
def test_weighted_f1_is_f1(rows: list[tuple[bool, bool]]) -> None:
    """With equal weights the many-at-once F1 is the plain one, and an interval holds within 0 and 1."""
    found, true = (np.array(column, bool) for column in zip(*rows, strict=True))
    weights = np.ones((1, true.size), np.int64)
    assert f1_many(found[None, :], true, weights)[0, 0] == pytest.approx(score(found, true).f1)
    low, high = interval(found, true, np.arange(true.size), seed=1)["f1"]
    assert 0 <= low <= high <= 1


def test_groups_without_a_pair_are_not_drawn() -> None:
    """An interval is the same whatever groups there are besides those of the pairs it is of."""
    found, true = np.tile([True, True, False], 20), np.tile([True, False, True], 20)
    groups = np.repeat(np.arange(20), 3)
    assert interval(found, true, groups, seed=1) == interval(found, true, 3 * groups + 1, seed=1)


@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=40))
def test_best_threshold_is_best(rows: list[tuple[int, bool]]) -> None:
    """No other threshold gives a better F1."""
    similarities = np.array([s / 10 for s, _ in rows])
    true = np.array([t for _, t in rows], bool)
    best = score(similarities >= best_threshold(similarities, true), true).f1
    assert best >= max(score(similarities >= t, true).f1 for t in np.linspace(0.01, 1.01, 51)) - 1e-12


def test_pairs_that_share_documents_are_one_group() -> None:
    """Groups are connected components, and folds never part them."""
    pairs = [pair("a", "b"), pair("c", "d"), pair("b", "e"), pair("e", "f"), pair("g", "c")]
    groups = components(pairs)
    assert groups[0] == groups[2] == groups[3] != groups[1] == groups[4]
    many = np.repeat(np.arange(40), 3)
    fold = crossval.folds(many, seed=1)
    assert all(np.unique(fold[many == group]).size == 1 for group in range(40))
    assert set(fold) == set(range(crossval.FOLDS))


def test_cross_validation_sees_no_held_out_pair() -> None:
    """The chooser is asked once for each fold of each repeat, every time with whole groups left out."""
    groups, true = np.repeat(np.arange(10), 2), np.tile([True, False], 10)
    asked = []

    def choose(train: np.ndarray) -> np.ndarray:
        asked.append(train)
        assert not set(groups[train]) & set(groups[~train])
        return np.where(train, False, true)

    assert crossval.cross_validate(choose, true, groups, seed=1).f1 == 1.0
    assert len(asked) == crossval.FOLDS * crossval.REPEATS


def test_jaccard_by_hand() -> None:
    """Shared elements divided by all."""
    assert jaccard({"a", "b", "c"}, {"b", "c", "d"}) == 0.5
    assert jaccard(set(), set()) == 0


@pytest.mark.parametrize("noise", noises.ORTHOGRAPHIC.values(), ids=noises.ORTHOGRAPHIC)
def test_orthographic_noise_keeps_the_canonical_form(noise: noises.Noise) -> None:
    """Spelling changes no letter; over all samples each kind changes some text."""
    changed = 0
    for article in sample_articles():
        noisy = noise(article["text"], random.Random(1))
        changed += noisy != article["text"]
        assert canonicalise(noisy).text() == canonicalise(article["text"]).text()
    assert changed


def test_edits_change_as_much_as_they_say() -> None:
    """Each edit changes a long text's letters, by about the stated share where it states one."""
    text = max((article["text"] for article in sample_articles()), key=len)
    before = text.split()
    for name, edit in noises.edits(["سنجاب"]).items():
        assert canonicalise(edit(text, random.Random(1))).text() != canonicalise(text).text(), name
    after = noises.words_changed(0.05, ["سنجاب"])(text, random.Random(1)).split()
    assert after.count("سنجاب") == round(0.05 * len(before))
    assert len(before) == len(after)
    spoiled = noises.letter_noise(0.01)(text * 20, random.Random(1))
    assert 0.005 < 1 - sum(a == b for a, b in zip(text * 20, spoiled, strict=False)) / (20 * len(text)) <= 1
    assert noises.letter_noise(0.0)(text, random.Random(1)) == text


def test_samples_become_data() -> None:
    """The samples give pairs of known documents in the order of time, with their faults."""
    data = load_samples()
    assert all(p.a in data.documents and p.b in data.documents for p in data.pairs)
    assert {p.repeated for p in data.pairs} == {"yes", "no"}
    times = [document.published_at for document in data.documents.values()]
    assert times == sorted(times)
    assert RepetitionKind.WHOLE_TEXT in data.faults["cinema"]


@pytest.mark.parametrize("text", ["", "۱۱:۱۸ ۱۴۰۲-۶-۴", "1402-06-04T11:18:00"])
def test_times_that_are_no_gregorian_dates_are_unknown(text: str) -> None:
    """Jalali dates and what cannot be read count as unknown."""
    assert published(text) is None


def test_the_closest_of_what_is_new_are_drawn() -> None:
    """What is called new though it shares something with an earlier article comes with that one, the closest first."""
    data = load_samples()
    judgements = reading.ingested(data)
    items = reading.closest_new(data, judgements, 5)
    assert items
    place = {id_: number for number, id_ in enumerate(data.documents)}
    similarities = []
    for item in items:
        assert judgements[item.id].verdict == "NEW"
        assert item.other is not None
        assert place[item.other] < place[item.id]
        assert item.comparison is not None
        x = item.comparison
        similarities.append(max(x.judged_cover.share, x.stored_cover.share, x.similarity))
    assert similarities == sorted(similarities, reverse=True)


def test_a_pair_whose_later_text_is_refused_is_missed() -> None:
    """A labelled pair of which one article has no letter counts as not found, and does not end the run."""
    documents = {"a": Document("a", "متنی که چند حرف دارد و بس"), "b": Document("b", "…")}
    data = Data("", real=False, documents=documents, pairs=[pair("a", "b")], faults={})
    results = stream.measure(data)
    assert results.refused == 1
    assert stream.found_table(results).notes == ["Missed: a ← b (DUP, judged no text)."]


def test_a_wrong_answer_is_named() -> None:
    """An answer is compared with what is expected in verdict, canonical, related article, kinds and numbers."""
    from baznashr.types import Judgement, Verdict

    article = next(a for a in sample_articles() if a["expect"]["verdict"] == Verdict.TEMPLATE)
    wrong = Judgement(verdict=Verdict.EXACT, repeated=True, reason="SAME_TEXT", canonical_id="x")
    assert samples.misses(article["expect"], wrong) == ["verdict", "canonical", "related", "numbers"]


@pytest.fixture
def quick_run(tmp_path: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Run the benchmark on the samples, quickly, as the command line does."""
    command = [sys.executable, "-m", "benchmarks.quality", "--quick", "--out", str(tmp_path)]
    environment = {**os.environ, "BAZNASHR_EVAL_DATA": str(tmp_path / "absent")}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_whole_runs_on_the_samples(
    tmp_path: Path, quick_run: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    """Without the evaluation data the command scores the samples and writes tables, bars and figures, and no text."""
    done = quick_run()
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "quality.md").read_text(encoding="utf-8")
    result = json.loads((tmp_path / "quality.json").read_text(encoding="utf-8"))
    assert result["articles"].startswith(f"{len(sample_articles())} sample articles")
    assert result["machine"]["command"].startswith("python -m benchmarks.quality --quick")
    assert len(result["bars"]) == BARS
    assert "holds: F1 on the pairs, fitted" in done.stdout
    for name in ("f1", "noise", "s-curve"):
        assert (tmp_path / f"quality-{name}.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert str(tmp_path) not in written
    assert not any(article["text"][:40] in written for article in sample_articles())
