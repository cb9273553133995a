"""The five articles as they arrive in practice: all new, faults told, and found again however they are respelled."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from baznashr.types import Judgement, RepetitionKind, Verdict
from baznashr_server.engine import Engine
from baznashr_server.text.canonical import canonicalise
from tests.articles import seeds
from tests.engine.conftest import Shelf

TO_ARABIC = str.maketrans("یک۰۱۲۳۴۵۶۷۸۹0123456789", "يك" + "٠١٢٣٤٥٦٧٨٩" * 2)
WHOLE, HEADLINE = RepetitionKind.WHOLE_TEXT, RepetitionKind.HEADLINE
RESPELLED: dict[str, Callable[[str], str]] = {
    "without ZWNJ": lambda body: body.replace("\u200c", ""),
    "without spaces": lambda body: re.sub(r"[ \t]", "", body),
    "without punctuation": lambda body: re.sub(r"[^\w\s\u200c]", "", body),
    "letters alone": lambda body: re.sub(r"[^\w]", "", body),
    "in Arabic letters and digits": lambda body: body.translate(TO_ARABIC),
    "all at once": lambda body: re.sub(r"[^\w]", "", body).translate(TO_ARABIC),
}


@dataclass(frozen=True)
class Ingested:
    """The seeds in one corpus, and what was said of them."""

    shelf: Shelf
    texts: list[str]
    judgements: list[Judgement]


@pytest.fixture(scope="module")
def ingested(shared_engine: Engine) -> Ingested:
    """Ingest the seeds in order; skip where they are absent."""
    texts = seeds()
    shelf = Shelf(shared_engine, shared_engine.create_corpus("seeds").name)
    return Ingested(shelf, texts, [shelf.put(body, f"00{number}") for number, body in enumerate(texts)])


def test_all_are_new(ingested: Ingested) -> None:
    """None repeats another."""
    assert [judgement.verdict for judgement in ingested.judgements] == [Verdict.NEW] * 5


def test_their_faults_are_told(ingested: Ingested) -> None:
    """000 is doubled, and spans cover its second copy; 003 and 004 have doubled headlines; 001 and 002 nothing."""
    found = [judgement.self_repetition for judgement in ingested.judgements]
    assert [repetition.kinds for repetition in found] == [(WHOLE,), (), (), (HEADLINE,), (HEADLINE,)]
    doubled, body = found[0], ingested.texts[0]
    assert doubled.share >= 0.4
    inside = sum(len(canonicalise(body[span.start : span.end]).letters) for span in doubled.spans)
    assert inside == pytest.approx(doubled.share * len(canonicalise(body).letters))
    assert len(canonicalise(body[doubled.spans[-1].end :]).letters) <= 5


@pytest.mark.parametrize("spelling", RESPELLED)
def test_respelled_they_are_found(ingested: Ingested, spelling: str) -> None:
    """Under new ids, with marks gone and letters changed, each goes back to the right one."""
    for number, body in enumerate(ingested.texts):
        judgement = ingested.shelf.put(RESPELLED[spelling](body), f"{spelling} {number}")
        assert judgement.verdict in {Verdict.EXACT, Verdict.NEAR_DUPLICATE}, number
        assert judgement.canonical_id == f"00{number}"


def test_the_single_copy_of_the_doubled_one_is_found(ingested: Ingested) -> None:
    """With its second copy cut away 000 is the same article."""
    body, [*spans] = ingested.texts[0], ingested.judgements[0].self_repetition.spans
    cut = body[: spans[0].start] + body[spans[-1].end :]
    for once in (cut, ingested.shelf.engine.remove_repeats(body)):
        judgement = ingested.shelf.check(once)
        assert (judgement.verdict, judgement.canonical_id) == (Verdict.NEAR_DUPLICATE, "000")
