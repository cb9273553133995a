"""Articles pass through guards while the server dies and the network fails: none is lost, none is stored twice."""

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from itertools import islice

import pytest

from baznashr import AsyncClient, Client, Document
from baznashr.errors import DeadlineExceeded, Unavailable
from baznashr.pipeline import AsyncRepeatGuard, RepeatGuard, State
from tests.support.outage import MortalServer, Proxy
from tests.support.texts import article, light_edit

MODES = ["raise", "accept", "spool"]
KINDS = ["sync", "async"]
FAULTS = ["drop answers", "cut", "black hole", "delay"]
GIVE_UP_SECONDS = 3000


def feed_of(number, seed):
    """Return documents of which each fifth is a light edit of an earlier one, and the ids of those that are not."""
    rng = random.Random(seed)
    documents, originals = [], []
    for place in range(number):
        if place % 5 == 4:
            earlier = documents[rng.choice(originals[-50:])]
            documents.append(Document(id=f"d{place}", text=light_edit(rng, earlier.text)))
        else:
            originals.append(place)
            documents.append(Document(id=f"d{place}", text=article(rng)))
    return documents, [f"d{place}" for place in originals]


@dataclass
class Run:
    """One pipeline: a feed that is read at its own pace, and a store that only appends."""

    mode: str
    kind: str
    documents: list
    pace: float
    spool: str | None
    settled: int = 0
    stored: list = field(default_factory=list)
    unjudged: int = 0
    accepted: int | None = None
    was_spooled: int = 0
    interruptions: int = 0

    def read(self):
        """Yield what is not settled yet, at the feed's pace."""
        for document in islice(self.documents, self.settled, None):
            time.sleep(self.pace)
            yield document

    def take(self, admission):
        """Store what should be stored, as the guard's caller."""
        if admission.store:
            self.stored.append(admission.document.id)
            self.unjudged += admission.judgement is None
        self.was_spooled += admission.state is State.SPOOLED
        assert admission.state is not State.REFUSED, admission.error

    def sync(self, address, corpus):
        """Run to the end, as a pipeline with threads."""
        options = {"on_unavailable": self.mode, "spool": self.spool, "max_pause": 0.5}
        with Client(address, timeout=1) as client, RepeatGuard(client, corpus, **options) as guard:
            while self.settled < len(self.documents):
                try:
                    for admission in guard.admissions(self.read()):
                        self.take(admission)
                        self.settled += not admission.late
                except (Unavailable, DeadlineExceeded):
                    assert self.mode == "raise"
                    self.interruptions += 1
            while guard.waiting:
                for admission in guard.replayed():
                    self.take(admission)
                time.sleep(0.05)
            self.accepted = guard.accepted

    async def asynchronous(self, address, corpus):
        """Run to the end, as a pipeline with asyncio."""
        options = {"on_unavailable": self.mode, "spool": self.spool, "max_pause": 0.5}
        async with AsyncClient(address, timeout=1) as client, AsyncRepeatGuard(client, corpus, **options) as guard:
            while self.settled < len(self.documents):
                try:
                    async for admission in guard.admissions(self.read()):
                        self.take(admission)
                        self.settled += not admission.late
                except (Unavailable, DeadlineExceeded):
                    assert self.mode == "raise"
                    self.interruptions += 1
            while guard.waiting:
                async for admission in guard.replayed():
                    self.take(admission)
                await asyncio.sleep(0.05)
            self.accepted = guard.accepted

    def __call__(self, address):
        """Run to the end in a corpus of its own."""
        corpus = f"{self.mode}-{self.kind}"
        if self.kind == "sync":
            self.sync(address, corpus)
        else:
            asyncio.run(self.asynchronous(address, corpus))

    def judge(self, originals):
        """Assert what its mode promises."""
        assert self.settled == len(self.documents)
        assert len(set(self.stored)) == len(self.stored), "stored twice"
        assert set(originals) <= set(self.stored), "lost"
        if self.mode != "accept":
            assert self.stored == originals
        assert self.accepted == self.unjudged
        if self.mode == "accept":
            assert len(self.stored) <= len(originals) + 2 * self.accepted


def run_all(address, documents, pace, folder):
    """Start a pipeline of each mode and kind; return them and the threads that run them."""
    with Client(address, timeout=30) as client:
        for kind in KINDS:
            for mode in MODES:
                client.create_corpus(f"{mode}-{kind}")
    runs = {
        (mode, kind): Run(mode, kind, documents, pace, str(folder / kind) if mode == "spool" else None)
        for mode in MODES
        for kind in KINDS
    }
    threads = [threading.Thread(target=run, args=(address,), daemon=True) for run in runs.values()]
    for thread in threads:
        thread.start()
    return runs, threads


def wait(condition):
    """Wait until *condition* holds."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture(scope="module")
def long(request):
    """Return whether the long form is asked for."""
    return request.config.getoption("long")


@pytest.fixture(scope="module")
def killed(tmp_path_factory, long):
    """Runs through a server that is killed and comes back: twice or, in the long form, every second it serves."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    number = 20_000 if long else 300
    documents, originals = feed_of(number, seed)
    folder = tmp_path_factory.mktemp("killed")
    server = MortalServer(folder / "data")
    try:
        runs, threads = run_all(server.address, documents, 0.0005 if long else 0.002, folder)
        if long:
            while any(thread.is_alive() for thread in threads):
                time.sleep(1)
                server.kill_and_restart()
        else:
            for share in (0.3, 0.7):
                slowest = min(runs.values(), key=lambda run: run.settled)
                wait(lambda run=slowest, share=share: run.settled >= share * number)
                server.kill_and_restart()
        for thread in threads:
            thread.join(GIVE_UP_SECONDS)
    finally:
        server.stop()
    print(f"killed {server.kills} times")
    return runs, originals


@pytest.mark.timeout(GIVE_UP_SECONDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_lost_when_the_server_dies(killed, mode, kind):
    """Through kills and restarts each mode keeps its promise, and the outage was felt."""
    runs, originals = killed
    run = runs[mode, kind]
    run.judge(originals)
    assert {"raise": run.interruptions, "accept": run.accepted, "spool": run.was_spooled}[mode]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory, long):
    """Runs through a proxy that delays, cuts, swallows, and drops answers after the commit, again and again."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    number = 20_000 if long else 300
    documents, originals = feed_of(number, seed)
    folder = tmp_path_factory.mktemp("troubled")
    server = MortalServer(folder / "data")
    proxy = Proxy(server.address)
    try:
        runs, threads = run_all(proxy.address, documents, 0.001 if long else 0.01, folder)
        faults = iter(FAULTS * (number // len(FAULTS)))
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.4)
            with proxy.failing(next(faults), 0.4):
                pass
        for thread in threads:
            thread.join(GIVE_UP_SECONDS)
    finally:
        proxy.close()
        server.stop()
    return runs, originals, proxy


@pytest.mark.timeout(GIVE_UP_SECONDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_lost_when_the_network_fails(troubled, mode, kind):
    """Through every fault of the network each mode keeps its promise, and every fault bit."""
    runs, originals, proxy = troubled
    runs[mode, kind].judge(originals)
    assert set(proxy.bitten) == set(FAULTS)
