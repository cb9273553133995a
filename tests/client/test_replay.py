"""Guards that spool: what waits on disk is judged late, in order, and nothing of it is lost."""

from itertools import islice

import pytest

from baznashr import Document, Judgement, Verdict, errors
from baznashr.pipeline import State
from tests.client.guards import OUTAGES, documents, ids, rest


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: error.reason)
def test_spool_holds_back_and_judges_later(server, guarding, outage):
    """A spooled document is not stored; its judgement comes from replayed, in order, and then it is off the disk."""
    server.judgements["d2"] = Judgement(Verdict.EXACT, repeated=True, reason="SAME_TEXT", canonical_id="d1")
    guard = guarding("spool")
    server.fail(outage)
    first, _ = (guard.admit(document) for document in documents(1, 2))
    assert (first.store, first.state, first.late) == (False, State.SPOOLED, False)
    rest()
    third = guard.admit(*documents(3))
    assert third.state is State.SPOOLED, "it would be judged before older ones"
    assert guard.waiting == 3
    late = list(guard.replayed())
    assert ids(late) == ["d1", "d2", "d3"]
    assert [admission.store for admission in late] == [True, False, True]
    assert all(admission.late for admission in late)
    assert guard.waiting == 0
    assert guard.admit(*documents(4)).state is State.JUDGED
    assert list(guard.replayed()) == []


def test_what_waits_comes_in_between(server, guarding):
    """Iterating judges what waits as soon as it can, so that the order of the feed is the order of the store."""
    guard = guarding("spool")
    read = 0

    def feed():
        nonlocal read
        for read, document in enumerate(documents(*range(500)), start=1):
            if read == 200:
                server.fail(errors.ReadOnly("The disk is full."), times=3)
            if read % 64 == 0:
                rest()
            yield document

    told = []
    stored = list(guard.only_new(feed(), progress=told.append))
    rest()
    stored += [admission.document for admission in guard.replayed() if admission.store]
    assert ids(stored) == [f"d{n}" for n in range(500)] == ids(server.documents)
    assert told == list(range(1, 501))


def test_the_next_guard_finds_what_waits(server, guarding):
    """What one guard leaves on disk comes first from the next one's iteration, and is not progress of the new feed."""
    guard = guarding("spool")
    server.fail(errors.ReadOnly("The disk is full."), times=9)
    assert list(guard.only_new(documents(1, 2))) == []
    guard.close()
    server._failures.clear()
    told = []
    assert ids(guarding("spool").only_new(documents(3), progress=told.append)) == ["d1", "d2", "d3"]
    assert told == [1]


def test_a_replay_that_is_interrupted_goes_on(server, guarding):
    """A caller that stops in the middle, or an outage in the middle, leaves the rest on disk in order."""
    guard = guarding("spool")
    server.fail(errors.ReadOnly("The disk is full."))
    for document in documents(*range(100)):
        guard.admit(document)
    rest()
    replay = guard.replayed()
    assert ids(islice(replay, 3)) == ["d0", "d1", "d2"]
    replay.close()
    assert guard.waiting == 98, "the third was not asked beyond"
    seen = []
    for admission in guard.replayed():
        if not seen:
            server.fail(errors.ReadOnly("The disk is full."))
        seen.append(admission)
    assert ids(seen) == [f"d{n}" for n in range(2, 66)]
    assert seen[0].judgement.replayed
    rest()
    assert ids(guard.replayed()) == [f"d{n}" for n in range(66, 100)]


def test_a_refused_document_does_not_stop_a_replay(server, guarding):
    """One that was spooled unseen comes back with its error, and what is behind it comes after."""
    guard = guarding("spool")
    bad = Document(id="bad", text="\ud800")
    for on_refused in ("raise", "skip"):
        server.fail(errors.ReadOnly("The disk is full."))
        for document in [*documents(1), bad, *documents(2)]:
            guard.admit(document)
        rest()
        if on_refused == "raise":
            with pytest.raises(errors.InvalidText):
                list(guard.only_new([]))
            assert ids(guard.only_new([])) == ["d2"]
        else:
            first, second, third = guard.replayed()
            assert (second.state, second.store, second.error.reason) == (State.REFUSED, False, "MALFORMED_TEXT")
            assert (first.store, third.store, guard.waiting) == (True, True, 0)


def test_a_full_spool_loses_nothing(server, guarding):
    """Beyond the limit the caller gets SpoolFull, and what progress told is where to go on."""
    guard = guarding("spool", spool_bytes=100 * 150)
    server.fail(errors.ReadOnly("The disk is full."), times=2)
    told, stored = [], []
    with pytest.raises(errors.SpoolFull):
        stored += guard.only_new(documents(*range(1000)), progress=told.append)
    assert guard.waiting == told[-1]
    server._failures.clear()
    rest()
    stored += guard.only_new(documents(*range(told[-1], 1000)))
    assert ids(stored) == [f"d{n}" for n in range(1000)]
