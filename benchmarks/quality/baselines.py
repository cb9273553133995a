"""What others do, on the same pairs: a threshold on a Jaccard similarity, and datasketch's LSH from end to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Document
from baznashr_server.text.canonical import canonicalise
from benchmarks.peers import NUM_PERM, SEED
from benchmarks.quality.data import Data

WORDS = 5
LETTERS = 8
WORD_5_GRAMS, LETTER_8_GRAMS, DIGIT_8_GRAMS = "word 5-grams", "letter 8-grams", "letter and digit 8-grams"
LSH_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(6, 19))

Shingler = Callable[[str], set[str]]


@cache
def _hazm() -> tuple[Any, Any]:
    from hazm import Normalizer, WordTokenizer

    return Normalizer(), WordTokenizer()


def word_5_grams(text: str) -> set[str]:
    """Return the 5-grams of hazm's words after hazm's normaliser, punctuation left out: the usual pipeline."""
    normalizer, tokenizer = _hazm()
    words = [word for word in tokenizer.tokenize(normalizer.normalize(text)) if any(map(str.isalnum, word))]
    return {" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1))}


def _letter_grams(text: str) -> set[str]:
    return {text[i : i + LETTERS] for i in range(max(1, len(text) - LETTERS + 1))}


def letter_8_grams(text: str) -> set[str]:
    return _letter_grams("".join(filter(str.isalpha, canonicalise(text).text())))


def digit_8_grams(text: str) -> set[str]:
    return _letter_grams(canonicalise(text).text())


SHINGLERS: dict[str, Shingler] = {
    WORD_5_GRAMS: word_5_grams,
    LETTER_8_GRAMS: letter_8_grams,
    DIGIT_8_GRAMS: digit_8_grams,
}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / max(1, len(a | b))


def paired(data: Data) -> dict[str, Document]:
    """Return the documents that pairs name."""
    return {id_: data.documents[id_] for pair in data.pairs for id_ in (pair.a, pair.b)}


def shingled(data: Data) -> dict[str, dict[str, set[str]]]:
    """Return by shingler and by id the shingles of all documents that pairs name."""
    documents = paired(data)
    return {
        name: {id_: shingle(document.text) for id_, document in documents.items()}
        for name, shingle in SHINGLERS.items()
    }


def similarities(data: Data, shingles: dict[str, set[str]]) -> NDArray[np.float64]:
    """Return float64[pairs]: exact Jaccard similarities."""
    return np.array([jaccard(shingles[pair.a], shingles[pair.b]) for pair in data.pairs])


def minhash_lsh(
    data: Data, shingles: dict[str, set[str]], thresholds: Sequence[float] = LSH_THRESHOLDS
) -> NDArray[np.bool_]:
    """Return bool[thresholds, pairs]: whether datasketch's LSH, with bands of its own choice, finds one by the other.

    All documents are entered; a pair counts where `b` is among the answers to `a`, unverified, as it is mostly used.
    """
    from datasketch import MinHash, MinHashLSH

    sketches = {}
    for id_, grams in shingles.items():
        sketches[id_] = MinHash(num_perm=NUM_PERM, seed=SEED)
        sketches[id_].update_batch([gram.encode() for gram in sorted(grams)])
    rows = []
    for threshold in thresholds:
        lsh = MinHashLSH(threshold=threshold, num_perm=NUM_PERM)
        for id_, sketch in sketches.items():
            lsh.insert(id_, sketch)
        answers = {id_: set(lsh.query(sketches[id_])) for id_ in {pair.a for pair in data.pairs}}
        rows.append([pair.b in answers[pair.a] for pair in data.pairs])
    return np.array(rows, bool)
