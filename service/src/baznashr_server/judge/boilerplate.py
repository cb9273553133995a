"""Boilerplate a corpus has learned: headers and footers made of passages that too many of its stories hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baznashr_server.judge.body import Body
from baznashr_server.sketch.passages import SIZE

MAX_SHARE = 0.5
"""Share of a text that may be boilerplate. A text with more is an issue of a recurring report, which the rules know."""


def boilerplate_mask(body: Body, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool[m], true for the letters of a learned header and footer; empty where there is neither.

    Args:
        flags: bool[p], which of the body's passages are boilerplate. Between two successive ones, all is.
    """
    if not flags.any():
        return np.empty(0, np.bool_)
    _, starts = body.passages
    mask = np.zeros(body.letters.size, np.bool_)
    header = int(np.argmin(flags)) if not flags.all() else flags.size
    footer = int(np.argmin(flags[::-1])) if not flags.all() else 0
    if header:
        mask[: starts[header - 1] + SIZE] = True
    if footer:
        mask[starts[-footer] :] = True
    return mask if 0 < np.count_nonzero(mask) <= MAX_SHARE * mask.size else np.empty(0, np.bool_)
