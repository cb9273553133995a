"""The canonical form `fa-1`: letters and digits only, every spelling of a word alike, with offsets back.

The mapping of a code point does not depend on its neighbours, which makes the form cheap, total (lone surrogates
vanish) and invariant under whatever only moves spaces, marks and punctuation. The table is data, `fa1.tsv`, written by
`tooling/build_canonical_table.py`; it is part of the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

CODE_SPACE = 0x110000
EXPANDS = 0x80000000
"""Set in a table entry that is the position of an expansion, its length first."""

HANGUL_FIRST, HANGUL_LAST = 0xAC00, 0xD7A3


class Table(NamedTuple):
    single: U32
    """uint32[0x110000]: 0 where the code point is dropped, its letter, or EXPANDS plus a position in `expansions`."""
    expansions: U32
    """uint32[*]: for each expansion its length, then its letters."""


class Canonical(NamedTuple):
    letters: U32
    """uint32[m], canonical code points."""
    offsets: U32
    """uint32[m], ascending: the position in the original text that each letter came from, in code points."""

    def text(self) -> str:
        return self.letters.astype("<u4").tobytes().decode("utf-32-le")


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalTexts:
    """The canonical forms of n texts in shared arrays: that of text t is `letters[starts[t]:starts[t] + sizes[t]]`."""

    codes: U32
    """uint32[c]: the code points of all texts, one after the other."""
    code_starts: I64
    """int64[n+1]: where the code points of each text start, and where the last one's end."""
    letters: U32
    offsets: U32
    """The position in its own text that each letter came from, in code points."""
    starts: I64
    """int64[n]"""
    sizes: I64
    """int64[n]: letters of each."""

    def of(self, t: int) -> Canonical:
        """Return the canonical form of text *t*, as views."""
        start = int(self.starts[t])
        end = start + int(self.sizes[t])
        return Canonical(self.letters[start:end], self.offsets[start:end])

    def split(self, n: int) -> tuple[CanonicalTexts, CanonicalTexts]:
        """Return the first *n* texts and the others, as views."""
        first = CanonicalTexts(
            self.codes, self.code_starts[: n + 1], self.letters, self.offsets, self.starts[:n], self.sizes[:n]
        )
        others = CanonicalTexts(
            self.codes, self.code_starts[n:], self.letters, self.offsets, self.starts[n:], self.sizes[n:]
        )
        return first, others


def _jamo() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Decompose all Hangul syllables as the Unicode Standard, section 3.12, does.

    Returns:
        Where the expansion of each begins, int64[n], and the expansions, each its number of letters before them.
    """
    index = np.arange(HANGUL_LAST + 1 - HANGUL_FIRST)
    has_trail = index % 28 != 0
    starts = np.cumsum(3 + has_trail) - (3 + has_trail)
    expansions = np.empty(starts[-1] + 3 + has_trail[-1], np.int64)
    expansions[starts] = 2 + has_trail
    expansions[starts + 1] = 0x1100 + index // 588
    expansions[starts + 2] = 0x1161 + index % 588 // 28
    expansions[starts[has_trail] + 3] = 0x11A7 + index[has_trail] % 28
    return starts, expansions


@cache
def table() -> Table:
    """Load the table of `fa-1`."""
    single = np.zeros(CODE_SPACE, np.uint32)
    expansions: list[int] = []

    def expand(code: int, letters: list[int]) -> None:
        single[code] = EXPANDS + len(expansions)
        expansions.extend([len(letters), *letters])

    for line in files(__package__).joinpath("fa1.tsv").read_text(encoding="ascii").splitlines()[1:]:
        first, last, *letters = (int(field, 16) for field in line.split())
        if len(letters) == 1:
            single[first : last + 1] = np.arange(letters[0], letters[0] + last - first + 1, dtype=np.uint32)
        else:
            expand(first, letters)
    starts, jamo = _jamo()
    single[HANGUL_FIRST : HANGUL_LAST + 1] = EXPANDS + len(expansions) + starts
    return Table(single, np.concatenate((expansions, jamo)).astype(np.uint32))


@kernel
def canonical_kernel(codes, single, expansions, letters, offsets):  # type: ignore[no-untyped-def]
    """Write the canonical letters of *codes* and return how many there are; beyond the arrays' size it only counts.

    Both arrays must have at least the size of *codes*: up to the first expansion the letters written never outrun the
    code points read, and the loop needs neither bounds nor branches.
    """
    count = 0
    first = codes.size
    for i in range(codes.size):
        entry = single[codes[i]]
        if entry >= np.uint32(EXPANDS):
            first = i
            break
        letters[count] = entry
        offsets[count] = i
        count += entry != 0
    room = letters.size
    for i in range(first, codes.size):
        entry = single[codes[i]]
        if np.uint32(0) < entry < np.uint32(EXPANDS):
            if count < room:
                letters[count] = entry
                offsets[count] = i
            count += 1
        elif entry >= np.uint32(EXPANDS):
            at = entry - np.uint32(EXPANDS)
            for k in range(expansions[at]):
                if count < room:
                    letters[count] = expansions[at + np.uint32(1 + k)]
                    offsets[count] = i
                count += 1
    return count


@kernel
def _canonicalise_each(codes, code_starts, single, expansions, starts, letters, offsets, sizes):  # type: ignore[no-untyped-def]
    """Write the canonical form of each text to its place, and its size; return whether each had room."""
    fits = True
    for t in range(sizes.size):
        begin, end = starts[t], starts[t + 1]
        text = codes[code_starts[t] : code_starts[t + 1]]
        sizes[t] = canonical_kernel(text, single, expansions, letters[begin:end], offsets[begin:end])
        fits = fits and sizes[t] <= end - begin
    return fits


def code_points(text: str) -> U32:
    """Return the code points of *text* as uint32[n], lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@kernel
def canonicalise_kernel(codes, table):  # type: ignore[no-untyped-def]
    """Return the canonical letters of *codes* and their offsets, uint32[m] each."""
    room = codes.size
    while True:
        letters, offsets = np.empty(room, np.uint32), np.empty(room, np.uint32)
        count = canonical_kernel(codes, table.single, table.expansions, letters, offsets)
        if count <= room:
            return letters[:count], offsets[:count]
        room = count


def canonicalise(text: str) -> Canonical:
    """Return the canonical letters of *text* with their offsets. Total: any `str` has a canonical form."""
    return Canonical(*canonicalise_kernel(code_points(text), table()))


def canonicalise_all(texts: Sequence[str]) -> CanonicalTexts:
    """Return the canonical forms of *texts*, by one call of compiled code."""
    codes = code_points("".join(texts))
    code_starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=code_starts[1:])
    starts, sizes = code_starts, np.empty(len(texts), np.int64)
    while True:
        letters, offsets = np.empty(starts[-1], np.uint32), np.empty(starts[-1], np.uint32)
        if _canonicalise_each(codes, code_starts, *table(), starts, letters, offsets, sizes):
            return CanonicalTexts(codes, code_starts, letters, offsets, starts[:-1], sizes)
        rooms = np.maximum(sizes, np.diff(starts))
        starts = np.concatenate(([0], np.cumsum(rooms)))
