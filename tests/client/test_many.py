"""ingest_many and check_many: batches, order, bounds and bad items."""

import threading
import time
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr import errors, types
from baznashr._batching import MAX_BYTES, MAX_ITEMS, Batcher, checks, deliver, ingests, settle
from tests.client.stub import Awaited, judge_batch

ON_ERROR = ["raise", "skip", "yield"]


def documents(number):
    """Make documents whose text is their number."""
    return (types.Document(id=f"a{place}", text=str(place)) for place in range(number))


def strict(bad):
    """Return an answer that refuses a batch, naming its first item whose text is in *bad*."""

    def answer(request):
        for place, document in enumerate(request.documents):
            if document.text in bad:
                raise errors.InvalidText("No letter.", reason="EMPTY_TEXT", field=f"documents[{place}].text")
        return judge_batch(request)

    return answer


def sizes(stub):
    """Return how many items each batch had."""
    return [len(getattr(asked.request, "documents", None) or asked.request.items) for asked in stub.asked]


def test_answers_come_in_order(client, stub):
    """Any number of items is answered in the order asked, in batches of at most the set count."""
    stub.answers |= {"BatchIngestDocuments": judge_batch, "BatchCheckTexts": judge_batch}
    number = 3 * MAX_ITEMS + 5
    texts = [str(place) for place in range(number)]
    assert [judgement.reason for judgement in client.ingest_many(documents(number))] == texts
    assert sizes(stub) == [MAX_ITEMS] * 3 + [5]
    mixed = (text if place % 2 else types.Document(id=text, text=text) for place, text in enumerate(texts))
    assert [judgement.reason for judgement in client.check_many(mixed)] == texts


def test_no_items_make_no_call(client, stub):
    """An empty iterable is answered by nothing, without a call."""
    assert list(client.ingest_many([])) == list(client.check_many([])) == []
    assert stub.asked == []


def test_batches_are_bounded_in_bytes(client, stub):
    """Long texts make short batches, and the service's message limit is never reached."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    long = [types.Document(id=f"a{place}", text=str(place) * 1_000_000) for place in range(7)]
    assert [judgement.reason[0] for judgement in client.ingest_many(long)] == list("0123456")
    assert sizes(stub) == [3, 3, 1]
    assert all(asked.request.ByteSize() < 4 << 20 for asked in stub.asked)


def test_a_repeated_id_opens_a_batch(client, stub):
    """The same id twice is an ordinary retry, though no batch may hold it twice."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    again = [types.Document(id=name, text=name) for name in "abacb"]
    assert [judgement.reason for judgement in client.ingest_many(again)] == list("abacb")
    assert sizes(stub) == [2, 3]


def test_ingest_sends_one_batch_at_a_time(client, stub):
    """Batches of documents never overlap, so that what is later is judged later."""

    def slow(request):
        time.sleep(0.02)
        return judge_batch(request)

    stub.answers["BatchIngestDocuments"] = slow
    assert len(list(client.ingest_many(documents(4 * MAX_ITEMS)))) == 4 * MAX_ITEMS
    assert stub.most_running == 1


def test_checks_in_flight_are_few(client, stub):
    """Batches of checks overlap, four at most, and answers still come in order though later batches finish first."""
    together = threading.Barrier(4, timeout=5)

    def answer(request):
        together.wait()
        if int(request.items[0].text) % (4 * MAX_ITEMS) == 0:
            time.sleep(0.1)
        return judge_batch(request)

    stub.answers["BatchCheckTexts"] = answer
    texts = [str(place) for place in range(8 * MAX_ITEMS)]
    assert [judgement.reason for judgement in client.check_many(texts)] == texts
    assert stub.most_running == 4


def test_the_iterable_is_read_no_faster_than_answers_come(client, stub):
    """An endless iterable is read at most the batches in flight and one ahead of the answers taken."""
    stub.answers |= {"BatchIngestDocuments": judge_batch, "BatchCheckTexts": judge_batch}
    read = 0

    def feed():
        nonlocal read
        for read in count(1):
            yield types.Document(id=f"a{read}", text=str(read))

    for many, ahead in ((client.ingest_many, 2), (client.check_many, 5)):
        answers = many(feed())
        for taken, _ in enumerate(islice(answers, 3 * MAX_ITEMS), start=1):
            assert read <= taken + ahead * MAX_ITEMS
        answers.close()


def test_the_service_works_while_answers_are_taken(client, stub):
    """The next batch is on its way before the first answer of the last one is handed out, and none beyond it."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    answers = client.ingest_many(documents(5 * MAX_ITEMS))
    next(answers)
    give_up = time.monotonic() + 10
    while stub.count("BatchIngestDocuments") < 2:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    time.sleep(0.1)
    assert sizes(stub) == [MAX_ITEMS] * 2
    answers.close()


def test_a_slow_caller_is_no_late_service(connect, address, stub):
    """A caller who takes longer over an answer than a call may take, loop and all, loses nothing by it."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    with connect(address, timeout=1) as client:
        for place, judgement in enumerate(client.ingest_many(documents(3 * MAX_ITEMS))):
            assert judgement.reason == str(place)
            if place % MAX_ITEMS == 0:
                time.sleep(1.3)
    assert place == 3 * MAX_ITEMS - 1


def test_nothing_follows_a_refused_document(client, stub):
    """Where the first bad item ends the iteration, no batch behind it is sent, not even while it is settled."""
    stub.answers["BatchIngestDocuments"] = strict({"3"})
    with pytest.raises(errors.InvalidText):
        list(client.ingest_many(documents(3 * MAX_ITEMS)))
    time.sleep(0.1)
    sent = [document.text for asked in stub.asked for document in asked.request.documents]
    assert set(sent) == {str(place) for place in range(MAX_ITEMS)}


@pytest.mark.parametrize("on_error", ON_ERROR)
def test_a_bad_document_costs_only_itself(client, stub, on_error):
    """Raise stops at the first bad item with all before it answered; skip leaves bad ones out; yield gives errors."""
    stub.answers["BatchIngestDocuments"] = strict({"3", "70", "71"})
    outcomes = []
    error = None
    try:
        for outcome in client.ingest_many(documents(80), on_error=on_error):
            outcomes.append(outcome)  # noqa: PERF402 - what came before the error counts
    except errors.InvalidText as caught:
        error = caught
    shown = [outcome.field if isinstance(outcome, errors.InvalidText) else outcome.reason for outcome in outcomes]
    expected = [str(place) for place in range(80)]
    if on_error == "yield":
        for place in (3, 70, 71):
            expected[place] = f"documents[{place}].text"
        assert shown == expected
    elif on_error == "skip":
        assert shown == [text for text in expected if text not in {"3", "70", "71"}]
    else:
        assert shown == expected[:3]
        assert error.field == "documents[3].text"
        sent = {document.text for asked in stub.asked for document in asked.request.documents}
        assert "3" not in {document.text for document in stub.asked[-1].request.documents}
        assert max(map(int, sent)) < MAX_ITEMS
    assert (error is None) == (on_error != "raise")


@pytest.mark.parametrize("on_error", ["skip", "yield"])
def test_a_failure_of_the_service_is_always_raised(client, stub, on_error):
    """An error that no item is to blame for is raised whatever the mode, after the answers before it."""

    def answer(request):
        if request.documents[0].text != "0":
            raise errors.ReadOnly("The disk is full.")
        return judge_batch(request)

    stub.answers["BatchIngestDocuments"] = answer
    outcomes = client.ingest_many(documents(100), on_error=on_error)
    assert [outcome.reason for outcome in islice(outcomes, MAX_ITEMS)] == [str(place) for place in range(MAX_ITEMS)]
    with pytest.raises(errors.ReadOnly):
        next(outcomes)


def test_a_document_that_cannot_travel_is_a_bad_item(client, stub):
    """A lone surrogate is refused in its place, without a call of its own."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    three = [types.Document(id=str(place), text=text) for place, text in enumerate(["یک", "\ud800", "سه"])]
    first, second, third = client.ingest_many(three, on_error="yield")
    assert (first.reason, third.reason) == ("یک", "سه")
    assert (type(second), second.field) == (errors.InvalidText, "documents[1].text")


def test_a_document_over_the_message_limit_is_a_bad_item(client, stub):
    """A document too large for any message is refused in its place."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    three = [types.Document(id=str(place), text=text) for place, text in enumerate(["یک", "ب" * (2 << 20), "سه"])]
    first, second, third = client.ingest_many(three, on_error="yield")
    assert (first.reason, third.reason) == ("یک", "سه")
    assert (type(second), second.field) == (errors.MessageTooLarge, "documents[1]")


def test_an_error_of_the_iterable_ends_the_iteration(client, stub):
    """What the caller's own iterable raises comes through as it is."""
    stub.answers["BatchIngestDocuments"] = judge_batch

    def feed():
        yield from documents(3)
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        list(client.ingest_many(feed()))


def test_an_iteration_left_early_cancels_what_is_under_way(client, stub):
    """Closing the iterator ends the calls in flight."""
    release = threading.Event()

    def answer(request):
        if request.items[0].text != "0":
            release.wait(5)
        return judge_batch(request)

    stub.answers["BatchCheckTexts"] = answer
    answers = client.check_many(str(place) for place in range(8 * MAX_ITEMS))
    assert next(answers).reason == "0"
    started = time.monotonic()
    answers.close()
    client.close()
    assert time.monotonic() - started < 2
    release.set()


def test_an_unknown_mode_is_refused_at_once(client):
    """A misspelt mode raises before anything is read."""
    with pytest.raises(ValueError, match="raise, skip, yield"):
        client.ingest_many([], on_error="ignore")


def test_asyncio_reads_asynchronous_iterables(address, stub):
    """AsyncClient takes an asynchronous iterable as well as any other."""
    stub.answers["BatchIngestDocuments"] = judge_batch

    async def feed():
        """Documents as a consumer of a queue would give them."""
        for document in documents(70):
            yield document

    with Awaited(address) as client:
        assert [judgement.reason for judgement in client.ingest_many(feed())] == [str(place) for place in range(70)]


def run(plan, batch, server):
    """Bring one batch to its end against a function that answers or raises."""
    machine = settle(batch, plan.path, stop=plan.on_error == "raise")
    messages = next(machine)
    try:
        while True:
            try:
                judgements = server(messages)
            except errors.BaznashrError as error:
                messages = machine.throw(error)
            else:
                messages = machine.send(judgements)
    except StopIteration as done:
        return done.value


@given(st.lists(st.booleans(), min_size=1, max_size=MAX_ITEMS))
def test_any_pattern_of_bad_items_is_settled(good):
    """Whichever items of a batch are bad, each good one is stored once and each bad one blamed by its place."""
    plan = ingests("default", replace=False, on_error="yield")
    batcher = Batcher(plan)
    for place, fine in enumerate(good):
        assert batcher.add(types.Document(id=f"a{place}", text=f"{place}{'' if fine else '!'}")) == []
    (batch,) = batcher.flush()
    stored = []

    def server(messages):
        for place, message in enumerate(messages):
            if message.text.endswith("!"):
                raise errors.InvalidDocument("no", field=f"documents[{place}].text")
        stored.extend(message.text for message in messages)
        return [types.Judgement(types.Verdict.NEW, False, message.text) for message in messages]

    outcomes = list(deliver(run(plan, batch, server), plan))
    assert stored == [str(place) for place, fine in enumerate(good) if fine]
    assert [outcome.reason if fine else outcome.field for outcome, fine in zip(outcomes, good, strict=True)] == [
        str(place) if fine else f"documents[{place}].text" for place, fine in enumerate(good)
    ]


@given(st.lists(st.integers(0, MAX_BYTES // 1000), max_size=200))
def test_batches_hold_everything_once_and_in_order(lengths):
    """Cutting loses, repeats and reorders nothing, and no batch of several items passes the bounds."""
    batcher = Batcher(checks("default", "raise"))
    texts = ["x" * length for length in lengths]
    batches = [batch for text in texts for batch in batcher.add(text)] + batcher.flush()
    assert [message.text for batch in batches for message in batch.messages] == texts
    place = 0
    for batch in batches:
        assert batch.first == place
        place += len(batch.messages)
        assert len(batch.messages) <= MAX_ITEMS
        assert len(batch.messages) == 1 or sum(message.ByteSize() for message in batch.messages) <= MAX_BYTES


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidBatch("no"),
        errors.InvalidText("no", field="documents[7].text"),
        errors.CorpusNotFound("no", field="documents[0].corpus"),
        errors.InvalidCorpus("no", field="items[0].corpus"),
    ],
    ids=str,
)
def test_no_item_is_blamed_for_what_is_not_its_own(error):
    """An error without an item, of an item that the batch does not have, or of the corpus fails the whole batch."""
    plan = ingests("default", replace=False, on_error="yield")
    batcher = Batcher(plan)
    batcher.add(types.Document(id="a", text="a"))
    (batch,) = batcher.flush()

    def server(_messages):
        raise error

    settled = run(plan, batch, server)
    assert (settled.outcomes, settled.failure) == ([], error)


def test_values_of_a_wrong_type_cost_only_their_item(client, stub):
    """A document that cannot be sent, as one from a file may be, is refused in its place; a wrong corpus ends it."""
    stub.answers |= {"BatchIngestDocuments": judge_batch, "BatchCheckTexts": judge_batch}
    given = [types.Document("a", "1"), types.Document("b", 2), types.Document("c", "3", labels={"n": 5})]
    for many, path in ((client.ingest_many, "documents"), (client.check_many, "items")):
        good, *bad = many(given, on_error="yield")
        assert good.reason == "1"
        assert [(type(error), error.field) for error in bad] == [
            (errors.InvalidText, f"{path}[1].text"),
            (errors.InvalidDocument, f"{path}[2].labels"),
        ]
        with pytest.raises(errors.InvalidCorpus, match="must be a string, not int"):
            list(many(given, 3, on_error="skip"))
    with pytest.raises(errors.InvalidText, match="must be a string, not int"):
        client.ingest(given[1])
    with pytest.raises(errors.InvalidCorpus, match="must be a string, not int"):
        client.ingest(given[0], 3)
    with pytest.raises(TypeError, match="A Document is asked for, not str"):
        client.ingest("1")
