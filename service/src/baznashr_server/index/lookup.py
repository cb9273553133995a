"""What is asked of the tables, and what they answer: many texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from baznashr_server.index.bands import band_keys_of_each
from baznashr_server.index.columns import source_key
from baznashr_server.kernel import kernel
from baznashr_server.sketch.fingerprint import Sketch


class Candidate(NamedTuple):
    row: int
    time: int
    """Its publish time, in microseconds since 1970, UTC."""
    estimate: float
    """Jaccard similarity as the signatures' low bytes tell it; its standard error is below 0.05."""
    passages: int
    """Fingerprints in common that are not boilerplate."""


NO_TIME = np.iinfo(np.int64).min


class Reach(NamedTuple):
    """Which documents may be found."""

    limit: int
    """How many for one text."""
    earliest: int = NO_TIME
    """Their least publish time."""
    earliest_similar: int = NO_TIME
    """The same for those of another text."""


class Query(NamedTuple):
    sketch: Sketch
    source: str


class Texts(NamedTuple):
    """What the kernel looks up, of n texts."""

    signatures: NDArray[np.uint32]
    digests: NDArray[np.uint64]
    band_keys: NDArray[np.uint64]
    passages: NDArray[np.uint64]
    ends: NDArray[np.int64]
    letters: NDArray[np.int64]
    sources: NDArray[np.int64]

    @classmethod
    def of(cls, queries: Sequence[Query]) -> Self:
        made = [query.sketch for query in queries]
        signatures = np.array([one.signature for one in made])
        return cls(
            signatures,
            np.frombuffer(b"".join(one.digest_bytes for one in made), np.uint64).reshape(-1, 2),
            band_keys_of_each(signatures),
            np.concatenate([one.passages for one in made]),
            np.cumsum([one.passages.size for one in made]),
            np.array([one.size for one in made]),
            np.array([source_key(query.source) for query in queries]),
        )

    def part(self, first: int, end: int) -> tuple[Texts, int, int]:
        """Return some of the texts, and where their passages start and end among all."""
        start = int(self.ends[first - 1]) if first else 0
        ends = self.ends[first:end]
        some = Texts(
            self.signatures[first:end],
            self.digests[first:end],
            self.band_keys[first:end],
            self.passages[start : ends[-1]],
            ends - start,
            self.letters[first:end],
            self.sources[first:end],
        )
        return some, start, int(ends[-1])

    def keys(self, telling: NDArray[np.bool_]) -> tuple[NDArray[np.uint64], NDArray[np.bool_], NDArray[np.int64]]:
        """Return each text's digest key, band keys and passages in a row, which of them count, and where they end."""
        keys, tested, ends = _keys(self.digests, self.band_keys, self.passages, self.ends, telling)
        return keys, tested, ends


@kernel
def _keys(digests, band_keys, passages, ends, telling):  # type: ignore[no-untyped-def]
    n, bands = band_keys.shape
    keys = np.empty(passages.size + n * (bands + 1), np.uint64)
    tested = np.ones(keys.size, np.bool_)
    all_ends = np.empty(n, np.int64)
    at, start = 0, 0
    for t in range(n):
        keys[at] = digests[t, 0]
        keys[at + 1 : at + 1 + bands] = band_keys[t]
        at += 1 + bands
        for p in range(start, ends[t]):
            keys[at], tested[at] = passages[p], telling[p]
            at += 1
        start = ends[t]
        all_ends[t] = at
    return keys, tested, all_ends


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """What the tables said of several texts, and what it takes to see whether they would say the same again."""

    candidates: list[list[Candidate]]
    """By text; best first."""
    since: int
    """Documents entered later were not seen."""
    removals: int
    """Documents taken out before."""
    texts: Texts
    keys: NDArray[np.uint64]
    """uint64[k]: digest key, band keys and passages of each text."""
    tested: NDArray[np.bool_]
    """bool[k]: those by which another document could be found; not so passages that are boilerplate."""
    ends: NDArray[np.int64]
    """int64[n]: where the keys of each text end."""

    def is_telling(self, t: int) -> bool:
        """Whether no passage of text *t* is boilerplate."""
        return bool(self.tested[self.ends[t - 1] if t else 0 : self.ends[t]].all())
