"""What a corpus holds, by a random sample: no labels, so shares and no scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from baznashr.types import Policy, Verdict
from baznashr_server.judge.rules import is_repeated, precedence
from baznashr_server.tune.data import Pair
from baznashr_server.tune.report import table
from baznashr_server.tune.scoring import Compared
from baznashr_server.tune.stored import SAMPLED, Stored
from baznashr_server.tune.sweep import NAMES, WITHOUT_TEXT, values_of, with_value

BINS = 10
"""Of similarity, from 0 to 1."""


def match_pairs(sample: Sequence[Stored]) -> list[Pair]:
    """Return each document with each of its stored matches, the best first."""
    return [
        Pair(match.document_id, stored.document.id, True, SAMPLED, None)
        for stored in sample
        for match in stored.judgement.matches
    ]


def verdicts(sample: Sequence[Stored]) -> str:
    """Show how the documents were judged when they came, and by which rule."""
    found = Counter((stored.judgement.verdict, stored.judgement.reason) for stored in sample)
    ranked = sorted(found.items(), key=lambda item: (precedence(item[0][0]), -item[1]))
    rows = [(verdict.value, reason, count, f"{count / len(sample):.1%}") for (verdict, reason), count in ranked]
    repeated = sum(stored.judgement.repeated for stored in sample)
    return f"As judged when they came, {repeated} ({repeated / len(sample):.1%}) repeated:\n" + table(
        ["verdict", "by rule", "documents", "share"], rows
    )


def similarities(sample: Sequence[Stored]) -> str:
    """Show how similar the documents are to their best match, by verdict."""
    matched = [stored.judgement for stored in sample if stored.judgement.matches]
    bins = Counter((min(BINS - 1, int(j.matches[0].similarity * BINS)), j.verdict) for j in matched)
    shown = [verdict for verdict in Verdict if any(kind is verdict for _, kind in bins)]
    rows = [
        (f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}", *(bins[number, verdict] or "." for verdict in shown))
        for number in range(BINS)
    ]
    header = ["similarity", *(verdict.value for verdict in shown)]
    return f"Similarity with the best match, {len(matched)} documents with one:\n{table(header, rows)}"


def shares(by_document: Mapping[str, Sequence[Compared]], size: int, policy: Policy) -> Iterator[str]:
    """Show how many documents would be repeated at each value of each threshold, the others as they are."""
    for name in NAMES:
        if name == WITHOUT_TEXT:
            continue
        own = getattr(policy.thresholds, name)
        tried = [
            (value, _repeated(by_document, with_value(policy, name, value)))
            for value in sorted({*values_of(name), own})
        ]
        rows = []
        for count, run in groupby(tried, key=lambda item: item[1]):
            values = [value for value, _ in run]
            span = f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"
            rows.append((span, count, f"{count / size:.1%}", "<- now" if own in values else ""))
        yield f"{name} (now {own:g}):\n" + table(["value", "repeated", "share", ""], rows)


def _repeated(by_document: Mapping[str, Sequence[Compared]], policy: Policy) -> int:
    return sum(
        is_repeated(min((one.ruling(policy).verdict for one in found), key=precedence), policy)
        for found in by_document.values()
    )
