"""Clusters are stars: who is at the centre, who may join, and what an editor's word or a deletion changes."""

from datetime import UTC, datetime, timedelta

import pytest

from baznashr.errors import BaznashrError
from baznashr.types import Document, IndexPolicy, OverrideKind, Policy, Verdict
from tests.engine.conftest import NewShelf, Shelf
from tests.judge.parts import text
from tests.support.audit import audit_engine

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STORY = text(("story", 600))
EDITED = text(("story", 560), ("", 30))
OTHER = text(("other", 600))
BLOCKS = [(f"block {place}", 200) for place in range(7)]
CHAIN = [text(*BLOCKS[first : first + 5]) for first in range(3)]
"""Each shares 80 % with its neighbours; the first and the last share 60 %."""
REPEAT_OF, NOT_REPEAT, PIN = OverrideKind.REPEAT_OF, OverrideKind.NOT_REPEAT, OverrideKind.PIN_CANONICAL


def test_the_earliest_published_is_canonical(shelf: Shelf) -> None:
    """One that arrives later and was published earlier takes over; answers already given do not change."""
    shelf.put(STORY, "noon", published_at=NOON)
    copy = shelf.put(EDITED, "copy", published_at=NOON + HOUR)
    early = shelf.put(STORY, "early", published_at=NOON - HOUR)
    late = shelf.put(STORY, "late", published_at=NOON + 2 * HOUR)
    assert [j.canonical_id for j in (copy, early, late)] == ["noon", "noon", "early"]
    assert shelf.put(EDITED, "copy").canonical_id == "noon"
    cluster = shelf.cluster("copy")
    assert (cluster.canonical_id, cluster.total) == ("early", 4)
    assert [member.document_id for member in cluster.members] == ["early", "noon", "copy", "late"]


def test_unknown_times_come_last_and_count_by_arrival(shelf: Shelf) -> None:
    """A known time wins over any unknown; among unknown ones the first to arrive stays, whatever its id."""
    shelf.put(STORY, "z")
    assert shelf.put(STORY, "a").canonical_id == "z"
    assert shelf.members("a") == ["z", "a"]
    shelf.put(STORY, "timed", published_at=NOON)
    assert shelf.cluster("z").canonical_id == "timed"


def test_source_rank_then_id_break_ties(new_shelf: NewShelf) -> None:
    """At equal times the better ranked source is canonical, unranked ones come after, then the smaller id."""
    shelf = new_shelf(policy=Policy(source_ranks=("agency", "paper")))
    canonical = []
    for name, source in (
        ("m", "blog"),
        ("k", "forum"),
        ("p", "paper"),
        ("q", "agency"),
        ("b", "agency"),
        ("a", "blog"),
    ):
        shelf.put(STORY, name, source=source, published_at=NOON)
        canonical.append(shelf.cluster("m").canonical_id)
    assert canonical == ["m", "k", "p", "q", "b", "b"]


def test_only_what_all_members_repeat_takes_over(shelf: Shelf) -> None:
    """An earlier published text that a member does not repeat joins the cluster and leaves its centre alone."""
    shelf.put(CHAIN[1], "middle", published_at=NOON)
    shelf.put(CHAIN[0], "first", published_at=NOON + HOUR)
    assert shelf.put(CHAIN[2], "last", published_at=NOON - HOUR).canonical_id == "middle"
    assert shelf.cluster("last").canonical_id == "middle"
    assert shelf.put(CHAIN[1], "copy").canonical_id == "middle"


def test_what_matches_a_member_only_heads_its_own_cluster(shelf: Shelf) -> None:
    """In a chain of edits the last, unlike the first, is no member, and names the cluster of its best match."""
    first, second, third = (shelf.put(body, name) for body, name in zip(CHAIN, "abc", strict=True))
    assert (first.verdict, second.canonical_id) == (Verdict.NEW, "a")
    assert third.verdict is Verdict.NEAR_DUPLICATE
    assert third.matches[0].document_id == "b"
    assert (third.canonical_id, third.related_cluster_id) == (None, "a")
    assert (shelf.members("c"), shelf.members("a")) == (["c"], ["a", "b"])


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (text(("story", 600), ("", 600)), Verdict.EXTENDED),
        (text(("", 900), ("story", 90)), Verdict.OVERLAP),
        (OTHER, Verdict.NEW),
    ],
)
def test_what_repeats_nothing_is_no_member(shelf: Shelf, body: str, verdict: Verdict) -> None:
    """It heads its own cluster, and names the related one where there is one."""
    shelf.put(STORY, "a")
    judgement = shelf.put(body, "b")
    assert (judgement.verdict, judgement.canonical_id) == (verdict, None)
    assert judgement.related_cluster_id == (None if verdict is Verdict.NEW else "a")
    assert shelf.members("b") == ["b"]


def test_deletion_promotes_the_next_copy_and_the_next_canonical(shelf: Shelf) -> None:
    """The oldest member becomes canonical, and exact copies are still found, until the last of them is gone."""
    for hour, name in enumerate("abc"):
        shelf.put(STORY, name, published_at=NOON + hour * HOUR)
    assert (shelf.documents, shelf.indexed) == (3, 1)
    for gone, next_one in zip("ab", "bc", strict=True):
        shelf.delete(gone)
        assert shelf.indexed == 1
        judgement = shelf.check(STORY)
        assert (judgement.verdict, judgement.canonical_id) == (Verdict.EXACT, next_one)
    shelf.delete("c")
    assert shelf.check(STORY).verdict is Verdict.NEW
    assert shelf.indexed == 0


@pytest.mark.parametrize("index_policy", IndexPolicy)
def test_a_cluster_keeps_its_passages_whoever_leads(new_shelf: NewShelf, index_policy: IndexPolicy) -> None:
    """A member that took over by its earlier time, and was in the tables by its bands alone, is found by passages."""
    shelf = new_shelf(policy=Policy(index_policy=index_policy))
    shelf.put(STORY, "former", published_at=NOON)
    shelf.put(EDITED, "early", published_at=NOON - HOUR)
    assert shelf.cluster("former").canonical_id == "early"
    shelf.delete("former")
    stub = shelf.check(text(("story", 100)))
    assert (stub.verdict, stub.canonical_id) == (Verdict.EXCERPT, "early")


def test_a_promoted_member_is_found_by_its_passages(shelf: Shelf) -> None:
    """Once the head of a cluster is gone, a stub of the member that took over still finds it."""
    shelf.put(STORY, "a", published_at=NOON)
    shelf.put(EDITED, "b", published_at=NOON + HOUR)
    shelf.delete("a")
    stub = shelf.check(text(("story", 100)))
    assert (stub.verdict, stub.canonical_id) == (Verdict.EXCERPT, "b")


def test_an_editor_may_say_that_one_repeats_another(shelf: Shelf) -> None:
    """The document joins the cluster at once, and when it is judged again the editor's word is the answer."""
    shelf.put(STORY, "a")
    shelf.put(OTHER, "b")
    stored = shelf.override("b", REPEAT_OF, "a")
    assert shelf.members("b") == ["a", "b"]
    assert shelf.engine.list_overrides(shelf.name) == (stored,)
    shelf.delete("b")
    judgement = shelf.put(OTHER, "b")
    assert (judgement.verdict, judgement.reason, judgement.canonical_id) == (Verdict.NEAR_DUPLICATE, "OVERRIDE", "a")
    assert judgement.repeated
    assert shelf.put(OTHER.replace("ک", "ك"), "c").verdict is Verdict.EXACT


def test_an_editor_may_say_that_one_repeats_nothing(shelf: Shelf) -> None:
    """The document leaves its cluster at once; judged again it repeats nothing, and new copies of it find it."""
    shelf.put(STORY, "a")
    shelf.put(EDITED, "b")
    shelf.override("b", NOT_REPEAT)
    assert (shelf.members("a"), shelf.members("b")) == (["a"], ["b"])
    stub = shelf.check(text(("", 200), ("story", 90)))
    assert {match.document_id for match in stub.matches} == {"a", "b"}
    shelf.delete("b")
    judgement = shelf.put(EDITED, "b")
    assert (judgement.verdict, judgement.reason, judgement.repeated) == (Verdict.OVERLAP, "OVERRIDE", False)
    assert (judgement.canonical_id, judgement.related_cluster_id) == (None, "a")


def test_a_repeat_of_a_member_joins_its_cluster_again(shelf: Shelf) -> None:
    """A document that an editor called a repeat of a member is in that one's cluster after it is judged again, too."""
    shelf.put(STORY, "a")
    shelf.put(EDITED, "b")
    shelf.put(OTHER, "x")
    shelf.override("x", REPEAT_OF, "b")
    again = shelf.put(OTHER + " " + text(("end", 30)), "x", replace=True)
    assert (again.reason, again.canonical_id) == ("OVERRIDE", "a")
    assert [match.document_id for match in again.matches] == ["b"]
    assert shelf.members("x") == ["a", "b", "x"]


def test_an_editor_may_part_one_from_another_only(shelf: Shelf) -> None:
    """«Not a repeat of X» leaves the document in a cluster that is not X's."""
    shelf.put(STORY, "a")
    shelf.put(OTHER, "x")
    shelf.put(EDITED, "b")
    shelf.override("b", NOT_REPEAT, "x")
    assert shelf.members("b") == ["a", "b"]
    shelf.override("b", NOT_REPEAT, "a")
    assert shelf.members("b") == ["b"]


def test_parted_from_what_is_gone_it_repeats_what_it_repeats(shelf: Shelf) -> None:
    """«Not a repeat of X» says nothing more once X is deleted."""
    shelf.put(STORY, "a")
    shelf.put(OTHER, "x")
    shelf.put(EDITED, "b")
    shelf.override("b", NOT_REPEAT, "x")
    shelf.delete("x")
    again = shelf.put(EDITED + " " + text(("end", 30)), "b", replace=True)
    assert (again.verdict, again.canonical_id) == (Verdict.NEAR_DUPLICATE, "a")


def test_an_editor_may_pin_the_canonical(shelf: Shelf) -> None:
    """Whatever its time, until it is deleted; then the earliest takes over."""
    shelf.put(STORY, "a", published_at=NOON)
    shelf.put(EDITED, "b", published_at=NOON + HOUR)
    shelf.override("b", PIN)
    assert shelf.put(STORY, "early", published_at=NOON - HOUR).canonical_id == "b"
    assert shelf.cluster("a").canonical_id == "b"
    shelf.put(EDITED + " " + text(("end", 30)), "b", replace=True, published_at=NOON + HOUR)
    assert shelf.cluster("a").canonical_id == "b"
    shelf.delete("b")
    assert shelf.cluster("a").canonical_id == "early"


@pytest.mark.parametrize("parted", ["original", "copy"])
@pytest.mark.parametrize("index_policy", IndexPolicy)
def test_exact_copies_are_found_after_an_override_and_a_deletion(
    new_shelf: NewShelf, parted: str, index_policy: IndexPolicy
) -> None:
    """Whichever of two equal documents was set apart, the other one's deletion leaves it to be found."""
    shelf = new_shelf(policy=Policy(index_policy=index_policy))
    shelf.put(STORY, "original")
    shelf.put(STORY, "copy")
    shelf.override(parted, NOT_REPEAT)
    shelf.delete("original")
    judgement = shelf.check(STORY)
    assert (judgement.verdict, judgement.canonical_id) == (Verdict.EXACT, "copy")


def test_a_copy_moved_to_another_cluster_is_found_after_a_deletion(shelf: Shelf) -> None:
    """An exact copy that an editor calls a repeat of something else is not lost with its original."""
    shelf.put(STORY, "original")
    shelf.put(STORY, "copy")
    shelf.put(OTHER, "other")
    shelf.override("copy", REPEAT_OF, "other")
    shelf.delete("original")
    assert shelf.check(STORY).matches[0].document_id == "copy"


def test_similarity_of_members_is_that_with_the_canonical(shelf: Shelf) -> None:
    """As of judging, whichever of the two was judged against the other."""
    shelf.put(STORY, "a", published_at=NOON)
    similarity = shelf.put(EDITED, "b", published_at=NOON - HOUR).matches[0].similarity
    canonical, member = shelf.cluster("a").members
    assert (canonical.document_id, canonical.similarity) == ("b", 1)
    assert member.similarity == pytest.approx(similarity, abs=1e-6)


def test_a_page_of_a_cluster_has_the_canonical_first(shelf: Shelf) -> None:
    """The limit bounds the members told, not those counted."""
    for hour in range(5, 0, -1):
        shelf.put(STORY, f"h{hour}", published_at=NOON + hour * HOUR)
    page = shelf.engine.list_cluster("h5", shelf.name, limit=2)
    assert ([member.document_id for member in page.members], page.total) == (["h1", "h5"], 5)


@pytest.mark.parametrize(
    ("kind", "document", "target", "field"),
    [
        (REPEAT_OF, "a", None, "target_id"),
        (REPEAT_OF, "a", "a", "target_id"),
        (REPEAT_OF, "a", "nowhere", "target_id"),
        (NOT_REPEAT, "nowhere", None, "document_id"),
        (PIN, "", None, "document_id"),
    ],
)
def test_overrides_of_what_is_not_stored_are_refused(
    shelf: Shelf, kind: OverrideKind, document: str, target: str | None, field: str
) -> None:
    """With the field to blame, and nothing is kept of them."""
    shelf.put(STORY, "a")
    with pytest.raises(BaznashrError) as refused:
        shelf.override(document, kind, target)
    assert refused.value.field == field
    assert shelf.engine.list_overrides(shelf.name) == ()


def test_repeats_outlive_their_original_in_the_window(new_shelf: NewShelf) -> None:
    """Where only originals are indexed, a repeat in the window is found from the moment its original has left it."""
    shelf = new_shelf(window_days=10, policy=Policy(index_policy=IndexPolicy.ORIGINALS))
    shelf.put(STORY, "original", published_at=NOON)
    shelf.put(EDITED, "repeat", published_at=NOON + 24 * HOUR)
    batch = [
        Document("clock", OTHER, published_at=NOON + 11 * 24 * HOUR),
        Document("late", STORY, published_at=NOON + 11 * 24 * HOUR),
    ]
    _, late = shelf.engine.ingest_batch(batch, shelf.name)
    assert (late.verdict, late.canonical_id) == (Verdict.NEAR_DUPLICATE, "repeat")
    assert [match.document_id for match in late.matches] == ["repeat"]
    shelf.delete("repeat")
    assert shelf.check(EDITED).canonical_id == "late"


@pytest.mark.parametrize("index_policy", IndexPolicy)
@pytest.mark.parametrize("replaces", [False, True])
def test_the_newest_copy_left_is_found_in_the_window(
    new_shelf: NewShelf, index_policy: IndexPolicy, replaces: bool
) -> None:
    """Where the newest of three copies goes, the second is found for as long as it is in the window."""
    shelf = new_shelf(window_days=10, policy=Policy(index_policy=index_policy))
    for day, name in ((0, "a"), (5, "b"), (6, "c")):
        shelf.put(STORY, name, published_at=NOON + timedelta(days=day))
    if replaces:
        shelf.put(OTHER, "c", replace=True, published_at=NOON + timedelta(days=6))
    else:
        shelf.delete("c")
    later = shelf.put(STORY, "d", published_at=NOON + timedelta(days=12))
    assert (later.verdict, later.canonical_id) == (Verdict.EXACT, "b")


def test_what_an_editor_calls_a_repeat_is_found_by_its_own_text(new_shelf: NewShelf) -> None:
    """Where only originals are indexed, a text unlike the original it is said to repeat is in the tables itself."""
    shelf = new_shelf(policy=Policy(index_policy=IndexPolicy.ORIGINALS))
    shelf.put(STORY, "a")
    shelf.put(EDITED, "b")
    shelf.override("b", REPEAT_OF, "a")
    assert shelf.put(OTHER, "b", replace=True).canonical_id == "a"
    assert shelf.check(OTHER).verdict is Verdict.EXACT
    shelf.put(text(("third", 600)), "c")
    shelf.put(text(("third", 560), ("", 30)), "d")
    shelf.override("d", REPEAT_OF, "a")
    shelf.delete("c")
    assert shelf.check(text(("third", 560))).matches[0].document_id == "d"


def test_replacing_a_whole_cluster_at_once_leaves_nothing_of_it(shelf: Shelf) -> None:
    """The second of a batch was promoted by the first one's going: all of it goes, passages too."""
    shelf.put(STORY, "a", published_at=NOON)
    shelf.put(EDITED, "b", published_at=NOON + HOUR)
    batch = [Document(name, text((name, 600)), published_at=NOON) for name in "ab"]
    answers = shelf.engine.ingest_batch(batch, shelf.name, replace=True)
    assert [answer.verdict for answer in answers] == [Verdict.NEW, Verdict.NEW]
    assert shelf.check(text(("story", 100))).verdict is Verdict.NEW
    audit_engine(shelf.engine)
