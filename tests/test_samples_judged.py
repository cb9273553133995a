"""The service judges the sample articles as an editor would."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from baznashr.types import Document, Judgement, Verdict
from baznashr_server.engine import Engine
from tests.articles import ROOT, samples

every_sample = pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample["id"])


@pytest.fixture(scope="module")
def judgements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Judgement]]:
    """Ingest all samples in their order into one empty corpus."""
    with Engine.open(tmp_path_factory.mktemp("samples") / "data") as engine:
        yield {sample["id"]: engine.ingest(as_document(sample)) for sample in samples()}


def as_document(sample: dict[str, Any]) -> Document:
    """Return a sample as a pipeline would hand it in."""
    names = ("id", "text", "title", "source", "url")
    published = datetime.fromisoformat(sample["published_at"])
    return Document(**{name: sample[name] for name in names}, published_at=published)


@every_sample
def test_verdict_is_as_expected(sample: dict[str, Any], judgements: dict[str, Judgement]) -> None:
    """The verdict is the expected one, or one that is right too, and `repeated` follows from it."""
    judgement, expect = judgements[sample["id"]], sample["expect"]
    assert judgement.verdict in {expect["verdict"], *expect["also"]}, judgement
    assert judgement.repeated == (judgement.verdict in {Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT})


@every_sample
def test_canonical_and_related_are_as_expected(sample: dict[str, Any], judgements: dict[str, Judgement]) -> None:
    """A repeat names the article it goes back to; what it only shares text with is among the matches."""
    judgement, expect = judgements[sample["id"]], sample["expect"]
    assert judgement.canonical_id == expect["canonical_id"]
    matched = [match.document_id for match in judgement.matches]
    if expect["related_id"] is not None:
        assert expect["related_id"] in matched
        assert judgement.related_cluster_id is not None
    if expect["verdict"] == Verdict.NEW:
        assert not matched
        assert judgement.new_share == 1


@every_sample
def test_repetition_and_numbers_are_as_expected(sample: dict[str, Any], judgements: dict[str, Judgement]) -> None:
    """Kinds of self-repetition are those expected, and changed numbers are told where there are any."""
    judgement, expect = judgements[sample["id"]], sample["expect"]
    assert {str(kind) for kind in judgement.self_repetition.kinds} == set(expect["kinds"])
    if expect["numbers_changed"]:
        assert judgement.matches[0].numbers_changed
    elif judgement.repeated:
        assert not judgement.matches[0].numbers_changed


def test_examples_of_the_page_are_what_it_says(judgements: dict[str, Judgement]) -> None:
    """The page about verdicts names a sample for each, and for the reason that no sample has but a match."""
    page = (ROOT / "docs" / "judging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| `([\w-]+)`.* \| `(\w+)` \|$", page, re.MULTILINE)
    assert {verdict for verdict, *_ in rows} == set(Verdict)
    for verdict, repeated, name, reason in rows:
        judgement = judgements[name]
        assert (judgement.verdict, judgement.repeated, judgement.reason) == (verdict, repeated == "yes", reason)
    reason, name, other = re.findall(r"`(\w+)` \([^`]*`OVERLAP`[^`]*the match of `(\w+)` with `(\w+)`", page)[0]
    assert reason in {match.reason for match in judgements[name].matches if match.document_id == other}
