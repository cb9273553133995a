"""What is not called fresh was in nobody's keys since."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baznashr_server.index import fresh
from baznashr_server.index.fresh import FreshKeys

keys = st.integers(0, 40)
documents = st.lists(st.lists(keys, min_size=1, max_size=8), min_size=1, max_size=30)
texts = st.lists(st.lists(st.tuples(keys, st.booleans()), max_size=8), min_size=1, max_size=6)


@given(documents, texts, st.data())
def test_a_shared_key_is_never_missed(
    came: list[list[int]], asked: list[list[tuple[int, bool]]], data: st.DataObject
) -> None:
    """A text is flagged if it shares a tested or watched key with a later document or an earlier text.

    So it is through all generations.
    """
    known = FreshKeys()
    known._clear(fresh.FIRST_PLACES // 64)
    numbered = {}
    for own in came:
        numbers = known.take_numbers(1)
        known.record(np.array(own, np.uint64), np.repeat(numbers, len(own)))
        numbered[int(numbers[0])] = own
    since = data.draw(st.integers(0, known.newest))
    flat = [pair for text in asked for pair in text]
    ends = np.cumsum([len(text) for text in asked])
    watched = data.draw(st.lists(st.lists(keys, max_size=3), min_size=len(asked), max_size=len(asked)))
    flags = known.flags(
        np.array([key for key, _ in flat], np.uint64),
        np.array([tested for _, tested in flat], np.bool_),
        ends,
        since,
        [[np.array([key], np.uint64) for key in of_text] for of_text in watched],
    )
    seen = {key for number, own in numbered.items() if number > since for key in own}
    for text, others, flag in zip(asked, watched, flags.tolist(), strict=True):
        assert flag or not any(tested and key in seen for key, tested in [*text, *((key, True) for key in others)])
        seen |= {key for key, _ in text}


@given(documents)
def test_what_never_came_is_not_called_fresh(came: list[list[int]]) -> None:
    """While all documents are remembered, a text without any of their keys is not flagged."""
    known = FreshKeys()
    for own in came:
        known.record(np.array(own, np.uint64), np.repeat(known.take_numbers(1), len(own)))
    strangers = np.array([1000, 1001], np.uint64)
    assert not known.flags(strangers, np.ones(2, np.bool_), np.array([1, 2]), 0).any()
