"""What other thresholds would do: each alone, and all together where they fit best."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from baznashr.types import Policy, Thresholds
from baznashr_server.tune.scoring import Compared, Score, groups, score

WITHOUT_TEXT = "near_duplicate"
"""The one threshold that is asked only where a corpus keeps no text."""
NAMES = tuple(field.name for field in fields(Thresholds))
FOLDS = 5
MAX_ROUNDS = 5
"""Of the search; three are enough on real pairs."""


def values_of(name: str) -> tuple[float, ...]:
    """Return the values that are tried: shares in steps of 0.05, letters in steps of 20."""
    if isinstance(getattr(Thresholds(), name), int):
        return tuple(range(20, 420, 20))
    return tuple(round(0.05 * step, 2) for step in range(1, 21))


def with_value(policy: Policy, name: str, value: float) -> Policy:
    changed: dict[str, Any] = {name: value}
    return replace(policy, thresholds=replace(policy.thresholds, **changed))


def sweep(compared: Sequence[Compared], policy: Policy, name: str) -> Iterator[tuple[float, Score]]:
    """Yield the score for each value of one threshold, the others as they are; the policy's own value is among them."""
    for value in sorted({*values_of(name), getattr(policy.thresholds, name)}):
        yield value, score(compared, with_value(policy, name, value), texts=name != WITHOUT_TEXT)


def fit(compared: Sequence[Compared], policy: Policy) -> Policy:
    """Return the thresholds with the best F1, found one threshold at a time until none gets better.

    Of values that are equally good the one nearest to the policy's own is taken: without evidence nothing moves.
    """
    own = policy.thresholds
    best, best_f1 = policy, score(compared, policy).f1
    for _ in range(MAX_ROUNDS):
        before = best_f1
        for name in NAMES:
            if name == WITHOUT_TEXT:
                continue
            tried = {value: found.f1 for value, found in sweep(compared, best, name)}
            value = min(tried, key=lambda v: (-tried[v], abs(v - getattr(own, name))))
            if tried[value] > best_f1:
                best, best_f1 = with_value(best, name, value), tried[value]
        if best_f1 == before:
            break
    return best


def cross_validate(
    compared: Sequence[Compared], policy: Policy, seed: int, step: Callable[[], None] = lambda: None
) -> Score:
    """Return the score of fitted thresholds on pairs that they were not fitted to.

    The groups are dealt into FOLDS parts; each part is judged by thresholds fitted to the others. *step* is called
    after each.
    """
    dealt = groups(compared)
    random.Random(seed).shuffle(dealt)  # noqa: S311 - no secret
    total = Score(0, 0, 0)
    for fold in range(FOLDS):
        held = [one for group in dealt[fold::FOLDS] for one in group]
        rest = [one for number, group in enumerate(dealt) if number % FOLDS != fold for one in group]
        total = Score(*map(sum, zip(total, score(held, fit(rest, policy)), strict=True)))
        step()
    return total
