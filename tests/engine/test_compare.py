"""Two texts compared alone, stored or not, get the judgement that a corpus of the earlier one would give."""

from dataclasses import replace

import pytest

from baznashr.errors import CorpusNotFound, DocumentNotFound, InvalidText, TextNotKept
from baznashr.types import Document, Policy, StoredId, Thresholds, Verdict
from baznashr_server.engine import Engine
from tests.articles import samples
from tests.engine.conftest import NewShelf, Shelf
from tests.judge.parts import STORED, text

STORY = text(("story", 600))
EXTENDED = text(("story", 600), ("", 600))
FORMS = {
    "equal": (STORY, STORY.replace(" ", "\u200c")),
    "longer": (STORY, EXTENDED),
    "shorter": (EXTENDED, STORY),
    "edited": (STORY, text(("story", 500), ("", 50))),
    "passage": (text(("run", 90), ("", 500), edge=STORED), text(("", 500), ("run", 90))),
    "unlike": (STORY, text(("other", 300))),
    "doubled": (STORY, f"{STORY}\n{STORY}"),
    "few letters": ("آب", "آب بازی"),
}


@pytest.mark.parametrize("form", FORMS)
def test_compare_answers_as_a_corpus_of_one_would(shelf: Shelf, form: str) -> None:
    """The same verdict, evidence, new share and repetition as checking the later text where only the earlier is."""
    earlier, later = FORMS[form]
    shelf.put(earlier, "a")
    checked = shelf.check(Document("b", later))
    compared = shelf.engine.compare(Document("a", earlier), Document("b", later))
    assert compared.verdict is checked.verdict
    assert compared.repeated is checked.repeated
    assert compared.new_share == checked.new_share
    assert compared.self_repetition == checked.self_repetition
    assert (compared.canonical_id, compared.related_cluster_id) == (checked.canonical_id, checked.related_cluster_id)
    if checked.matches:
        assert compared.matches == checked.matches
    assert not compared.stored


def test_direction_matters(shared_engine: Engine) -> None:
    """What extends an article is extended by none: the other way round it is the excerpt."""
    assert shared_engine.compare(STORY, EXTENDED).verdict is Verdict.EXTENDED
    assert shared_engine.compare(EXTENDED, STORY).verdict is Verdict.EXCERPT


def test_stored_documents_are_named_by_their_ids(shelf: Shelf) -> None:
    """Either side may be stored, in any corpus; with evidence and spans in both originals."""
    shelf.put(STORY, "a", title="یک")
    shelf.put(EXTENDED, "b")
    first, second = StoredId("a", shelf.name), StoredId("b", shelf.name)
    both = shelf.engine.compare(first, second)
    assert both == shelf.engine.compare(Document("a", STORY, title="یک"), Document("b", EXTENDED))
    assert (both.document_id, both.matches[0].document_id, both.related_cluster_id) == ("b", "a", "a")
    [span] = both.matches[0].spans
    assert EXTENDED[span.start : span.end] == STORY[span.stored_start : span.stored_end] == STORY
    assert shelf.engine.compare(STORY, second).verdict is Verdict.EXTENDED


def test_what_cannot_be_compared_is_refused(new_shelf: NewShelf) -> None:
    """An unknown id or corpus, a text that was not kept, and a text without letters, which is named."""
    bare = new_shelf(keep_text=False)
    bare.put(STORY, "a")
    engine = bare.engine
    with pytest.raises(TextNotKept):
        engine.compare(StoredId("a", bare.name), STORY)
    with pytest.raises(DocumentNotFound):
        engine.compare(StoredId("b", bare.name), STORY)
    with pytest.raises(CorpusNotFound):
        engine.compare(STORY, STORY, corpus="nowhere")
    with pytest.raises(InvalidText) as refused:
        engine.compare(STORY, "…")
    assert refused.value.field == "later.text"


def test_a_corpus_lends_its_policy(new_shelf: NewShelf) -> None:
    """Thresholds and what counts as repeated are those of the corpus, whose policy the answer names."""
    strict = Policy(thresholds=replace(Thresholds(), extended=1.0, passage_letters=5000), repeated_verdicts=())
    shelf = new_shelf(policy=strict)
    edited = text(("story", 590), ("", 600))
    assert shelf.engine.compare(STORY, edited).verdict is Verdict.EXTENDED
    there = shelf.engine.compare(STORY, edited, corpus=shelf.name)
    assert (there.verdict, there.corpus) == (Verdict.NEW, shelf.name)
    assert there.policy == shelf.engine.get_corpus(shelf.name).policy_version
    assert not shelf.engine.compare(STORY, STORY, corpus=shelf.name).repeated


def test_a_corpus_lends_what_it_has_learned(shelf: Shelf) -> None:
    """A footer that a corpus knows for a source's own is no evidence in that corpus, and is evidence outside."""
    footer = text(("footer", 200))
    for number in range(9):
        shelf.put(f"{text((f'story {number}', 400))}\n{footer}", source="paper")
    one, other = (
        Document(name, f"{text(('', 100), ('common', 40), ('', 200), edge=edge)}\n{footer}", source="paper")
        for name, edge in (("a", "ل"), ("b", STORED))
    )
    assert shelf.engine.compare(one, other).verdict is Verdict.OVERLAP
    inside = shelf.engine.compare(one, other, corpus=shelf.name)
    assert (inside.verdict, inside.matches[0].reason) == (Verdict.NEW, "NOTHING_COMPARABLE")


def test_texts_that_repeat_themselves_are_compared_as_single_copies(shared_engine: Engine) -> None:
    """A doubled article and its single copy are the same article both ways, and two doubled ones too."""
    doubled = f"{STORY}\n{STORY}"
    for earlier, later in ((STORY, doubled), (doubled, STORY), (f"{doubled}\n{STORY}", doubled)):
        judgement = shared_engine.compare(earlier, later)
        assert judgement.verdict is Verdict.NEAR_DUPLICATE
        assert judgement.matches[0].similarity == 1
        assert judgement.new_share == 0
    assert shared_engine.compare(STORY, doubled).self_repetition.share == 0.5


def test_samples_compared_with_what_they_go_back_to(shared_engine: Engine) -> None:
    """Each sample gets its verdict from the one article that it repeats."""
    by_id = {sample["id"]: sample for sample in samples()}
    for sample in samples():
        expect = sample["expect"]
        if expect["canonical_id"]:
            judgement = shared_engine.compare(by_id[expect["canonical_id"]]["text"], sample["text"])
            assert judgement.verdict in {expect["verdict"], *expect["also"]}, sample["id"]
