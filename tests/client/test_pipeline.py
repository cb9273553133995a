"""Guards: what each mode does with a document while the service is away, and what reaches the caller when."""

import asyncio
import os
import threading
import time
from contextlib import aclosing
from itertools import islice

import pytest

from baznashr import AsyncClient, Client, Document, Judgement, Verdict, errors
from baznashr.pipeline import RepeatGuard, State, only_new
from tests.client.guards import OUTAGES, documents, ids, rest


def test_only_what_is_new_comes_out(server, guarding):
    """Repeats are left out, the rest comes in order, and all of it is registered."""
    server.judgements["d3"] = Judgement(Verdict.NEAR_DUPLICATE, repeated=True, reason="SAME_ARTICLE_EDITED")
    server.judgements["d5"] = Judgement(Verdict.EXTENDED, repeated=False, reason="STORED_INSIDE")
    guard = guarding()
    assert ids(guard.only_new(documents(*range(200)))) == [f"d{n}" for n in range(200) if n != 3]
    assert len(server.documents) == 200
    admission = guard.admit(Document(id="again", text="خبر 7"))
    assert (admission.store, admission.judgement.canonical_id, admission.state) == (False, "d7", State.JUDGED)


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: error.reason)
def test_raise_lets_the_caller_decide(server, guarding, outage):
    """The error reaches the caller after the earlier answers, and what progress told is where to go on."""
    guard = guarding("raise")
    told, stored = [], []
    feed = guard.only_new(documents(*range(150)), progress=told.append)
    stored += islice(feed, 64)
    server.fail(outage)
    kind = errors.Unavailable if isinstance(outage, errors.Cancelled) else type(outage)
    with pytest.raises(kind):
        stored += feed
    assert told == list(range(1, len(stored) + 1))
    assert 64 <= len(stored) < 150
    stored += guard.only_new(documents(*range(told[-1], 150)))
    assert ids(stored) == [f"d{n}" for n in range(150)]
    server.fail(outage)
    with pytest.raises(kind):
        guard.admit(*documents(150))


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: error.reason)
def test_accept_lets_through_and_counts(server, guarding, outage):
    """While the service is away nothing is held back, each document says why, and the count is exact."""
    guard = guarding("accept")
    server.fail(outage)
    admission = guard.admit(*documents(1))
    assert (admission.store, admission.state, admission.judgement) == (True, State.ACCEPTED, None)
    assert admission.error.reason in {outage.reason, "CANCELLED_BY_PEER"}
    assert guard.accepted == 1
    rest()
    server.fail(outage)
    assert ids(guard.only_new(documents(*range(2, 300)))) == [f"d{n}" for n in range(2, 300)]
    assert 1 + len(server.documents) + guard.accepted - 1 == 299
    rest()
    assert guard.admit(*documents(300)).state is State.JUDGED


def test_refused_documents(server, guarding):
    """A document that will never be taken ends the iteration or is left out; it is neither accepted nor spooled."""
    bad = Document(id="bad", text="\ud800")
    three = [*documents(1), bad, *documents(2)]
    for mode in ("raise", "accept"):
        guard = guarding(mode)
        told = []
        with pytest.raises(errors.InvalidText):
            list(guard.only_new(three, progress=told.append))
        assert told == [1]
        assert ids(guard.only_new(three, on_refused="skip", progress=told.append)) == ["d1", "d2"]
        assert told == [1, 1, 2, 3]
        with pytest.raises(errors.InvalidText):
            guard.admit(bad)
        assert guard.accepted == 0


def test_an_edited_article_is_refused_or_replaces(server, guarding):
    """The same id with another text is refused, unless the guard replaces: now, in batches and late."""
    old, new = Document("a", "یک"), Document("a", "دو")
    guard = guarding()
    assert guard.admit(old).store
    with pytest.raises(errors.DocumentIdReused):
        guard.admit(new)
    guard = guarding("spool", replace=True)
    assert guard.admit(new).store
    assert ids(guard.only_new([old])) == ["a"]
    server.fail(errors.ReadOnly("The disk is full."))
    assert guard.admit(new).state is State.SPOOLED
    rest()
    assert [late.store for late in guard.replayed()] == [True]
    assert server.documents == [new]


@pytest.mark.parametrize("mode", ["raise", "accept", "spool"])
def test_the_feeds_own_errors_are_the_callers(server, guarding, mode):
    """An iterable that fails as a service would is not taken for the service."""

    def feed():
        yield from documents(1, 2)
        raise errors.Unavailable("Another service.")

    guard = guarding(mode)
    with pytest.raises(errors.Unavailable, match="Another service"):
        list(guard.only_new(feed()))
    assert guard.accepted == guard.waiting == 0


def test_defects_are_raised_in_every_mode(server, guarding):
    """What is no outage, such as a missing corpus or a wrong token, is never covered up."""
    guard = guarding("accept")
    for error in (errors.CorpusNotFound("No."), errors.Unauthenticated("No."), errors.InternalError("No.")):
        server.fail(error)
        with pytest.raises(type(error)):
            guard.admit(*documents(1))
        server.fail(error)
        with pytest.raises(type(error)):
            list(guard.only_new(documents(1)))


def test_an_absent_service_is_left_alone(server, guarding):
    """Between failures the guard waits, so that a feed is not slowed by asking for each document."""
    guard = guarding("accept")
    guard._gate._max_pause = 30.0
    server.fail(errors.ReadOnly("The disk is full."), times=99)
    started = time.monotonic()
    assert len(list(guard.only_new(documents(*range(5000))))) == guard.accepted == 5000
    assert len(server.calls) <= 2 + (time.monotonic() - started) / 0.25


@pytest.mark.parametrize(
    "options",
    [{"mode": "ignore"}, {"mode": "spool", "spool": None}, {"mode": "spool", "spool": ""}, {"spool": "folder"}],
    ids=str,
)
def test_wrong_options_are_refused_at_once(guarding, options):
    """A misspelt mode, a spool without a folder and a folder without a spool raise before anything is read."""
    with pytest.raises(ValueError, match="spool"):
        guarding(**options)


def test_an_unknown_mode_for_refused_documents_is_told(server, guarding):
    """A misspelt mode raises before anything is read, and does not leave refused documents out."""
    with pytest.raises(ValueError, match="on_refused is one of raise, skip, not 'drop'"):
        list(guarding().only_new(documents(1), on_refused="drop"))
    assert not server.calls


def test_a_fork_makes_a_spooling_guard_of_its_own(server, guarding, monkeypatch):
    """A guard that spools says so to a fork at once, and not in the first outage."""
    guard, pid = guarding("spool"), os.getpid()
    with monkeypatch.context() as fork:
        fork.setattr(os, "getpid", lambda: pid + 1)
        with pytest.raises(RuntimeError, match="make a guard after the fork"):
            guard.admit(*documents(1))
    assert not server.calls
    assert guard.admit(*documents(1)).store


def test_one_guard_serves_many_threads(server, tmp_path):
    """Documents admitted by several threads through an outage are each judged once, now or late."""
    admissions = []
    with Client(server.address) as client:
        options = {"on_unavailable": "spool", "spool": tmp_path / "spool", "max_pause": 0.01}
        with RepeatGuard(client, **options) as guard:

            def work(first):
                """Admit, and take what is late."""
                for place, document in enumerate(documents(*range(first, first + 100))):
                    if place == 50:
                        server.fail(errors.ReadOnly("The disk is full."))
                    admissions.append(guard.admit(document))
                    admissions.extend(guard.replayed())

            threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200, 300)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            while guard.waiting:
                rest()
                admissions.extend(guard.replayed())
    assert sorted(ids(a for a in admissions if a.store)) == sorted(f"d{n}" for n in range(400))
    assert any(a.late for a in admissions)


def test_threads_count_exactly(server):
    """What several threads let through at once is counted, each document once."""
    with Client(server.address) as client:
        guard = RepeatGuard(client, on_unavailable="accept")
        server.fail(errors.ReadOnly("The disk is full."))
        guard.admit(*documents(0))
        guard._gate._rest_until = time.monotonic() + 60
        threads = [
            threading.Thread(target=lambda: [guard.admit(document) for document in documents(*range(2000))])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert guard.accepted == 8001


def test_an_iteration_that_never_begins_locks_nothing(server, tmp_path):
    """The folder belongs to the iteration, not to the call that made it."""
    with Client(server.address) as client:
        options = {"on_unavailable": "spool", "spool": tmp_path / "spool"}
        unused = only_new(client, documents(1), **options)
        assert (
            ids(only_new(client, documents(1), **options)) == ids(only_new(client, documents(1), **options)) == ["d1"]
        )
        assert ids(unused) == ["d1"]


def test_five_lines_protect_a_pipeline(server, tmp_path):
    """The function takes either client and gives its kind of iterator; its guard lets the folder go at the end."""
    for mode in ({}, {"on_unavailable": "accept"}, {"on_unavailable": "spool", "spool": tmp_path / "spool"}):
        with Client(server.address) as client:
            assert ids(only_new(client, documents(1, 2), **mode)) == ["d1", "d2"]

        async def asynchronous(mode=mode):
            """Collect what comes out."""
            async with AsyncClient(server.address) as client:
                return [document async for document in only_new(client, documents(1, 2), **mode)]

        assert ids(asyncio.run(asynchronous())) == ["d1", "d2"]


def test_an_asynchronous_iteration_left_early_lets_the_folder_go(server, tmp_path):
    """What ``aclosing`` closes has given up its spool folder, which the next iteration can have at once."""

    async def asynchronous():
        async with AsyncClient(server.address) as client:
            for number in (1, 2):
                new = only_new(client, documents(number, 3), on_unavailable="spool", spool=tmp_path / "spool")
                async with aclosing(new):
                    assert (await anext(new)).id == f"d{number}"

    asyncio.run(asynchronous())
