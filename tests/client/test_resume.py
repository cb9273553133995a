"""Long feeds: what progress tells, where to go on after a failure, and what memory they take."""

import gc
import tracemalloc
from itertools import count, islice

import pytest

from baznashr import Client, Document, errors
from tests.client.stub import Awaited, judge_batch

KINDS = {"sync": Client, "async": Awaited}


def documents(start=0):
    """Make documents without end, whose text is their number."""
    return (Document(id=f"a{place}", text=str(place)) for place in count(start))


def test_progress_counts_what_the_caller_has_taken(client, stub):
    """An item is settled when the next one is asked for: not before its answer was taken, nor after."""
    stub.answers |= {"BatchIngestDocuments": judge_batch, "BatchCheckTexts": judge_batch}
    for many in (client.ingest_many, client.check_many):
        told = []
        for taken, _ in enumerate(many(islice(documents(), 200), progress=told.append), start=1):
            assert told == list(range(1, taken))
        assert told == list(range(1, 201))


@pytest.mark.parametrize("on_error", ["skip", "yield"])
def test_bad_items_are_settled_too(client, stub, on_error):
    """Progress counts items of the iterable, whether they have an answer or not."""

    def answer(request):
        for place, document in enumerate(request.documents):
            if int(document.text) % 7 == 3:
                raise errors.InvalidText("No.", field=f"documents[{place}].text")
        return judge_batch(request)

    stub.answers["BatchIngestDocuments"] = answer
    told = []
    list(client.ingest_many(islice(documents(), 100), on_error=on_error, progress=told.append))
    assert told == list(range(1, 101))


def test_going_on_after_a_failure(client, stub):
    """Leaving out what progress told, any number of failures loses no item and answers none twice."""
    calls = 0

    def answer(request):
        nonlocal calls
        calls += 1
        if calls % 3 == 2:
            raise errors.ReadOnly("The disk is full.")
        return judge_batch(request)

    stub.answers["BatchIngestDocuments"] = answer
    answers, settled, failures = [], 0, 0
    while settled < 500:
        start = settled

        def tell(number, start=start):
            """Remember where to go on."""
            nonlocal settled
            settled = start + number

        try:
            for judgement in client.ingest_many(islice(documents(start), 500 - start), progress=tell):
                answers.append(judgement.reason)  # noqa: PERF401 - what came before the error counts
        except errors.ReadOnly:
            failures += 1
    assert answers == [str(place) for place in range(500)]
    assert failures > 1


@pytest.mark.parametrize("method", ["ingest_many", "check_many"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_endless_feed_takes_constant_memory(address, stub, kind, method):
    """After a warm-up, ten thousand more items leave no more than a batch's worth of memory behind."""
    stub.answers |= {"BatchIngestDocuments": judge_batch, "BatchCheckTexts": judge_batch}
    stub.asked = Forgetful()
    with KINDS[kind](address) as client:
        answers = getattr(client, method)(documents())

        def held(number):
            """Return the bytes held after *number* more answers."""
            for _ in islice(answers, number):
                pass
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = held(2_000)
            after = held(10_000)
        finally:
            tracemalloc.stop()
            answers.close()
    assert after - before < 100_000


class Forgetful(list):
    """Keeps nothing."""

    def append(self, _):
        """Forget at once."""
