"""Texts put together from named parts, so that what two of them share is known to the letter."""

import random

from baznashr_server.judge.body import Body, prepare
from baznashr_server.judge.comparison import Comparison, compare

Part = tuple[str, int]
"""A name and a number of letters: the same name begins with the same letters in every text; "" is the text's own."""

LETTERS = "بپتجچحخذزژصضطظعغفقکگ"
"""No number, weekday or month can be spelled with these."""
JUDGED, STORED = "ل", "م"
"""At both ends of what is a text's own, so that no run goes on by chance."""
WORD = 6


def shared(name: str, size: int) -> str:
    """Return the first *size* letters that go by this name."""
    return "".join(random.Random(name).choices(LETTERS, k=size))


def own(edge: str, size: int, seed: object) -> str:
    """Return *size* letters that no other text has, between two edges."""
    inner = "".join(random.Random(f"{edge} {seed}").choices(LETTERS, k=max(0, size - 2)))
    return (edge + inner + edge)[:size]


def spaced(letters: str) -> str:
    """Return letters as words."""
    return " ".join(letters[i : i + WORD] for i in range(0, len(letters), WORD))


def text(*parts: Part | str, edge: str = JUDGED) -> str:
    """Return a text of *parts*; a string, such as a number, stands as it is, between spaces."""
    made = []
    for place, part in enumerate(parts):
        if isinstance(part, str):
            made.append(f" {part} ")
        else:
            name, size = part
            made.append(spaced(shared(name, size) if name else own(edge, size, place)))
    return " ".join(made)


def body(*parts: Part | str, edge: str = JUDGED, source: str = "", title: str = "") -> Body:
    """Return a text of *parts* made ready for comparison."""
    return prepare(text(*parts, edge=edge), source=source, title=title)


def compared(judged: list[Part | str], stored: list[Part | str], *, sources: tuple[str, str] = ("", "")) -> Comparison:
    """Compare a text of the *judged* parts with one of the *stored* parts."""
    return compare(body(*judged, source=sources[0]), body(*stored, edge=STORED, source=sources[1]))
