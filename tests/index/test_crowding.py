"""The scan for boilerplate finds what asking for each passage finds."""

import random
from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from baznashr_server.index.columns import Entry
from baznashr_server.index.corpus_index import MAX_PASSAGE_POSTINGS, MAX_SOURCE_POSTINGS, CorpusIndex
from baznashr_server.index.crowding import tags

SIGNATURE = np.zeros(128, np.uint32)


def entry(row: int, passages: list[int], source: str) -> Entry:
    """Return a document that holds these passages."""
    return Entry(row, row.to_bytes(16), SIGNATURE + np.uint32(row), np.array(passages, np.uint64), 900, 0, source)


def tag(passage: int) -> int:
    """Return what the table knows a passage by."""
    return int(tags(np.array([passage], np.uint64))[0])


def expected(documents: dict[int, Entry]) -> list[tuple[int, int, int, bool]]:
    """Return what is boilerplate by counting, as (tag, documents, row, of a source), in the order of the answer."""
    holders = defaultdict(list)
    for row in sorted(documents):
        for passage in documents[row].passages.tolist():
            holders[passage].append((row, documents[row].source))
    found = []
    for passage, held in holders.items():
        if len(held) >= MAX_PASSAGE_POSTINGS:
            found.append((tag(passage), len(held), held[0][0], False))
            continue
        for source, count in Counter(source for _, source in held if source).items():
            if count >= MAX_SOURCE_POSTINGS:
                found.append((tag(passage), count, next(row for row, of in held if of == source), True))
    return sorted(found, key=lambda one: (-one[1], one[2], one[0]))


def listed(index: CorpusIndex, limit: int = 10_000) -> list[tuple[int, int, int, bool]]:
    """Return what the scan finds, in the same form."""
    return list(zip(*(array.tolist() for array in index.crowded_passages(limit)), strict=True))


def is_boilerplate(documents: dict[int, Entry], passage: int, source: str) -> bool:
    """Return by counting whether too many hold a passage, of all or of one source."""
    sources = [one.source for one in documents.values() if passage in one.passages.tolist()]
    return len(sources) >= MAX_PASSAGE_POSTINGS or (source != "" and sources.count(source) >= MAX_SOURCE_POSTINGS)


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 12]), st.sampled_from([40, 200]))
def test_the_scan_finds_what_counting_finds(rng: random.Random, sources: int, documents: int) -> None:
    """For any documents, also after removals and while the table grows, each boilerplate passage is listed once."""
    index = CorpusIndex()
    stored: dict[int, Entry] = {}
    # Small numbers, whose low bytes are few partitions, make long runs and wrap around.
    shared = [rng.choice([n, n << 40 | n]) for n in range(1, 30)]
    for row in range(1, documents):
        passages = {*rng.sample(shared, rng.randrange(6)), *(rng.randrange(1 << 64) for _ in range(5))}
        stored[row] = entry(row, sorted(passages), rng.choice(["", *(f"s{n}" for n in range(sources))]))
    full = {p for p, n in Counter(p for e in stored.values() for p in e.passages.tolist()).items() if n > 50}
    for row, one in stored.items():  # what a full key leaves out is not to be counted
        kept = [passage for passage in one.passages.tolist() if passage not in full]
        stored[row] = one._replace(passages=np.array(kept, np.uint64))
        index.add(stored[row], visible=True)
    for row in rng.sample(sorted(stored), documents // 5):
        index.remove(stored.pop(row))
    assert listed(index) == expected(stored)
    assert listed(index, 3) == expected(stored)[:3]
    for source in ("", "s0"):
        asked = [*rng.sample(shared, 12), rng.randrange(1 << 64), *rng.sample(shared, 12)]
        flags = [is_boilerplate(stored, passage, source) for passage in asked]
        edges = [next((n for n, flag in enumerate(side) if not flag), len(side)) for side in (flags, flags[::-1])]
        one = np.array(asked, np.uint64), source
        few = np.array(asked[:1], np.uint64), source
        assert index.boilerplate_edges([few, one])[1] == edges
    assert index.boilerplate_passages == len(expected(stored))


def test_no_more_is_counted_than_the_table_keeps() -> None:
    """A passage of the whole corpus is listed with the most documents that the table keeps under one."""
    index = CorpusIndex()
    for row in range(1, 90):
        index.add(entry(row, [7, 1000 + row], f"s{row}"), visible=True)
    assert listed(index) == [(tag(7), MAX_PASSAGE_POSTINGS, 1, False)]


def test_the_count_follows_within_a_hundredth() -> None:
    """Few changes among many documents are not counted at once; a hundredth of them is."""
    index = CorpusIndex()
    for row in range(1, 1001):
        index.add(entry(row, [row], "s"), visible=True)
    assert index.boilerplate_passages == 0
    for row in range(1001, 1001 + MAX_SOURCE_POSTINGS):
        index.add(entry(row, [10**6], "s"), visible=True)
    assert index.boilerplate_passages == 0
    for row in range(2000, 2008):
        index.add(entry(row, [row], "s"), visible=True)
    assert index.boilerplate_passages == 1


def test_an_empty_corpus_has_none() -> None:
    """Nothing is listed and nothing allocated for a corpus without documents."""
    index = CorpusIndex()
    before = index.memory_bytes
    assert (listed(index), index.boilerplate_passages, index.memory_bytes) == ([], 0, before)
