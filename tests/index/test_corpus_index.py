"""One corpus's tables: what they hold, what they show, in which order, and what is gone."""

import dataclasses
import random
from itertools import count

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from baznashr_server.index.bands import band_keys
from baznashr_server.index.candidates import MIN_LETTERS
from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import MAX_PASSAGE_POSTINGS, CorpusIndex
from baznashr_server.index.lookup import Candidate, Lookup, Query, Reach, Texts
from baznashr_server.sketch.fingerprint import Fingerprint, fingerprint
from tests.articles import real_bodies

LETTERS = "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"
MICROS_A_DAY = 86_400_000_000


def random_text(rng: random.Random, letters: int) -> str:
    """Return letters in no order, so that no two such texts have anything in common."""
    return "".join(rng.choices(LETTERS, k=letters))


def entry(row: int, text: str, published: int = 0) -> Entry:
    """Return what the tables keep of a text."""
    own = fingerprint(text)
    return Entry(row, own.digest_bytes, own.signature, own.passages, own.letters.size, published)


def similar(
    index: CorpusIndex, wanted: Fingerprint, *, limit: int = 1000, pending: bool = False, earliest: int = -1
) -> list[Candidate]:
    """Return the candidates, whether or not one has the same text."""
    query = Query(dataclasses.replace(wanted, digest_bytes=bytes(16)), "")
    return index.find(Texts.of([query]), Reach(limit, earliest, earliest), pending=pending)[0][0]


def found(index: CorpusIndex, text: str, *, limit: int = 1000, pending: bool = False, earliest: int = -1) -> list[int]:
    """Return the candidates' rows."""
    return [
        candidate.row
        for candidate in similar(index, fingerprint(text), limit=limit, pending=pending, earliest=earliest)
    ]


@pytest.fixture
def rng() -> random.Random:
    """Return random numbers that are the same each time."""
    return random.Random(8)


def test_pending_documents_show_to_the_writer_alone(rng: random.Random) -> None:
    """Until it is published a document is found with `pending` only; `visible` skips the wait."""
    index = CorpusIndex()
    text, other = random_text(rng, 400), random_text(rng, 400)
    index.add(entry(1, text))
    digest = fingerprint(text).digest_bytes
    assert (found(index, text), found(index, text, pending=True)) == ([], [1])
    assert (index.exact(digest, pending=False), index.exact(digest, pending=True)) == (None, 1)
    index.publish()
    assert found(index, text) == [1]
    assert index.exact(digest, pending=False) == 1
    index.add(entry(2, other), visible=True)
    assert found(index, other) == [2]


def test_removal_leaves_no_entry(rng: random.Random) -> None:
    """What was removed is found by nothing, its slots are used again, and the tables end empty."""
    index = CorpusIndex()
    texts = {row: random_text(rng, rng.choice([3, 14, 15, 60, 500])) for row in range(1, 200)}
    for row, text in texts.items():
        index.add(entry(row, text), visible=True)
    assert len(index) == len(texts)
    held = {row: (row, fingerprint(text).digest_bytes) for row, text in texts.items()}
    for row in list(texts)[::2]:
        index.remove(entry(row, texts.pop(row)))
        assert not index.holds(*held[row])
    size = index._columns.size
    for row in range(200, 260):
        texts[row] = random_text(rng, 300)
        index.add(entry(row, texts[row]), visible=True)
    assert index._columns.size == size
    for row, text in texts.items():
        assert index.holds(row, fingerprint(text).digest_bytes)
        assert index.exact(fingerprint(text).digest_bytes, pending=False) == row
        assert found(index, text) == ([row] if len(text) >= 15 else [])
        index.remove(entry(row, text))
    assert len(index) == 0
    for table in (index._bands, index._passages, index._digests):
        assert table.entries == 0
        assert not table.arrays.new.any()
    assert not index._columns.state.any()


def test_candidates_come_best_first_with_true_estimates(rng: random.Random) -> None:
    """Cut copies come in order of similarity; the estimate errs like 128 hash functions do; a limit keeps the best."""
    index = CorpusIndex()
    text = random_text(rng, 1500)
    for row, kept in enumerate([700, 1500, 900, 1300, 1100], start=1):
        index.add(entry(row, text[:kept] + random_text(rng, 1500 - kept)), visible=True)
        index.add(entry(row + 100, random_text(rng, 1500)), visible=True)
    own = fingerprint(text)
    candidates = similar(index, dataclasses.replace(own, passages=own.passages[:0]), limit=10, pending=False)
    assert [candidate.row for candidate in candidates[:4]] == [2, 4, 5, 3]
    for candidate, kept in zip(candidates, [1500, 1300, 1100, 900], strict=False):
        similarity = kept / (3000 - kept)
        assert abs(candidate.estimate - similarity) < 4 * (similarity * (1 - similarity) / 128) ** 0.5 + 0.02
    assert found(index, text) == [2, 4, 5, 3, 1]
    assert found(index, text, limit=2) == [2, 4]


def test_excerpts_are_found_by_passages(rng: random.Random) -> None:
    """A hundredth of an article, and an article inside a long round-up, are found though no band is shared."""
    index = CorpusIndex()
    article = random_text(rng, 9000)
    index.add(entry(1, article), visible=True)
    index.add(entry(2, random_text(rng, 9000)), visible=True)
    excerpt = article[4000:4090]
    [candidate] = similar(index, fingerprint(excerpt), limit=10, pending=False)
    assert candidate.row == 1
    assert candidate.estimate < 0.1
    shared = set(fingerprint(excerpt).passages.tolist()) & set(fingerprint(article).passages.tolist())
    assert candidate.passages == len(shared) >= 1
    assert found(index, random_text(rng, 20_000) + article[:200] + random_text(rng, 20_000)) == [1]


@pytest.mark.parametrize(("holders", "leads"), [(MAX_PASSAGE_POSTINGS - 1, True), (MAX_PASSAGE_POSTINGS, False)])
def test_crowded_passages_lead_nowhere(rng: random.Random, holders: int, leads: bool) -> None:
    """A passage held by 50 documents is boilerplate: it makes no candidate and counts for none."""
    index = CorpusIndex()
    chrome = np.array([12345], np.uint64)
    texts = [random_text(rng, 600) for _ in range(holders)]
    for row, text in enumerate(texts):
        own = entry(row, text)
        index.add(own._replace(passages=np.append(own.passages, chrome)), visible=True)
    stranger = dataclasses.replace(fingerprint(random_text(rng, 600)), passages=chrome)
    assert len(similar(index, stranger, limit=100, pending=False)) == (holders if leads else 0)
    member = fingerprint(texts[0])
    member = dataclasses.replace(member, passages=np.append(chrome, member.passages))
    best = similar(index, member, limit=100, pending=False)[0]
    assert (best.row, best.passages) == (0, member.passages.size - (0 if leads else 1))


def test_the_window_hides_what_is_older(rng: random.Random) -> None:
    """No candidate was published before `earliest`; at it is not before it."""
    index = CorpusIndex()
    text = random_text(rng, 500)
    for day in range(-3, 4):
        index.add(entry(day, text + random_text(rng, 10), day * MICROS_A_DAY), visible=True)
    assert sorted(found(index, text, earliest=-(10**18))) == list(range(-3, 4))
    assert sorted(found(index, text, earliest=MICROS_A_DAY)) == [1, 2, 3]
    assert found(index, text, earliest=4 * MICROS_A_DAY) == []


def test_digests_are_compared_whole(rng: random.Random) -> None:
    """Digests that agree in the eight bytes the table is keyed by, and differ in the rest, are different."""
    index = CorpusIndex()
    one = entry(1, random_text(rng, 100))
    other = one.digest[:8] + bytes(8)
    index.add(one, visible=True)
    assert index.exact(one.digest, pending=False) == 1
    assert index.exact(other, pending=False) is None
    index.add(one._replace(row=2, digest=other), visible=True)
    assert [index.exact(digest, pending=False) for digest in (one.digest, other)] == [1, 2]


@pytest.mark.parametrize("letters", [0, 1, MIN_LETTERS - 1, MIN_LETTERS])
def test_short_texts_match_exactly_or_not_at_all(rng: random.Random, letters: int) -> None:
    """Texts with fewer than 8 shingles are candidates for nobody, and have none."""
    index = CorpusIndex()
    text = random_text(rng, letters)
    index.add(entry(1, text), visible=True)
    assert index.exact(fingerprint(text).digest_bytes, pending=False) == 1
    assert found(index, text) == ([1] if letters >= MIN_LETTERS else [])


def test_real_articles_find_themselves_first() -> None:
    """Each of some hundred real articles is its own best candidate, and the tables stay small."""
    index = CorpusIndex()
    texts = {
        row: text for row, text in enumerate(dict.fromkeys(real_bodies(400))) if fingerprint(text).letters.size > 99
    }
    for row, text in texts.items():
        index.add(entry(row, text), visible=True)
    digests = {row: fingerprint(text).digest_bytes for row, text in texts.items()}
    for row, text in texts.items():
        first = similar(index, fingerprint(text), limit=20, pending=False)[0]
        assert first.estimate == 1
        assert digests[first.row] == digests[row]
    assert index.memory_bytes < 3 << 20


@pytest.mark.parametrize("expected", [0, 200, 5000, 100_000])
def test_loading_many_is_entering_each(rng: random.Random, expected: int) -> None:
    """However many documents were expected, and given as bytes or as arrays, the tables are those of single entries."""
    entries = [entry(row, random_text(rng, rng.choice((5, 40, 200))), published=row) for row in range(1, 2500)]
    one_by_one, loaded = CorpusIndex(), CorpusIndex()
    for one in entries:
        one_by_one.add(one, visible=True)
    as_bytes = (one._replace(signature=bytes(one.signature), passages=bytes(one.passages)) for one in entries)
    loaded.load(as_bytes, expected)
    wanted, given = one_by_one.listing(), loaded.listing()
    assert wanted.keys() == given.keys()
    assert all(np.array_equal(wanted[name], given[name]) for name in wanted)
    some = entries[1234]
    assert loaded.remove(some._replace(signature=bytes(some.signature), passages=bytes(some.passages)))
    assert not loaded.holds(some.row, some.digest)


class CorpusIndexMachine(RuleBasedStateMachine):
    """Adds, publications, removals and queries over related texts, against sets of keys kept beside."""

    @initialize(seed=st.integers(0, 2**16))
    def start(self, seed: int) -> None:
        """Begin empty, with a pool of texts that share halves, so that many are candidates of each other."""
        rng = random.Random(seed)
        halves = [random_text(rng, 150) for _ in range(6)]
        self.prints = [fingerprint(a + b) for a in halves for b in halves]
        self.index = CorpusIndex()
        self.looked_up: tuple[list[Query], Lookup] | None = None
        self.rows = count(1)
        self.model: dict[int, tuple[Fingerprint, bool, int]] = {}

    def entry_of(self, row: int) -> Entry:
        """Return the entry that a row was added with."""
        own, _, published = self.model[row]
        return Entry(row, own.digest_bytes, own.signature, own.passages, own.letters.size, published)

    @precondition(lambda self: len(self.model) < MAX_PASSAGE_POSTINGS - 1)
    @rule(which=st.integers(0, 35), visible=st.booleans(), published=st.integers(-3, 3))
    def add(self, which: int, visible: bool, published: int) -> None:
        """A document enters, the same text as another perhaps."""
        row = next(self.rows)
        self.model[row] = (self.prints[which], visible, published)
        self.index.add(self.entry_of(row), visible=visible)

    @rule()
    def publish(self) -> None:
        """A group commit makes all of them visible."""
        self.index.publish()
        self.model = {row: (own, True, published) for row, (own, _, published) in self.model.items()}

    @rule(which=st.lists(st.integers(0, 35), min_size=1, max_size=8))
    def look_up(self, which: list[int]) -> None:
        """A caller looks several texts up."""
        queries = [Query(self.prints[number], "") for number in which]
        self.looked_up = queries, self.index.lookup(queries, Reach(1000))

    @precondition(lambda self: self.looked_up)
    @rule()
    def rely_on_it(self) -> None:
        """What is not said to be outdated since is what another lookup would say."""
        queries, lookup = self.looked_up
        flags, may_find_less = self.index.is_outdated(lookup)
        if not may_find_less:
            again, _ = self.index.find(Texts.of(queries), Reach(1000), pending=True)
            for flag, before, now in zip(flags, lookup.candidates, again, strict=True):
                assert flag or before == now

    @rule()
    def reload(self) -> None:
        """All made visible, dumped and restored, it is the same index."""
        self.publish()
        self.index = CorpusIndex.restored(self.index.dump())
        self.looked_up = None

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """A document leaves."""
        row = data.draw(st.sampled_from(sorted(self.model)))
        assert self.index.remove(self.entry_of(row)) == self.model[row][1]
        del self.model[row]

    @rule(which=st.integers(0, 35), pending=st.booleans(), earliest=st.integers(-3, 4))
    def query(self, which: int, pending: bool, earliest: int) -> None:
        """Candidates are the live documents that share a band or a passage, with their number of shared passages."""
        wanted = self.prints[which]
        expected, exact = {}, set()
        for row, (own, visible, published) in self.model.items():
            if not (visible or pending):
                continue
            if own.digest == wanted.digest:
                exact.add(row)
            if published < earliest:
                continue
            passages = np.intersect1d(own.passages, wanted.passages).size
            if passages or (band_keys(own.signature) == band_keys(wanted.signature)).any():
                expected[row] = passages
        candidates = similar(self.index, wanted, limit=1000, pending=pending, earliest=earliest)
        assert {candidate.row: candidate.passages for candidate in candidates} == expected
        assert len(candidates) == len(expected)
        assert self.index.exact(wanted.digest_bytes, pending=pending) in (exact or {None})

    @invariant()
    def lengths_agree(self) -> None:
        """It holds the rows that it should."""
        assert len(self.index) == len(self.model)
        assert all(self.index.holds(row, own.digest_bytes) for row, (own, _, _) in self.model.items())


CorpusIndexMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestCorpusIndex = CorpusIndexMachine.TestCase
