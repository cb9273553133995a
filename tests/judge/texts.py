"""Texts made for the judge's tests."""

import random
import re

LETTERS = "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"


def sentence(rng: random.Random, words: int = 12) -> str:
    """Return a sentence of random words, which has nothing in common with another."""
    return " ".join("".join(rng.choices(LETTERS, k=rng.randrange(2, 8))) for _ in range(words)) + "."


def paragraph(rng: random.Random, sentences: int = 4) -> str:
    """Return a paragraph of such sentences."""
    return " ".join(sentence(rng) for _ in range(sentences))


def edited(text: str, rng: random.Random, edits: int) -> str:
    """Return *text* with as many words replaced, dropped or put in, at random."""
    words = re.split(r"(?<=\s)", text)
    for _ in range(edits):
        at = rng.randrange(len(words))
        word = "".join(rng.choices(LETTERS, k=5)) + " "
        words[at : at + 1] = rng.choice([[], [word], [words[at], word]])
    return "".join(words)
