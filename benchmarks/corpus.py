"""The articles that are measured: real ones where they are present, else generated.

`BAZNASHR_EVAL_DATA` names the folder of the real ones; no text of it is written anywhere. The generated ones come from
a word-level model: words drawn from hazm's list by its frequencies, with punctuation, numbers and lengths as in real
news, site footers, and a stated share of copies, edited copies and recurring reports. Article i is a function of the
seed and i alone: a stream of millions needs no memory, may start anywhere and be made by several processes.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
DEFAULT_DATA = ROOT.parent / "shared" / "data"

FLATTENING = 0.75
"""Exponent on hazm's frequencies: unrelated articles then share as many 8-grams as real ones do, J = 0.002."""
CHARS_SIGMA = 0.74
"""Standard deviation of the logarithm of a length in characters, as in 10,536 real articles."""
MIN_CHARS, MAX_CHARS = 200, 20_000
COMMAS, STOPS, PARAGRAPHS, NUMBERS = 0.033, 0.026, 0.006, 0.025
"""Shares of words that end in a comma, a full stop, a full stop with a line break; that are numbers."""
BULLETIN_NUMBERS = 0.15
TITLE_WORDS = 9
SOURCES = 200
FOOTER_WORDS = 12
"""Of the site chrome below each article of the sources with an even number."""
BULLETINS_PER_ARTICLES = 1000
"""One recurring bulletin more for each so many articles; a bulletin comes about 50 times in a million articles."""

DRAWS = 1 << 20
NUMBER_PIECES = 1 << 12
ENDINGS = (" ", "، ", ". ", ".\n")
MASK = (1 << 64) - 1


class Kind(StrEnum):
    NEW = "new"
    EXACT = "exact"
    EDITED = "edited"
    TEMPLATE = "template"


SHARES = {Kind.NEW: 0.75, Kind.EXACT: 0.05, Kind.EDITED: 0.15, Kind.TEMPLATE: 0.05}


class Article(NamedTuple):
    number: int
    kind: Kind
    origin: int | None
    """The article it copies; None for new ones and bulletins."""
    source: int
    title: str
    text: str


class Vocabulary(NamedTuple):
    words: int
    pieces: list[str]
    """Each word with each of ENDINGS, all words with the first ending first; then numbers."""
    draws: NDArray[np.int32]
    """int32[DRAWS]: word numbers, each as often as it is likely."""
    mean_chars: float
    """Of a piece, by likelihood."""


class Texts(NamedTuple):
    texts: list[str]
    line: str
    """What they are, for a result file."""


def hazm_words() -> list[tuple[str, int]]:
    """Return hazm's words with their frequencies, without importing hazm, which takes seconds."""
    spec = find_spec("hazm")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the generated articles need hazm's word list; hazm is not installed", name="hazm")
    lines = (Path(spec.origin).parent / "data" / "words.dat").read_text(encoding="utf-8").splitlines()
    return [(fields[0], int(fields[1])) for fields in (line.split("\t") for line in lines)]


@cache
def vocabulary() -> Vocabulary:
    listed = hazm_words()
    words = [word for word, _ in listed]
    weights = (np.array([frequency for _, frequency in listed], np.float64) + 1) ** FLATTENING
    cumulative = np.cumsum(weights / weights.sum())
    likely, draws = np.unique(np.searchsorted(cumulative, (np.arange(DRAWS) + 0.5) / DRAWS), return_inverse=True)
    words = [words[number] for number in likely]
    persian = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
    numbers = [f"{number} ".translate(persian) for number in range(NUMBER_PIECES)]
    pieces = [word + ending for ending in ENDINGS for word in words] + numbers
    lengths = np.array([len(word) for word in words])
    return Vocabulary(
        len(words), pieces, draws.astype(np.int32), float(lengths[draws].mean()) + 1 + COMMAS + STOPS + PARAGRAPHS
    )


def mix(seed: int, index: int, purpose: int) -> int:
    """Return 64 bits that depend on all three: splitmix64's finaliser (Steele, Lea and Flood 2014), chained."""
    z = seed & MASK
    for value in (index, purpose):
        z = (z + (value + 1) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
    return z


KIND, ORIGIN, SOURCE, WORDS, EDITS, BULLETIN, FIGURES, FOOTER = range(8)
"""Purposes of random numbers."""

Pieces = NDArray[np.int64]


class ArticleModel:
    """Articles by number.

    Args:
        seed: Two models with one seed give the same articles.
        mean_chars: Mean length of a text in characters, without footers.
        sigma: Spread of the lengths, CHARS_SIGMA as in real news; 0 makes all about equally long.
    """

    def __init__(self, seed: int = 1, *, mean_chars: int = 2000, sigma: float = CHARS_SIGMA) -> None:
        self.seed = seed
        self.sigma = sigma
        self._mu = float(np.log(mean_chars)) - sigma**2 / 2
        self._vocabulary = vocabulary()
        self._footer = lru_cache(maxsize=SOURCES)(self._make_footer)

    def articles(self, start: int = 0) -> Iterator[Article]:
        """Yield articles without end, from number *start* on."""
        return map(self.article, count(start))

    def kind(self, index: int) -> Kind:
        if index == 0:
            return Kind.NEW
        at = mix(self.seed, index, KIND) / (MASK + 1)
        for kind, share in SHARES.items():
            at -= share
            if at < 0:
                return kind
        return Kind.TEMPLATE

    def origin(self, index: int) -> int | None:
        """Return the earlier new article, any with equal chance, that an exact or edited copy repeats."""
        if self.kind(index) not in {Kind.EXACT, Kind.EDITED}:
            return None
        origin = mix(self.seed, index, ORIGIN) % index
        while self.kind(origin) is not Kind.NEW:
            origin -= 1
        return origin

    def article(self, index: int) -> Article:
        kind, origin = self.kind(index), self.origin(index)
        source = mix(self.seed, index, SOURCE) % SOURCES
        match kind:
            case Kind.EXACT:
                assert origin is not None
                return self.article(origin)._replace(number=index, kind=kind, origin=origin)
            case Kind.EDITED:
                assert origin is not None
                pieces = self._edited(self._words(origin, WORDS), self._random(index, EDITS))
            case Kind.TEMPLATE:
                bulletin = mix(self.seed, index, BULLETIN) % (1 + index // BULLETINS_PER_ARTICLES)
                source = bulletin % SOURCES
                pieces = self._words(bulletin, BULLETIN, numbers=BULLETIN_NUMBERS)
                figures = pieces >= len(ENDINGS) * self._vocabulary.words
                pieces[figures] = self._figures(self._random(index, FIGURES), int(figures.sum()))
            case Kind.NEW:
                pieces = self._words(index, WORDS)
        title = "".join(map(self._vocabulary.pieces.__getitem__, pieces[:TITLE_WORDS].tolist()))
        body = "".join(map(self._vocabulary.pieces.__getitem__, pieces[TITLE_WORDS:].tolist()))
        return Article(index, kind, origin, source, title.rstrip(" ،.\n"), body.rstrip() + self._footer(source))

    def _random(self, index: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=mix(self.seed, index, purpose)))

    def _words(self, index: int, purpose: int, numbers: float = NUMBERS) -> Pieces:
        rng = self._random(index, purpose)
        chars = min(MAX_CHARS, max(MIN_CHARS, np.exp(self._mu + self.sigma * rng.standard_normal())))
        return self._draw(rng, TITLE_WORDS + round(chars / self._vocabulary.mean_chars), numbers)

    def _draw(self, rng: np.random.Generator, size: int, numbers: float = NUMBERS) -> Pieces:
        """Draw words, endings and numbers, all from one random number a word."""
        bits = rng.integers(0, 1 << 40, size)
        pieces = self._vocabulary.draws[bits & (DRAWS - 1)].astype(np.int64)
        chance = (bits >> 20) / DRAWS
        at = 0.0
        for number, share in enumerate((COMMAS, STOPS, PARAGRAPHS), start=1):
            pieces[(chance >= at) & (chance < at + share)] += number * self._vocabulary.words
            at += share
        figures = (chance >= at) & (chance < at + numbers)
        pieces[figures] = self._figures(rng, int(figures.sum()))
        return pieces

    def _figures(self, rng: np.random.Generator, size: int) -> Pieces:
        return len(ENDINGS) * self._vocabulary.words + rng.integers(0, NUMBER_PIECES, size)

    def _edited(self, pieces: Pieces, rng: np.random.Generator) -> Pieces:
        """Rewrite 1 to 6 % of the words in one to four places; half the time a new lead, half the time a cut end."""
        size = pieces.size
        places = int(rng.integers(1, 5))
        run = max(1, round(size * rng.uniform(0.01, 0.06) / places))
        for start in rng.integers(TITLE_WORDS, max(TITLE_WORDS + 1, size - run), places):
            stretch = pieces[start : start + run]
            stretch[:] = self._draw(rng, stretch.size)
        if rng.random() < 0.5:
            pieces = pieces[: size - round(size * rng.uniform(0, 0.05))]
        if rng.random() < 0.5:
            pieces = np.concatenate([self._draw(rng, TITLE_WORDS), self._draw(rng, 8), pieces[TITLE_WORDS:]])
        return pieces

    def _make_footer(self, source: int) -> str:
        if source % 2:
            return ""
        pieces = self._draw(self._random(source, FOOTER), FOOTER_WORDS)
        return "\n" + "".join(map(self._vocabulary.pieces.__getitem__, pieces.tolist())).rstrip()


def data_folder() -> Path:
    return Path(os.environ.get("BAZNASHR_EVAL_DATA") or DEFAULT_DATA)


def real_bodies() -> list[str]:
    """Return the bodies of the real articles; empty where they are absent."""
    path = data_folder() / "articles.jsonl.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["body"] for line in lines]


def equal_length_texts(size: int, chars: int, seed: int) -> Texts:
    """Return *size* texts of exactly *chars* characters: the beginnings of real articles, or generated ones."""
    found = [body[:chars] for body in real_bodies() if len(body) >= chars]
    if len(found) >= size:
        random.Random(seed).shuffle(found)
        return Texts(found[:size], f"{size:,} real news articles, the first {chars:,} characters of each")
    model = ArticleModel(seed, mean_chars=chars + chars // 4, sigma=0)
    texts = [a.text[:chars] for a in islice((a for a in model.articles() if len(a.text) >= chars), size)]
    return Texts(texts, f"{size:,} generated articles (seed {seed}), {chars:,} characters each")
