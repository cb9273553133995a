"""A text made ready for comparison: its own letters only, without the site's lines and without second copies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.align import ShingleTable, distinct_kernel, shingle_letters, shingle_table
from baznashr_server.judge.chrome import chrome_mask
from baznashr_server.judge.repetition import Copy
from baznashr_server.sketch.passages import winnow
from baznashr_server.text.canonical import Canonical, canonicalise, code_points
from baznashr_server.text.numbers import PlacedNumbers, placed_numbers


@dataclass(eq=False)
class Body:
    """What is compared. Kept by the engine for as long as its cache holds it."""

    text: str
    letters: NDArray[np.uint32]
    """uint32[m]"""
    offsets: NDArray[np.uint32]
    """uint32[m]: in code points of `text`."""
    shingles: NDArray[np.uint32]
    """uint32[max(0, m-7)], in text order."""
    title: str = ""
    source: str = ""

    @cached_property
    def table(self) -> ShingleTable:
        return shingle_table(self.shingles)

    @cached_property
    def passages(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The winnowed passages of the body's letters, repeats included, and where each starts: both [p], ascending."""
        return winnow(self.letters)

    @cached_property
    def distinct(self) -> int:
        """Number of distinct shingles."""
        return int(distinct_kernel(self.shingles))

    @cached_property
    def title_shingles(self) -> NDArray[np.uint32]:
        """Distinct, ascending."""
        return np.unique(shingle_letters(canonicalise(self.title).letters))

    @cached_property
    def numbers(self) -> PlacedNumbers:
        return placed_numbers(code_points(self.text), self.offsets)

    def position(self, letter: int) -> int:
        """Return where a letter came from, in code points of the text."""
        return int(self.offsets[letter])

    @property
    def memory_bytes(self) -> int:
        """An estimate that counts the table as built."""
        return 2 * len(self.text) + 24 * self.letters.size + 512


def prepare(
    text: str, canonical: Canonical | None = None, copies: tuple[Copy, ...] = (), *, title: str = "", source: str = ""
) -> Body:
    """Make *text* ready. Pass its canonical form and second copies where they are at hand already."""
    canonical = canonical or canonicalise(text)
    letters, offsets = canonical
    shingles = shingle_letters(letters)
    dropped = chrome_mask(text, canonical, shingles)
    if copies:
        dropped = np.zeros(letters.size, np.bool_) if dropped is None else dropped
        for copy in copies:
            dropped[copy.start : copy.end] = True
    if dropped is not None:
        letters, offsets = letters[~dropped], offsets[~dropped]
        shingles = shingle_letters(letters)
    return Body(text, letters, offsets, shingles, title, source)
