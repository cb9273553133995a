"""A policy on trial: judged by it too, answered by the corpus's own."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from baznashr.errors import DocumentIdReused, InvalidCorpus
from baznashr.types import Document, Judgement, Override, OverrideKind, Policy, ShadowDifference, Thresholds, Verdict
from baznashr_server.engine import Engine, shadow
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.recent import Recent
from baznashr_server.engine.records import policy_to_json
from baznashr_server.engine.shadow import shadow_difference
from tests.articles import samples

STRICT = Policy(thresholds=Thresholds(near_duplicate=1.0, same_article=0.97, numbers_changed=1.0, passage_letters=600))
"""Calls most edited copies of the samples excerpts, and most recurring reports copies."""
ONLY_EXACT = Policy(repeated_verdicts=(Verdict.EXACT,))


class Counts(Silence):
    """Counts what differed."""

    def __init__(self) -> None:
        self.differed: Counter[tuple[Verdict, Verdict]] = Counter()

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        """Count the two verdicts."""
        self.differed[first, second] += 1


@pytest.fixture
def observer() -> Counts:
    """Return what the engine below reports to."""
    return Counts()


@pytest.fixture
def engine(tmp_path: Path, observer: Counts) -> Iterator[Engine]:
    """Return an engine on an empty folder."""
    with Engine.open(tmp_path / "data", observer=observer) as opened:
        yield opened


def articles(*names: str) -> list[Document]:
    """Return sample articles as documents: those named, else all."""
    found = {
        sample["id"]: Document(sample["id"], sample["text"], title=sample["title"], source=sample["source"])
        for sample in samples()
    }
    return [found[name] for name in names] if names else list(found.values())


def told(judgement: Judgement) -> Judgement:
    """Return a judgement without the names of corpus and policy."""
    return replace(judgement, corpus="", policy="")


@pytest.mark.parametrize("keep_text", [True, False])
def test_a_shadow_policy_changes_no_answer(engine: Engine, keep_text: bool) -> None:
    """With and without a policy on trial the samples are answered alike, and something differed."""
    engine.create_corpus("plain", keep_text=keep_text)
    engine.create_corpus("tried", keep_text=keep_text, shadow_policy=STRICT)
    plain = engine.ingest_batch(articles(), "plain")
    tried = engine.ingest_batch(articles(), "tried")
    assert list(map(told, plain)) == list(map(told, tried))
    assert engine.shadow_differences("tried")
    assert engine.shadow_differences("plain") == ()


def test_differences_are_what_the_policy_would_answer(engine: Engine, observer: Counts) -> None:
    """For each sample, the shadow's verdict is the one that the same check gets once that policy is in force."""
    engine.ingest_batch(articles())
    engine.update_corpus("default", shadow_policy=STRICT)
    texts = [article.text[: len(article.text) * share // 4] for article in articles() for share in (2, 4)]
    before = [engine.check(text) for text in texts]
    listed = iter(reversed(engine.shadow_differences()))
    engine.update_corpus("default", policy=STRICT, remove_shadow_policy=True)
    expected: Counter[tuple[Verdict, Verdict]] = Counter()
    for first, text in zip(before, texts, strict=True):
        second = engine.check(text)
        if (first.verdict, first.repeated) != (second.verdict, second.repeated):
            expected[first.verdict, second.verdict] += 1
            difference = next(listed)
            assert (difference.verdict, difference.repeated, difference.reason) == (
                *(first.verdict, first.repeated, first.reason),
            )
            assert (difference.shadow_verdict, difference.shadow_repeated, difference.shadow_reason) == (
                *(second.verdict, second.repeated, second.reason),
            )
            assert difference.matched_id == (first.matches or second.matches)[0].document_id
    assert next(listed, None) is None
    assert len(expected) > 1
    assert observer.differed == expected


def test_an_equal_policy_differs_in_nothing(engine: Engine, observer: Counts) -> None:
    """Under the corpus's own policy all is judged as by it, equal captions of other titles too."""
    engine.create_corpus("twice", policy=Policy(), shadow_policy=Policy())
    titles = "بازار بزرگ شهر", "فوتبال بانوان"
    captions = [Document(title, "گزارش تصویری از دیدار امروز", title=title) for title in titles]
    for document in [*captions, *articles()]:
        engine.ingest(document, "twice")
    assert engine.shadow_differences("twice") == ()
    assert not observer.differed


def test_what_counts_as_repeated_may_differ_alone(engine: Engine, observer: Counts) -> None:
    """Policies that disagree only in the verdicts that count as repeated differ in those, the newest first."""
    engine.update_corpus("default", shadow_policy=ONLY_EXACT)
    engine.ingest_batch(articles("metro", "metro-shortened", "metro-part", "metro-no-punctuation"))
    newest, oldest = engine.shadow_differences()
    assert (newest.document_id, newest.matched_id, newest.verdict) == ("metro-part", "metro", Verdict.EXCERPT)
    assert (oldest.document_id, oldest.verdict) == ("metro-shortened", Verdict.NEAR_DUPLICATE)
    assert oldest.shadow_verdict is Verdict.NEAR_DUPLICATE
    assert (oldest.repeated, oldest.shadow_repeated) == (True, False)
    assert oldest.at <= newest.at
    assert sum(observer.differed.values()) == 2


def test_only_answers_that_were_given_are_compared(engine: Engine) -> None:
    """Neither a batch that was refused, nor a replay, nor what an editor decided is on trial."""
    engine.update_corpus("default", shadow_policy=ONLY_EXACT)
    metro, shortened = articles("metro", "metro-shortened")
    engine.ingest(metro)
    with pytest.raises(DocumentIdReused):
        engine.ingest_batch([shortened, replace(metro, text="متن دیگری با همان شناسه")])
    assert engine.shadow_differences() == ()
    engine.ingest(shortened)
    assert engine.ingest(shortened).replayed
    assert len(engine.shadow_differences()) == 1
    engine.override(Override("metro-shortened", OverrideKind.REPEAT_OF, "metro"))
    engine.ingest(replace(shortened, text=shortened.text + " پایان پیام."), replace=True)
    assert len(engine.shadow_differences()) == 1


def test_a_trial_lasts_until_it_is_ended(tmp_path: Path) -> None:
    """The shadow policy survives other changes and a restart; another one, or none, forgets the differences."""
    with Engine.open(tmp_path) as engine:
        version = engine.get_corpus().policy_version
        assert engine.update_corpus("default", shadow_policy=ONLY_EXACT).shadow_policy == ONLY_EXACT
        engine.ingest_batch(articles("metro", "metro-shortened"))
        assert engine.update_corpus("default", window_days=0).shadow_policy == ONLY_EXACT
        assert len(engine.shadow_differences()) == 1
        assert engine.update_corpus("default", shadow_policy=STRICT).policy_version == version
        assert engine.shadow_differences() == ()
    with Engine.open(tmp_path) as engine:
        assert engine.get_corpus().shadow_policy == STRICT
        assert engine.update_corpus("default", remove_shadow_policy=True).shadow_policy is None
    with Engine.open(tmp_path) as engine:
        assert engine.get_corpus().shadow_policy is None


def test_bad_shadow_policies_are_refused_by_name(engine: Engine) -> None:
    """A value out of range names its field, and a policy cannot be set and removed at once."""
    beyond = Policy(thresholds=Thresholds(covered=1.5))
    with pytest.raises(InvalidCorpus) as caught:
        engine.create_corpus("news", shadow_policy=beyond)
    assert caught.value.field == "shadow_policy.thresholds.covered"
    with pytest.raises(InvalidCorpus) as caught:
        engine.update_corpus("default", shadow_policy=STRICT, remove_shadow_policy=True)
    assert caught.value.field == "shadow_policy"
    assert engine.get_corpus().shadow_policy is None


def test_only_the_newest_are_kept() -> None:
    """The list of differences is bounded, and the newest comes first."""
    recent: Recent[int] = Recent(3)
    for number in range(5):
        recent.add(number)
    assert recent.newest() == (4, 3, 2)


def test_a_judgement_is_of_one_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that changes while a text is judged says nothing of it, nor does the version name it."""
    observer = Silence()
    first, second, *_ = articles()
    with Engine.open(tmp_path / "data", observer=observer) as engine:
        engine.create_corpus("c", policy=Policy(repeated_verdicts=(Verdict.EXACT,)))
        engine.ingest(first, "c")
        corpus = engine._corpora["c"]
        before, row = corpus.rules.version, corpus.row
        later = replace(row, policy=policy_to_json(Policy(repeated_verdicts=())), policy_revision=2)
        monkeypatch.setattr(observer, "searched", lambda *_: corpus.change(later))
        judgement = engine.check(first.text, "c")
        assert (judgement.repeated, judgement.policy) == (True, before)
        corpus.change(row)
        judgement = engine.ingest(replace(second, text=first.text), "c")
        assert (judgement.repeated, judgement.policy) == (True, before)
        judgement = engine.check(first.text, "c")
        assert (judgement.repeated, judgement.policy) == (False, corpus.rules.version)


def test_what_an_ended_trial_says_is_not_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shadow policy that is removed while it judges leaves no difference behind, and no error."""
    first, *_ = articles()
    engine.create_corpus("c", shadow_policy=Policy(repeated_verdicts=()))
    engine.ingest(first, "c")
    corpus = engine._corpora["c"]

    def late(*arguments: object) -> ShadowDifference | None:
        corpus.change(replace(corpus.row, shadow_policy=None))
        return shadow_difference(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shadow, "shadow_difference", late)
    assert engine.check(first.text, "c").repeated
    assert engine.shadow_differences("c") == ()
