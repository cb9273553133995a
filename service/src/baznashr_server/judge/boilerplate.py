"""Boilerplate a corpus has learned: headers and footers made of passages that too many of its stories hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.body import Body
from baznashr_server.sketch.passages import SIZE

MAX_SHARE = 0.5
"""Share of a text that may be boilerplate. A text with more is an issue of a recurring report, which the rules know."""


def least_own(letters: int) -> float:
    """Return how many letters of a text are left at least, whatever of it is boilerplate."""
    return (1 - MAX_SHARE) * letters


def boilerplate_mask(body: Body, header: int, footer: int) -> NDArray[np.bool_]:
    """Return bool[m], true for the letters of a learned header and footer; empty where there is neither.

    Args:
        header: How many of the body's passages are boilerplate from the first on. Between two successive ones, all is.
        footer: How many are from the last back.
    """
    passages, starts = body.passages
    size = body.letters.size
    first = min(size, int(starts[header - 1]) + SIZE) if header else 0
    last = int(starts[passages.size - footer]) if footer else size
    covered = size if last < first else first + size - last
    if covered == 0 or covered > MAX_SHARE * size:
        return np.empty(0, np.bool_)
    mask = np.zeros(size, np.bool_)
    mask[:first] = True
    mask[last:] = True
    return mask
