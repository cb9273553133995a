"""Which keys came lately: spares the writer a second lookup where nothing that came since the first could match.

A caller looks up its texts among what is durable; what comes before the writer reaches them is not in that answer.
Each document entered is given a number, and the keys of the latest are kept with it: a text none of whose keys was
entered after its lookup would be answered the same again. Keys are kept in two generations of open addressing; when
the newer is half full it becomes the older, and what the older held counts as fresh for whoever looked up before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel

FIRST_PLACES = 1 << 10
NO_KEYS = np.empty(0, np.uint64)
MAX_PLACES = 1 << 18
"""Of a generation: its half holds the keys of 1,500 documents, three groups of the writer."""


@kernel
def _home(key, places):  # type: ignore[no-untyped-def]
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & (places - 1)


@kernel
def _record(keys, numbers, added, added_numbers):  # type: ignore[no-untyped-def]
    """Keep the keys added[:] with the numbers of their documents; return how many are new."""
    new = 0
    for k in range(added.size):
        at = _home(added[k], keys.size)
        while numbers[at] != 0 and keys[at] != added[k]:
            at = (at + 1) & (keys.size - 1)
        new += numbers[at] == 0
        keys[at] = added[k]
        numbers[at] = added_numbers[k]
    return new


@kernel
def _newest(keys, numbers, key):  # type: ignore[no-untyped-def]
    """Return the number of the newest document with *key*; 0 for none."""
    at = _home(key, keys.size)
    while numbers[at] != 0 and keys[at] != key:
        at = (at + 1) & (keys.size - 1)
    return numbers[at]


@kernel
def _is_in(used, own, key):  # type: ignore[no-untyped-def]
    at = _home(key, own.size)
    while used[at] and own[at] != key:
        at = (at + 1) & (own.size - 1)
    return used[at]


@kernel
def _is_fresh(generations, key, since):  # type: ignore[no-untyped-def]
    newer, newer_numbers, older, older_numbers = generations
    return _newest(newer, newer_numbers, key) > since or _newest(older, older_numbers, key) > since


@kernel
def _flag(generations, keys, tested, ends, watched, watched_ends, since, newest):  # type: ignore[no-untyped-def]
    """Return bool[n]: texts with a tested or watched key of a document after *since*, or of an earlier one of these."""
    flags = np.zeros(ends.size, np.bool_)
    size = 16
    while size < 2 * keys.size:
        size *= 2
    own = np.zeros(size, np.uint64)
    used = np.zeros(size, np.bool_)
    start, first = 0, 0
    for t in range(ends.size):
        for k in range(start, ends[t]):
            flags[t] = flags[t] or (tested[k] and _is_in(used, own, keys[k]))
        for k in range(start, ends[t]):
            if flags[t] or newest == since:
                break
            flags[t] = tested[k] and _is_fresh(generations, keys[k], since)
        for k in range(first, watched_ends[t]):
            flags[t] = flags[t] or _is_fresh(generations, watched[k], since) or _is_in(used, own, watched[k])
        for k in range(start, ends[t]):
            at = _home(keys[k], size)
            while used[at] and own[at] != keys[k]:
                at = (at + 1) & (size - 1)
            used[at] = True
            own[at] = keys[k]
        start, first = ends[t], watched_ends[t]
    return flags


class FreshKeys:
    """The keys of the latest documents. Not thread-safe: the corpus index locks around it."""

    def __init__(self) -> None:
        self.newest = 0
        """The number of the document entered last."""
        self._clear(FIRST_PLACES)
        self._older, self._older_numbers = self._keys, self._numbers
        self._known_since = self._newer_since = 0
        """All keys of the documents after `_known_since` are in one of the generations, after `_newer_since` in the
        newer one."""

    def _clear(self, places: int) -> None:
        self._keys = np.zeros(places, np.uint64)
        self._numbers = np.zeros(places, np.int64)
        self._used = 0

    def take_numbers(self, count: int) -> NDArray[np.int64]:
        """Return numbers for *count* documents more, int64[count], ascending."""
        self.newest += count
        return np.arange(self.newest - count + 1, self.newest + 1)

    def record(self, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> None:
        """Keep *keys*, uint64[k], of the documents with *numbers*, int64[k], taken just before."""
        if 2 * (self._used + keys.size) > self._keys.size:
            self._older, self._older_numbers = self._keys, self._numbers
            self._known_since, self._newer_since = self._newer_since, self.newest
            places = min(MAX_PLACES, 2 * self._keys.size)
            while places < 2 * keys.size:
                places *= 2
            self._clear(places)
        self._used += _record(self._keys, self._numbers, keys, numbers)

    def flags(
        self,
        keys: NDArray[np.uint64],
        tested: NDArray[np.bool_],
        ends: NDArray[np.int64],
        since: int,
        watched: Sequence[Sequence[NDArray[np.uint64]]] = (),
    ) -> NDArray[np.bool_]:
        """Return bool[n]: texts that share a key with a document numbered after *since* or with an earlier one of them.

        Args:
            keys: uint64[k], those of text i at ends[i-1]:ends[i].
            tested: bool[k], the keys that count for the text they belong to; the others only for those after it.
            watched: Of each text, keys that count for it too, and are not its own; none for no text where left out.
        """
        if since < self._known_since:
            return np.ones(ends.size, np.bool_)
        generations = (self._keys, self._numbers, self._older, self._older_numbers)
        others = [array for arrays in watched for array in arrays]
        other_keys = np.concatenate(others) if others else NO_KEYS
        other_ends = np.zeros(ends.size, np.int64)
        if others:
            np.cumsum([sum(array.size for array in arrays) for arrays in watched], out=other_ends)
        flags: NDArray[np.bool_] = _flag(generations, keys, tested, ends, other_keys, other_ends, since, self.newest)
        return flags

    @property
    def memory_bytes(self) -> int:
        arrays = {id(a): a.nbytes for a in (self._keys, self._numbers, self._older, self._older_numbers)}
        return sum(arrays.values())
