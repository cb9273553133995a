"""Text to signature on one core, ours and the peers' in one run on the same articles, with the error of each."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from baznashr_server.sketch.fingerprint import digests_of, fingerprint
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import passage_kernel
from baznashr_server.sketch.shingles import shingle_sequence
from baznashr_server.sketch.signature import U32, sign
from baznashr_server.text.canonical import canonicalise, canonicalise_all
from benchmarks import peers
from benchmarks.corpus import equal_length_texts
from benchmarks.measure import Timing, interleave
from benchmarks.report import Bar, Cell, Options, Report, Table

CHARS = 2000
PAIRS = 300
OURS = "ours: canonical form, shingles, signature"
WHOLE = "ours: whole fingerprint (passages and digest too)"
SIGN = "ours: signature alone, shingles ready"
DATASKETCH = "datasketch, its own SHA-1"
DATASKETCH_VALUES = "datasketch update_batch, values ready"
GRAMS = "the 8-grams as list[str] alone"
"""Each list goes before the next is made, as in what the peers are given: to hold all costs more than to make them."""

Works = dict[str, Callable[[], object]]


def signature_of(text: str) -> U32:
    return sign(shingle_sequence(canonicalise(text).letters))


def each(function: Callable[..., object], *columns: list[Any]) -> Callable[[], object]:
    """Return the work of calling *function* on every row of *columns*."""
    if len(columns) == 1:
        (items,) = columns
        return lambda: [function(item) for item in items]
    rows = list(zip(*columns, strict=True))
    return lambda: [function(*row) for row in rows]


def from_text(texts: list[str]) -> Works:
    datasketch, rensa, fastsketch = peers.all_from_text()
    return {
        OURS: each(signature_of, texts),
        WHOLE: each(fingerprint, texts),
        DATASKETCH: each(datasketch.sketch, texts),
        "rensa 8-grams as str, update": each(rensa.sketch, texts),
        "FastSketchLSH 8-grams as str": each(fastsketch.sketch, texts),
        GRAMS: each(lambda text: len(peers.grams(text)), texts),
    }


def from_ready_input(texts: list[str]) -> Works:
    shingles = [fingerprint(text).shingle_sequence for text in texts]
    tokens = [peers.grams(text) for text in texts]
    flat = np.concatenate(shingles).astype(np.uint64)
    offsets = np.cumsum([0, *(s.size for s in shingles)]).astype(np.uint64)
    return {
        SIGN: each(sign, shingles),
        DATASKETCH_VALUES: each(peers.datasketch_from_values(), [s.tolist() for s in shingles]),
        "rensa update, 8-grams ready as str": each(peers.rensa_from_tokens(), tokens),
        "FastSketchLSH, 8-grams ready as str": each(peers.fastsketch(), tokens),
        "rensa digest matrix, values ready, one call": peers.rensa_from_values(flat, offsets),
        "FastSketchLSH batch_csr, values ready, one call": peers.fastsketch_from_values(flat, offsets),
    }


def stages(texts: list[str]) -> Works:
    canonical, together = [canonicalise(text) for text in texts], canonicalise_all(texts)
    letters = [c.letters for c in canonical]
    eights = [hash_8_grams(ls) for ls in letters]
    shingles = [shingle_sequence(ls) for ls in letters]
    return {
        "canonical form with offsets": each(canonicalise, texts),
        "shingles": each(shingle_sequence, letters),
        "signature": each(sign, shingles),
        "passages": each(lambda e: passage_kernel(hash_24_grams(e)), eights),
        "digest": lambda: digests_of(together),
    }


def timing_table(title: str, timings: dict[str, Timing], names: list[str], ours: str, theirs: str) -> Table:
    """Return the rows *names*, compared with the rows *ours* and *theirs*."""
    rows: list[list[Cell]] = [
        [
            name,
            median(timings[name].cpu),
            min(timings[name].cpu),
            median(timings[name].wall),
            round(timings[name].per_second),
            timings[ours].times_as_fast_as(timings[name]),
            timings[name].times_as_fast_as(timings[theirs]),
        ]
        for name in names
    ]
    columns = ["", "CPU µs", "least CPU µs", "wall µs", "articles/s", "time ÷ ours", "speed ÷ datasketch"]
    return Table(title, columns, rows)


def stage_table(timings: dict[str, Timing], names: list[str]) -> Table:
    rows: list[list[Cell]] = [
        [name, median(timings[name].cpu), min(timings[name].cpu), timings[WHOLE].times_as_fast_as(timings[name])]
        for name in [*names, WHOLE]
    ]
    return Table("Stages of the fingerprint", ["", "CPU µs", "least CPU µs", "share"], rows)


def spliced_pairs(texts: list[str], pairs: int, seed: int) -> list[tuple[str, str]]:
    """Return pairs over the whole range of similarity: a text, and its beginning with another text's end."""
    rng = random.Random(seed)
    chosen = []
    for _ in range(pairs):
        one, other = rng.sample(texts, 2)
        cut = round(len(one) * rng.uniform(0.1, 0.98))
        chosen.append((one, one[:cut] + other[cut:]))
    return chosen


def exact_jaccard(one: str, other: str) -> float:
    a, b = set(peers.grams(one)), set(peers.grams(other))
    return len(a & b) / len(a | b)


def accuracy(texts: list[str], seed: int) -> Table:
    """Compare each estimate with the exact similarity of the very sets of strings that were hashed."""
    ours = peers.Peer("ours", signature_of, lambda a, b: float(np.mean(a == b)))
    pairs = spliced_pairs(texts, PAIRS, seed)
    raw = [exact_jaccard(*pair) for pair in pairs]
    canonical = [exact_jaccard(*(canonicalise(text).text() for text in pair)) for pair in pairs]
    expected = float(np.mean([(2 * j * (1 - j) / (np.pi * peers.NUM_PERM)) ** 0.5 for j in canonical]))
    rows: list[list[Cell]] = []
    for peer in [ours, *peers.all_from_text()]:
        exact = canonical if peer is ours else raw
        estimates = [peer.jaccard(peer.sketch(one), peer.sketch(other)) for one, other in pairs]
        errors = np.array(estimates) - np.array(exact)
        rows.append([peer.name, float(np.abs(errors).mean()), float(errors.mean()), float(np.abs(errors).max())])
    notes = f"""\
{PAIRS} pairs: a text and its own beginning with another's end, {min(canonical):.2f} to {max(canonical):.2f} alike.
An ideal MinHash of {peers.NUM_PERM} values has a mean absolute error of {expected:.4f} on these pairs.
Exact is meant of what each hashes: canonical letters for ours, the text as it stands for the peers."""
    columns = ["", "mean absolute error", "mean error", "largest error"]
    return Table("Error of the estimated Jaccard similarity", columns, rows).noted(notes)


def bars(timings: dict[str, Timing]) -> list[Bar]:
    ours = timings[OURS]
    return [
        Bar("text → signature, times datasketch from text", ours.times_as_fast_as(timings[DATASKETCH]), 50),
        Bar(
            "text → signature, times datasketch on ready values", ours.times_as_fast_as(timings[DATASKETCH_VALUES]), 10
        ),
        Bar("text → signature, articles a second on one core", ours.per_second, 25_000),
        Bar("text → signature, articles a second on one core, after the work on speed", ours.per_second, 40_000),
    ]


def run(options: Options) -> Report:
    texts, line = equal_length_texts(options.articles, CHARS, options.seed)
    text_works, ready_works, stage_works = from_text(texts), from_ready_input(texts), stages(texts)
    timings = interleave({**text_works, **ready_works, **stage_works}, len(texts), options.seconds)
    tables = [
        timing_table("From text", timings, list(text_works), OURS, DATASKETCH).noted(TEXT_NOTES),
        timing_table("From ready input", timings, list(ready_works), SIGN, DATASKETCH_VALUES).noted(READY_NOTES),
        stage_table(timings, list(stage_works)).noted(STAGE_NOTES),
        accuracy(texts, options.seed),
    ]
    return Report("sketching", "Text to signature on one core", line, tables, bars(timings))


TEXT_NOTES = """\
Medians over the rounds, which run A B C, C B A, ...; CPU time counts all threads; articles a second of CPU time.
Ours hashes 8 letters of the canonical form, without spaces, marks and punctuation and with letters folded; the peers \
hash 8 characters of the text as it stands, so they do less before hashing and hash about three tenths more.
datasketch: affine32, 128 permutations drawn once, `update_batch` over the list of 8-grams as UTF-8.
rensa (full set) and FastSketchLSH are of the kind of Fast Similarity Sketching: each token is hashed a few times, not \
128; from text most of their time goes into the list of 8-grams, which the caller has to make (last row)."""
READY_NOTES = """\
Values: the 32-bit shingles of our canonical form, as list of int for datasketch, which takes it fastest, as one array \
of uint64 for the calls that take all articles at once.
Our signatures equal datasketch's bit by bit; those of rensa and FastSketchLSH compare with their own kind only."""
STAGE_NOTES = """\
Each stage is called from Python by itself; the fingerprint makes shingles, signature and passages in one call."""
