"""What is stored, what is answered, and what a retry, a batch or a replacement makes of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from baznashr.errors import BaznashrError, DocumentIdReused, InternalError, InvalidBatch
from baznashr.types import Document, IndexPolicy, Policy, Verdict
from baznashr_server import limits
from baznashr_server.engine import Engine
from baznashr_server.engine.findings import Outcome
from baznashr_server.engine.judging import Judge
from tests.engine.conftest import NewShelf, Shelf
from tests.judge.parts import text
from tests.support.audit import audit_engine

STORY = text(("story", 600))
EDITED = text(("story", 500), ("", 60))
PART = text(("story", 200))
OTHER = text(("other", 600))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_retry_is_answered_as_the_first_time(shelf: Shelf) -> None:
    """The same id with the same letters replays the first answer, without spans, whatever was stored since."""
    shelf.put(STORY, "a")
    first = shelf.put(EDITED, "b", title="عنوان")
    shelf.put(text(("story", 590)), "c")
    spelled = EDITED.replace("ک", "ك").replace(" ", "\u200c")
    again = shelf.put(spelled, "b", title="عنوان دیگر", published_at=NOON)
    assert again.replayed
    assert not first.replayed
    for mine, theirs in zip(again.matches, first.matches, strict=True):
        assert mine.spans == ()
        for name in ("similarity", "containment", "reverse_containment", "covered"):
            assert getattr(mine, name) == pytest.approx(getattr(theirs, name), abs=1e-6)
        same = {"spans": (), "similarity": 1.0, "containment": 1.0, "reverse_containment": 1.0, "covered": 1.0}
        assert replace(mine, **same) == replace(theirs, **same)
    unlike = {"replayed": True, "matches": (), "new_share": 0.0}
    assert replace(again, **unlike) == replace(first, **unlike)
    assert shelf.engine.get("b", shelf.name).document.title == "عنوان"
    assert shelf.documents == 3


def test_an_id_with_another_text_is_refused(shelf: Shelf) -> None:
    """The error names the stored digest, and the first text stays."""
    first = shelf.put(STORY, "a")
    for call in (lambda: shelf.put(OTHER, "a"), lambda: shelf.check(Document("a", OTHER))):
        with pytest.raises(DocumentIdReused) as refused:
            call()
        assert refused.value.metadata["stored_digest"] == first.digest
        assert refused.value.field == "id"
    assert shelf.engine.get("a", shelf.name).document.text == STORY


def test_a_replacement_is_judged_without_its_old_version(shelf: Shelf) -> None:
    """An edited version under the same id is no copy of itself, and the old version is gone from store and tables."""
    shelf.put(STORY, "a")
    judgement = shelf.put(EDITED, "a", replace=True)
    assert (judgement.verdict, judgement.matches) == (Verdict.NEW, ())
    assert shelf.engine.get("a", shelf.name).document.text == EDITED
    assert (shelf.documents, shelf.indexed) == (1, 1)
    assert shelf.check(STORY).verdict is not Verdict.EXACT
    assert shelf.check(EDITED).verdict is Verdict.EXACT


def test_a_replacement_may_join_what_its_old_version_left(shelf: Shelf) -> None:
    """A copy of the old version takes its place and is what the new version repeats."""
    shelf.put(STORY, "a")
    shelf.put(STORY, "copy")
    judgement = shelf.put(EDITED, "a", replace=True)
    assert (judgement.verdict, judgement.canonical_id) == (Verdict.NEAR_DUPLICATE, "copy")
    assert shelf.check(STORY).matches[0].document_id == "copy"


def test_a_batch_sees_its_own_earlier_items(shelf: Shelf) -> None:
    """In order: the first of equal texts is new, the others go back to it; later ones are not seen by earlier ones."""
    batch = [Document(name, body) for name, body in zip("abcd", [PART, STORY, EDITED, STORY], strict=True)]
    judgements = shelf.engine.ingest_batch(batch, shelf.name)
    assert [(j.verdict, j.canonical_id) for j in judgements] == [
        (Verdict.NEW, None),
        (Verdict.EXTENDED, None),
        (Verdict.NEAR_DUPLICATE, "b"),
        (Verdict.EXACT, "b"),
    ]


def test_checks_of_a_batch_do_not_see_each_other(shelf: Shelf) -> None:
    """Each text is judged against what is stored, and nothing is."""
    assert [j.verdict for j in shelf.engine.check_batch([STORY, STORY], shelf.name)] == [Verdict.NEW] * 2
    assert shelf.documents == 0


@pytest.mark.parametrize(
    ("batch", "reason", "field"),
    [
        ([Document("b", OTHER), Document("a", OTHER)], "DOCUMENT_ID_REUSED", "documents[1].id"),
        ([Document("b", OTHER), Document("c", "؟!")], "EMPTY_TEXT", "documents[1].text"),
        ([Document("b", OTHER), Document("", OTHER)], "INVALID_DOCUMENT_ID", "documents[1].id"),
        ([Document("b", OTHER), Document("a", STORY), Document("b", "")], "DUPLICATE_DOCUMENT_ID", "documents[2].id"),
        ([], "EMPTY_BATCH", "documents"),
        ([Document(str(n), OTHER) for n in range(limits.MAX_BATCH_DOCUMENTS + 1)], "BATCH_TOO_LARGE", "documents"),
    ],
)  # fmt: skip
def test_a_batch_is_stored_whole_or_not_at_all(shelf: Shelf, batch: list[Document], reason: str, field: str) -> None:
    """The error names the document by its place, and nothing of the batch is stored, found or counted."""
    shelf.put(STORY, "a", published_at=NOON)
    before = shelf.engine.corpus_stats(shelf.name)
    with pytest.raises(BaznashrError) as refused:
        shelf.engine.ingest_batch(batch, shelf.name)
    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert shelf.engine.corpus_stats(shelf.name) == before
    assert shelf.check(OTHER).verdict is Verdict.NEW
    assert shelf.engine.ingest_batch([Document("b", OTHER)], shelf.name)[0].verdict is Verdict.NEW


def test_a_batch_that_fails_over_a_replacement_stores_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a replacement cannot be judged, what came before it in the batch is taken back too."""
    shelf.put(STORY, "old")
    judge, judged = Judge.judge, []

    def fail_at_last(*args: Any, **kwargs: Any) -> Outcome:
        judged.append(args)
        if len(judged) == 2:
            raise MemoryError
        return judge(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Judge, "judge", fail_at_last)
        with pytest.raises(InternalError):
            shelf.engine.ingest_batch([Document("new", OTHER), Document("old", OTHER)], shelf.name, replace=True)
    assert shelf.documents == 1
    assert shelf.check(STORY).verdict is Verdict.EXACT
    audit_engine(shelf.engine)


def test_a_refused_batch_does_not_move_the_clock(new_shelf: NewShelf) -> None:
    """A publish time that only a failed batch named makes nothing older than the window."""
    shelf = new_shelf(window_days=2)
    shelf.put(STORY, "a", published_at=NOON - timedelta(days=30))
    with pytest.raises(DocumentIdReused):
        shelf.engine.ingest_batch(
            [Document("b", text(("b", 300)), published_at=NOON), Document("a", OTHER)], shelf.name
        )
    assert shelf.check(STORY).verdict is Verdict.EXACT


def test_check_of_a_stored_document_answers_as_ingest_would(shelf: Shelf) -> None:
    """Word for word, and stores nothing; the bare text is judged anew."""
    shelf.put(STORY, "a")
    shelf.put(EDITED, "b")
    document = Document("b", EDITED)
    assert shelf.check(document) == shelf.engine.ingest(document, shelf.name)
    assert shelf.check(document).replayed
    assert shelf.check(EDITED).verdict is Verdict.EXACT
    assert shelf.documents == 2


def test_check_answers_what_ingest_then_answers(shelf: Shelf) -> None:
    """For new ids a check foretells the judgement, but for `stored`."""
    shelf.put(STORY, "a")
    for name, body in (("b", EDITED), ("c", PART), ("d", OTHER), ("e", STORY), ("f", text(("story", 90), ("", 900)))):
        document = Document(name, body)
        told = shelf.check(document)
        assert not told.stored
        assert replace(told, stored=True) == shelf.engine.ingest(document, shelf.name)


def test_an_id_is_judged_anew_after_deletion(shelf: Shelf) -> None:
    """What was deleted is neither replayed nor matched."""
    shelf.put(STORY, "a")
    assert shelf.delete("a")
    assert not shelf.delete("a")
    judgement = shelf.put(STORY, "a")
    assert (judgement.verdict, judgement.replayed) == (Verdict.NEW, False)


def test_without_texts_only_signatures_are_compared(new_shelf: NewShelf) -> None:
    """Such a corpus answers NEW, EXACT and NEAR_DUPLICATE, says that nothing was verified, and gives no text back."""
    shelf = new_shelf(keep_text=False)
    shelf.put(STORY, "a")
    exact, near, part, new = (shelf.put(body) for body in (STORY, text(("story", 590)), PART, OTHER))
    assert (exact.verdict, exact.canonical_id, exact.matches[0].verified) == (Verdict.EXACT, "a", False)
    assert (near.verdict, near.canonical_id, near.reason) == (Verdict.NEAR_DUPLICATE, "a", "SIGNATURES_AGREE")
    assert not near.matches[0].verified
    assert near.matches[0].similarity == pytest.approx(1 - near.new_share)
    assert (part.verdict, part.matches) == (Verdict.NEW, ())
    assert new.verdict is Verdict.NEW
    assert shelf.engine.get("a", shelf.name).document.text == ""


def test_originals_alone_are_indexed_where_the_policy_says_so(new_shelf: NewShelf) -> None:
    """Repeats are stored and left out of the tables; by default edited copies are found, too, exact ones never."""
    every, originals = new_shelf(), new_shelf(policy=Policy(index_policy=IndexPolicy.ORIGINALS))
    for shelf, indexed in ((every, 3), (originals, 2)):
        for body in (STORY, STORY, EDITED, OTHER):
            shelf.put(body)
        assert (shelf.documents, shelf.indexed) == (4, indexed)
        assert (shelf.check(EDITED).verdict is Verdict.EXACT) is (shelf is every)


def test_a_text_of_few_letters_matches_exactly_or_not_at_all(shelf: Shelf) -> None:
    """From one letter on, up to fourteen; with fifteen there is evidence to look for."""
    for body in ("آ", "آب", text(("few", 14))):
        judgement = shelf.put(body)
        assert (judgement.verdict, judgement.reason) == (Verdict.NEW, "TOO_FEW_SHINGLES")
        assert shelf.check(f" {body}!").verdict is Verdict.EXACT
    assert shelf.put(text(("fifteen", 15))).reason == "NOTHING_COMPARABLE"


ACCEPTED: dict[str, Callable[[], Document]] = {
    "one letter": lambda: Document("a", "آ"),
    "one digit": lambda: Document("a", "۷"),
    "control characters and NUL": lambda: Document("a", f"\x00{STORY}\x1b\x07\r"),
    "longest id": lambda: Document("i" * limits.MAX_ID_BYTES, STORY),
    "id of any script": lambda: Document("خبر/۱ ؟", STORY),
    "largest text": lambda: Document("a", "ا" * (limits.MAX_TEXT_BYTES // 2)),
    "old": lambda: Document("a", STORY, published_at=datetime(1800, 1, 1, tzinfo=UTC)),
    "somewhat ahead": lambda: Document("a", STORY, published_at=datetime.now(UTC) + timedelta(days=300)),
    "full of labels": lambda: Document("a", STORY, labels={str(n): "ل" for n in range(limits.MAX_LABELS)}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_odd_documents_are_stored_as_they_are(shelf: Shelf, name: str) -> None:
    """What the design accepts comes back as it was given."""
    document = ACCEPTED[name]()
    assert shelf.engine.ingest(document, shelf.name).stored
    assert shelf.engine.get(document.id, shelf.name).document == document


REFUSED: dict[str, tuple[Document, str]] = {
    "no letter or digit": (Document("a", " \u200c…؟!\U0001f600"), "EMPTY_TEXT"),
    "no text": (Document("a", ""), "EMPTY_TEXT"),
    "a byte too many": (Document("a", "ا" * (limits.MAX_TEXT_BYTES // 2) + "a"), "TEXT_TOO_LARGE"),
    "lone surrogate": (Document("a", f"{STORY}\udc80"), "MALFORMED_TEXT"),
    "missing id": (Document("", STORY), "INVALID_DOCUMENT_ID"),
    "id too long": (Document("i" * (limits.MAX_ID_BYTES + 1), STORY), "INVALID_DOCUMENT_ID"),
    "control character in id": (Document("a\x7f", STORY), "INVALID_DOCUMENT_ID"),
    "surrogate in id": (Document("\ud800", STORY), "INVALID_DOCUMENT_ID"),
    "naive time": (Document("a", STORY, published_at=datetime(2026, 3, 1)), "INVALID_PUBLISHED_AT"),  # noqa: DTZ001
    "Jalali time": (Document("a", STORY, published_at=datetime(1404, 12, 1, tzinfo=UTC)), "INVALID_PUBLISHED_AT"),
    "far ahead": (Document("a", STORY, published_at=datetime(9999, 1, 1, tzinfo=UTC)), "INVALID_PUBLISHED_AT"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_judged_is_refused(shelf: Shelf, name: str) -> None:
    """With the reason, by ingest, by batch and, where the text is to blame, by check; and nothing is stored."""
    document, reason = REFUSED[name]
    calls: list[Callable[[], object]] = [
        lambda: shelf.engine.ingest(document, shelf.name),
        lambda: shelf.engine.ingest_batch([document], shelf.name),
    ]
    if "TEXT" in reason:
        calls.append(lambda: shelf.check(document.text))
    for call in calls:
        with pytest.raises(BaznashrError) as refused:
            call()
        assert refused.value.reason == reason
    assert shelf.documents == 0


def test_an_article_older_than_the_window_is_judged_and_not_kept(new_shelf: NewShelf) -> None:
    """It is compared with what is in the window, stored nowhere, and judged anew when it comes again."""
    shelf = new_shelf(window_days=7)
    shelf.put(STORY, "a", published_at=NOON)
    late = shelf.put(EDITED, "late", published_at=NOON - timedelta(days=8))
    assert (late.verdict, late.canonical_id, late.stored) == (Verdict.NEAR_DUPLICATE, "a", False)
    assert not shelf.put(EDITED, "late", published_at=NOON - timedelta(days=8)).replayed
    assert shelf.documents == 1
    assert shelf.put(OTHER, "b", published_at=NOON + timedelta(days=8)).stored
    assert shelf.check(STORY).verdict is Verdict.NEW


def test_a_duplicate_id_is_refused_before_any_work(shared_engine: Engine) -> None:
    """Even where both texts agree."""
    with pytest.raises(InvalidBatch):
        shared_engine.ingest_batch([Document("a", STORY)] * 2)


def test_a_replacement_older_than_the_window_leaves_the_old_version(new_shelf: NewShelf) -> None:
    """What is not kept replaces nothing: the old version stays, is found, and its copies keep their cluster."""
    shelf = new_shelf(window_days=7)
    shelf.put(STORY, "a", published_at=NOON)
    shelf.put(STORY, "copy", published_at=NOON)
    late = shelf.put(EDITED, "a", replace=True, published_at=NOON - timedelta(days=8))
    assert (late.verdict, late.canonical_id, late.stored) == (Verdict.NEAR_DUPLICATE, "copy", False)
    assert shelf.check(STORY).verdict is Verdict.EXACT
    assert shelf.put(STORY, "a").replayed
    assert shelf.members("copy") == ["a", "copy"]
    audit_engine(shelf.engine)
    assert shelf.put(EDITED, "a", replace=True, published_at=NOON).stored
