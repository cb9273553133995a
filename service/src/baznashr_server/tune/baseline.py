"""What the usual pipeline would make of the same pairs: Jaccard similarity of word 5-grams, at its best threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from baznashr_server.tune.scoring import Compared, Score

WORDS = 5
"""In a shingle, as datatrove, text-dedup and the pipelines made with them take by default."""


def word_shingles(text: str, tokenize: Callable[[str], list[str]]) -> set[tuple[str, ...]]:
    """Return the set of successive words, WORDS at a time; of all words where there are fewer."""
    words = [word for word in tokenize(text) if word[0].isalnum()]
    return {tuple(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))}


def similarities(compared: Sequence[Compared]) -> list[float]:
    """Return for each pair the Jaccard similarity of its word shingles, by hazm's normaliser and tokeniser."""
    from hazm import Normalizer, WordTokenizer  # noqa: PLC0415 - takes seconds, and only this needs it

    normalizer, tokenizer = Normalizer(), WordTokenizer(join_verb_parts=False)
    known: dict[str, set[tuple[str, ...]]] = {}

    def shingles(document_id: str, text: str) -> set[tuple[str, ...]]:
        if document_id not in known:
            known[document_id] = word_shingles(normalizer.normalize(text), tokenizer.tokenize)
        return known[document_id]

    found = []
    for one in compared:
        x = one.directions[0].comparison
        a, b = shingles(one.pair.a, x.stored.text), shingles(one.pair.b, x.judged.text)
        found.append(len(a & b) / max(1, len(a | b)))
    return found


def best_threshold(compared: Sequence[Compared], found: Sequence[float]) -> tuple[float, Score]:
    """Return the threshold that scores best on the pairs themselves, and its score."""
    labelled = [(one.pair.repeated, share) for one, share in zip(compared, found, strict=True)]

    def score(threshold: float) -> Score:
        called = [(label, share >= threshold) for label, share in labelled if label is not None]
        return Score(
            sum(bool(label and over) for label, over in called),
            sum(bool(over and not label) for label, over in called),
            sum(bool(label and not over) for label, over in called),
        )

    thresholds = sorted({share for _, share in labelled})
    return max(((threshold, score(threshold)) for threshold in thresholds), key=lambda tried: tried[1].f1)


def report(compared: Sequence[Compared]) -> str:
    threshold, found = best_threshold(compared, similarities(compared))
    return (
        f"The usual pipeline on these pairs, Jaccard similarity of word {WORDS}-grams, at its best threshold "
        f"{threshold:.2f}:\n  precision {found.precision:.3f}, recall {found.recall:.3f}, F1 {found.f1:.3f}"
    )
