"""What is left out of a comparison as boilerplate, and whether it still would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.engine.prepared import Prepared
from baznashr_server.judge.body import Body
from baznashr_server.judge.boilerplate import boilerplate_mask
from baznashr_server.judge.comparison import NO_MASK, Mask
from baznashr_server.judge.pair import NO_MASKS, Masks

type Edges = tuple[int, int]
"""Of a text's passages, how many are boilerplate from the first on, and from the last back."""


def masks(corpus: LoadedCorpus, judged: Body, stored: Body) -> Masks:
    """Return the letters of two texts that the corpus has learned to be boilerplate by now."""
    return _learned(corpus, judged)[1], _learned(corpus, stored)[1]


def _learned(corpus: LoadedCorpus, body: Body) -> tuple[Edges, Mask]:
    passages, _ = body.passages
    ((header, footer),) = corpus.index.boilerplate_edges([(passages, body.source)])
    return (header, footer), boilerplate_mask(body, header, footer)


@dataclass(slots=True, eq=False)
class LeftOut:
    """The boilerplate of a judged text, and of those that it is compared with."""

    is_telling: bool = False
    """Whether none of the text's passages was boilerplate when it was looked up."""
    mask: Mask | None = None
    """The judged text's, as the corpus knew it when it first mattered."""
    edges: Edges = (0, 0)
    """Of the judged text, then."""
    stored_edges: dict[int, Edges] = field(default_factory=dict)
    """Of the stored texts, by row, where the judged text has any boilerplate."""
    watched: tuple[NDArray[np.uint64], ...] = ()
    """The passages next to what is left out: were one of them to become boilerplate, more would be."""

    def masks(self, corpus: LoadedCorpus, prepared: Prepared, row: int, stored: Body) -> Masks:
        """Return what is left out of the judged text and the document at *row*; what that depends on is noted."""
        judged = prepared.body
        if self.mask is None:
            if not (self.is_telling and judged.letters.size == prepared.sketch.size):
                self.edges, self.mask = self._watched(corpus, judged)
            else:
                self.mask = NO_MASK
        if not self.mask.size:
            return NO_MASKS
        self.stored_edges[row], stored_mask = self._watched(corpus, stored)
        return self.mask, stored_mask

    def _watched(self, corpus: LoadedCorpus, body: Body) -> tuple[Edges, Mask]:
        (header, footer), mask = _learned(corpus, body)
        passages, _ = body.passages
        if header < passages.size:
            self.watched += (passages[[header, passages.size - 1 - footer]],)
        return (header, footer), mask

    def stands(self, corpus: LoadedCorpus, prepared: Prepared, stored: Mapping[int, Body]) -> bool:
        """Whether all that was left out is what would be left out now.

        Args:
            stored: By row, the texts that the judged one was compared with.
        """
        if self.mask is None:
            return True
        held = [(prepared.body, self.edges)]
        held += [(stored[row], edges) for row, edges in self.stored_edges.items() if row in stored]
        now = corpus.index.boilerplate_edges([(body.passages[0], body.source) for body, _ in held])
        return all(found == list(then) for found, (_, then) in zip(now, held, strict=True))
