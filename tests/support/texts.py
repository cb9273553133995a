"""Articles made up of random words, and light edits of them: families whose verdicts are known beforehand."""

import random

LETTERS = "ابپتجچحدرزسشعفقکگلمنوهی"


def word(rng: random.Random) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(3, 7)))


def article(rng: random.Random, words: int = 80) -> str:
    """Return a text that shares nothing with any other of its kind."""
    return " ".join(word(rng) for _ in range(words))


def light_edit(rng: random.Random, text: str) -> str:
    """Return *text* with one word changed: still the same article."""
    words = text.split()
    words[rng.randrange(len(words))] = word(rng)
    return " ".join(words)
