"""One template or one story thousands of times: the work and the memory of each document stay what they were."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.index.corpus_index import MAX_BAND_POSTINGS
from baznashr_server.limits import MAX_CANDIDATES
from tests.support.texts import article, light_edit

BATCH = 100
FORM = article(random.Random("form"), 60)


def report(rng: random.Random) -> str:
    """Return a report on the one form: other figures each time."""
    words = FORM.split()
    words[::6] = [str(rng.randint(100, 99_999)) for _ in words[::6]]
    return " ".join(words)


def edit(rng: random.Random) -> str:
    return light_edit(rng, FORM)


class Compared(Silence):
    """Remembers the most texts that one was compared with."""

    most = 0

    def searched(self, candidates: int, verified: int) -> None:
        self.most = max(self.most, candidates, verified)


@pytest.fixture(autouse=True)
def only_what_is_new_is_collected() -> Iterator[None]:
    """Keep the tests' own objects out of the garbage collector, as a server does with those it starts with.

    A collection of all of them takes as long as many documents, and falls on whichever are being stored.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("make", "verdict"), [(report, Verdict.TEMPLATE), (edit, Verdict.NEAR_DUPLICATE)])
def test_the_last_of_a_giant_family_costs_what_the_first_ones_did(
    tmp_path: Path, seed: int, long: bool, make: Callable[[random.Random], str], verdict: Verdict
) -> None:
    """Buckets are full and say so, comparisons are bounded, and neither processor time nor deletion grows with n."""
    rng = random.Random(seed)
    size = 20_000 if long else 1_000
    compared = Compared()
    spent: list[float] = []
    with Engine.open(tmp_path / "data", observer=compared) as engine:
        for start in range(0, size, BATCH):
            documents = [Document(str(n), make(rng)) for n in range(start, start + BATCH)]
            begun = time.process_time()
            answers = engine.ingest_batch(documents)
            spent.append(time.process_time() - begun)
        assert sum(answer.verdict is verdict for answer in answers) > 0.9 * BATCH
        sizes = engine.sizes()["default"]
        assert sizes["largest_bucket"] == MAX_BAND_POSTINGS
        assert sizes["dropped_postings"] > size / 10
        assert compared.most <= MAX_CANDIDATES
        begun = time.process_time()
        assert all(engine.delete(str(n)) for n in range(BATCH))
        deletion = time.process_time() - begun
    fifth = len(spent) // 5
    early, late = (sorted(part)[fifth // 2] / BATCH for part in (spent[fifth : 2 * fifth], spent[-fifth:]))
    print(
        f"{1e6 * early:.0f} us a document early, {1e6 * late:.0f} us late, {1e6 * deletion / BATCH:.0f} us a deletion"
    )
    assert late < 2 * early
    assert deletion / BATCH < 0.02
