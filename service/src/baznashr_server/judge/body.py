"""A text made ready for comparison: its own letters only, without the site's lines and without second copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Span
from baznashr_server.judge.align import ShingleTable, distinct_kernel, shingle_letters, shingle_table
from baznashr_server.judge.chrome import chrome_kernel, find_phrases, phrases
from baznashr_server.kernel import kernel
from baznashr_server.sketch.passages import winnow
from baznashr_server.text.canonical import canonicalise, canonicalise_kernel, code_points, table
from baznashr_server.text.numbers import PlacedNumbers, placed_numbers

CONTEXT = 30
"""Code points to both sides of a number that are shown with it."""


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
    _around: dict[int, str] = field(default_factory=dict)
    """Of numbers looked at: a recurring report is held against many others by the same ones."""

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
        """In the title's order."""
        return shingle_letters(canonicalise(self.title).letters)

    @cached_property
    def numbers(self) -> PlacedNumbers:
        return placed_numbers(code_points(self.text), self.offsets)

    def numbers_at(self, places: NDArray[np.int64]) -> list[str]:
        """Return those of `numbers` at *places* there, int64[k], as the text writes them."""
        starts, ends = self.numbers.text_starts[places], self.numbers.text_ends[places]
        return [self.text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def around(self, place: int) -> str:
        """Return the number at *place* with the words around, on one line."""
        found = self._around.get(place)
        if found is None:
            start, end = int(self.numbers.text_starts[place]), int(self.numbers.text_ends[place])
            found = self._around[place] = " ".join(self.text[max(0, start - CONTEXT) : end + CONTEXT].split())
        return found

    def drop_table(self) -> None:
        """Let go of what only a text that is being judged needs, and which takes more room than all else."""
        self.__dict__.pop("table", None)


@kernel
def _own_letters(codes, copies, table, phrases):  # type: ignore[no-untyped-def]
    """Return the letters of a text that are compared, with their offsets and shingles.

    Args:
        codes: uint32[c], the text.
        copies: int64[k, 2], where second copies start and end in it.
        table: Of the canonical form.
        phrases: Of sites.
    """
    letters, offsets = canonicalise_kernel(codes, table)
    shingles = shingle_letters(letters)
    found = find_phrases(letters, shingles, phrases)
    if found.shape[0] + copies.shape[0]:
        dropped = np.zeros(letters.size, np.bool_)
        chrome_kernel(codes, letters, offsets, found, dropped)
        for c in range(copies.shape[0]):
            dropped[np.searchsorted(offsets, copies[c, 0]) : np.searchsorted(offsets, copies[c, 1])] = True
        if dropped.any():
            letters, offsets = letters[~dropped], offsets[~dropped]
            shingles = shingle_letters(letters)
    return letters, offsets, shingles


def prepare(text: str, copies: Sequence[Span] = (), *, title: str = "", source: str = "") -> Body:
    """Make *text* ready, without its second *copies*."""
    spans = np.array([(span.start, span.end) for span in copies], np.int64).reshape(-1, 2)
    letters, offsets, shingles = _own_letters(code_points(text), spans, table(), phrases())
    return Body(text, letters, offsets, shingles, title, source)
