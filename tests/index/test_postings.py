"""The multimap behaves as a dictionary of lists, whatever the keys."""

from collections import defaultdict

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from baznashr_server.index.postings import FIRST_CAPACITY, PARTITIONS, Postings, find_kernel

CAP = 5

MIX = 0x9E3779B97F4A7C15
MASK = 2**64 - 1

# Keys that meet: few partitions, few homes, the last home so that probing wraps around, and bits that do not count.
hostile_keys = st.builds(
    lambda high, ignored, low: (high << 32 | ignored << 8 | low * MIX & 0xFF) * pow(MIX, -1, 2**64) & MASK,
    st.sampled_from([0, 1, 2, 2**31, 2**32 - 2, 2**32 - 1]) | st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.sampled_from([0, 1, 255]),
)
key_lists = st.lists(hostile_keys | st.integers(0, 2**64 - 1), max_size=40, unique=True)


def identity(key: int) -> tuple[int, int]:
    """Return what the multimap can tell of a key: its partition and the upper 32 bits of its product."""
    return key & 0xFF, (key * MIX & MASK) >> 32


def insert(postings: Postings, keys: NDArray[np.uint64], slot: int) -> None:
    """Add one document's keys."""
    postings.insert(keys, np.full(keys.size, slot))


class PostingsMachine(RuleBasedStateMachine):
    """Insert, remove and find against a dictionary, through growth."""

    @initialize()
    def start(self) -> None:
        """Begin with nothing."""
        self.postings = Postings(CAP)
        self.model: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.keys: dict[int, list[int]] = {}
        self.drops = 0
        self.next_slot = 0

    def insert(self, keys: list[int]) -> None:
        """Add a new slot to both."""
        slot = self.next_slot
        self.next_slot += 1
        self.keys[slot] = keys
        for key in keys:
            if len(self.model[identity(key)]) < CAP:
                self.model[identity(key)].append(slot)
            else:
                self.drops += 1
        insert(self.postings, np.array(keys, np.uint64), slot)

    @rule(keys=key_lists)
    def insert_hostile(self, keys: list[int]) -> None:
        """A document whose keys collide on purpose."""
        self.insert(keys)

    @rule(seed=st.integers(0, 2**32), documents=st.integers(1, 60))
    def insert_ordinary(self, seed: int, documents: int) -> None:
        """Documents with evenly spread keys, enough of them to start growth and to go through it."""
        rng = np.random.default_rng(seed)
        for _ in range(documents):
            self.insert(rng.integers(0, 2**64, 60, dtype=np.uint64).tolist())

    @rule(low=st.sampled_from([0, 9]), seed=st.integers(0, 2**16))
    def flood_one_partition(self, low: int, seed: int) -> None:
        """A document whose keys all fall into one partition, more than it has room for at first."""
        highs = np.random.default_rng(seed).choice(2**32, FIRST_CAPACITY + 10, replace=False)
        self.insert([int(high) << 32 | low for high in highs])

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Take out one document: as many entries go as it has."""
        slot = data.draw(st.sampled_from(sorted(self.keys)))
        held = 0
        keys = self.keys.pop(slot)
        for key in keys:
            if slot in self.model[identity(key)]:
                self.model[identity(key)].remove(slot)
                held += 1
        assert self.postings.remove(np.array(keys, np.uint64), slot) == held

    @rule()
    def reload(self) -> None:
        """Dumped and restored, in the middle of growth too, it is the same multimap."""
        arrays = self.postings.dump()
        self.postings = Postings(CAP)
        self.postings.restore(arrays)

    @rule(key=hostile_keys)
    def find_any(self, key: int) -> None:
        """A key, held or not, gives the slots of the dictionary."""
        assert sorted(self.postings.find(key).tolist()) == sorted(self.model[identity(key)])

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def find_held(self, data: st.DataObject) -> None:
        """All keys of one document give the slots of the dictionary."""
        for key in self.keys[data.draw(st.sampled_from(sorted(self.keys)))]:
            assert sorted(self.postings.find(key).tolist()) == sorted(self.model[identity(key)])

    @invariant()
    def sizes_agree(self) -> None:
        """As many entries, and as many drops, as the dictionary saw."""
        assert self.postings.entries == sum(map(len, self.model.values()))
        assert self.postings.drops == self.drops

    def teardown(self) -> None:
        """Every key ends as the dictionary has it, and removing all leaves empty arrays."""
        for key in {key for keys in self.keys.values() for key in keys}:
            assert sorted(self.postings.find(key).tolist()) == sorted(self.model[identity(key)])
        for slot, keys in self.keys.items():
            self.postings.remove(np.array(keys, np.uint64), slot)
        assert self.postings.entries == 0
        old, new, moved, _ = self.postings.arrays
        assert not new[moved].any()
        assert not old[~moved].any()


PostingsMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestPostings = PostingsMachine.TestCase


def test_found_through_all_of_a_growth() -> None:
    """While partitions move one by one, every key stays found, and an insertion moves few of them."""
    rng = np.random.default_rng(4)
    postings = Postings(64)
    keys = rng.integers(0, 2**64, (3000, 25), dtype=np.uint64)
    growths = checked = 0
    for slot, own in enumerate(keys):
        before = postings.arrays
        moved = int(before.moved.sum())
        insert(postings, own, slot)
        after = postings.arrays
        growths += after.new is not before.new
        if before.new.shape[1] > 64 and after.new is before.new:
            assert int(after.moved.sum()) - moved <= 1 + own.size
        if not after.moved.all() and slot % 5 == 0:
            for earlier in rng.choice(slot + 1, 5):
                assert all(earlier in postings.find(int(key)) for key in keys[earlier])
            checked += 1
    assert growths > 3
    assert checked > 50
    assert all(postings.find(int(key)).tolist() == [slot] for slot, own in enumerate(keys) for key in own)


def test_unknown_keys_find_nothing() -> None:
    """Keys that were never added give no slot: two in 2^40 would."""
    rng = np.random.default_rng(5)
    postings = Postings(64)
    for slot in range(1000):
        insert(postings, rng.integers(0, 2**64, 25, dtype=np.uint64), slot)
    assert not any(postings.find(int(key)).size for key in rng.integers(0, 2**64, 20_000, dtype=np.uint64))


def test_cap_drops_and_counts() -> None:
    """A key takes the first slots up to the cap; later ones are counted, and come in again once there is room."""
    postings = Postings(3)
    key = np.array([77], np.uint64)
    for slot in range(5):
        insert(postings, key, slot)
    assert postings.find(77).tolist() == [0, 1, 2]
    assert postings.drops == 2
    assert postings.remove(key, 4) == 0
    assert postings.remove(key, 1) == 1
    insert(postings, key, 9)
    assert sorted(postings.find(77).tolist()) == [0, 2, 9]


def test_a_full_output_is_not_overrun() -> None:
    """A lookup writes no further than its output reaches."""
    postings = Postings(10)
    for slot in range(10):
        insert(postings, np.array([5], np.uint64), slot)
    out = np.full(8, -1, np.int64)
    assert find_kernel(postings.arrays, np.uint64(5), out[:4], 1) == 4
    assert out.tolist() == [-1, 0, 1, 2, -1, -1, -1, -1]


def test_an_empty_table_is_small() -> None:
    """A table with nothing in it costs next to nothing, the first document 64 KiB; empty tables stay apart."""
    used, unused = Postings(64), Postings(64)
    assert unused.memory_bytes < 4096
    insert(used, np.array([5], np.uint64), 3)
    assert used.memory_bytes == PARTITIONS * FIRST_CAPACITY * 8 == 64 * 1024
    assert used.find(5).tolist() == [3]
    assert unused.find(5).tolist() == []
    assert unused.remove(np.array([5], np.uint64), 3) == 0
