"""Which of many texts may hold a headline twice, so that the search itself is spared for the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.align import same_letters
from baznashr_server.judge.repetition import HEAD_LINES, MAX_HEADLINE, MIN_HEADLINE
from baznashr_server.kernel import kernel
from baznashr_server.text.canonical import CanonicalTexts

NEWLINE = np.uint32(10)
LOOKED_AT = 2 * MIN_HEADLINE
"""Letters of a title that are looked for: time is then linear in the text, and few hold so many twice by chance."""


@kernel
def _doubles_a_line(codes, letters, offsets):  # type: ignore[no-untyped-def]
    """Whether one of the first lines with letters is as long as a headline and equals the line before it."""
    before, start, lines = 0, 0, 0
    at = 0
    for i in range(codes.size + 1):
        if i < codes.size and codes[i] != NEWLINE:
            continue
        while at < letters.size and offsets[at] < i:
            at += 1
        size = at - start
        if size == 0:
            continue
        if (
            MIN_HEADLINE <= size <= MAX_HEADLINE
            and start - before == size
            and same_letters(letters, before, letters, start, size)
        ):
            return True
        before, start = start, at
        lines += 1
        if lines > HEAD_LINES:
            break
    return False


@kernel
def _may_hold_twice(letters, title):  # type: ignore[no-untyped-def]
    """Whether *title*, as far as it is looked at, stands in *letters* twice."""
    found = 0
    if title.size < MIN_HEADLINE:
        return False
    size = min(title.size, LOOKED_AT)
    for i in range(letters.size - title.size + 1):
        if letters[i] == title[0] and letters[i + 1] == title[1]:
            found += same_letters(letters, i + 2, title, 2, size - 2)
        if found > 1:
            return True
    return False


@kernel
def _may_double(codes, code_starts, letters, offsets, starts, sizes, titles, title_starts, title_sizes):  # type: ignore[no-untyped-def]
    found = np.empty(sizes.size, np.bool_)
    for t in range(sizes.size):
        begin, end = starts[t], starts[t] + sizes[t]
        own = letters[begin:end]
        title = titles[title_starts[t] : title_starts[t] + title_sizes[t]]
        text = codes[code_starts[t] : code_starts[t + 1]]
        found[t] = _doubles_a_line(text, own, offsets[begin:end]) or _may_hold_twice(own, title)
    return found


def may_double(texts: CanonicalTexts, titles: CanonicalTexts) -> NDArray[np.bool_]:
    """Return bool[n]: the texts in which `find_repetition` may find a headline twice; in the others it finds none.

    Args:
        titles: The n headlines, empty where unknown.
    """
    own = (texts.codes, texts.code_starts, texts.letters, texts.offsets, texts.starts, texts.sizes)
    found: NDArray[np.bool_] = _may_double(*own, titles.letters, titles.starts, titles.sizes)
    return found
