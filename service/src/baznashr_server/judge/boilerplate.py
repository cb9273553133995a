"""Boilerplate a corpus has learned: headers and footers made of passages that too many of its stories hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.body import Body
from baznashr_server.kernel import kernel
from baznashr_server.sketch.passages import SIZE

MAX_SHARE = 0.5
"""Share of a text that may be boilerplate. A text with more is an issue of a recurring report, which the rules know."""


@kernel
def _mask(flags, starts, size):  # type: ignore[no-untyped-def]
    header, footer = 0, 0
    while header < flags.size and flags[header]:
        header += 1
    while footer < flags.size and flags[flags.size - 1 - footer]:
        footer += 1
    first, last = 0, size
    if header:
        first = min(size, starts[header - 1] + SIZE)
    if footer:
        last = starts[flags.size - footer]
    covered = size if last < first else first + size - last
    if covered == 0 or covered > MAX_SHARE * size:
        return np.empty(0, np.bool_)
    mask = np.zeros(size, np.bool_)
    mask[:first] = True
    mask[last:] = True
    return mask


def boilerplate_mask(body: Body, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool[m], true for the letters of a learned header and footer; empty where there is neither.

    Args:
        flags: bool[p], which of the body's passages are boilerplate. Between two successive ones, all is.
    """
    _, starts = body.passages
    mask: NDArray[np.bool_] = _mask(flags, starts, body.letters.size)
    return mask
