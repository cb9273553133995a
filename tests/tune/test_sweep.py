"""Sweeps, fits and cross-validation over thresholds."""

from dataclasses import replace

import pytest

from baznashr.types import Policy, Thresholds, Verdict
from baznashr_server.engine.validation import check_policy
from baznashr_server.tune.scoring import Compared, score
from baznashr_server.tune.sweep import FOLDS, NAMES, cross_validate, fit, sweep, values_of, with_value

POLICY = Policy()
BLIND = Policy(thresholds=Thresholds(covered=1.0, numbers_changed=0.6))
"""Misses nearly all edited copies."""


@pytest.mark.parametrize("name", NAMES)
def test_every_threshold_is_tried_in_range(name: str) -> None:
    """For each threshold there are several values, and every one is a policy that a corpus takes."""
    values = values_of(name)
    assert len(set(values)) > 10
    for value in values:
        check_policy(with_value(POLICY, name, value))


def test_sweeps_change_one_threshold(compared: list[Compared]) -> None:
    """Each value of a sweep has the score of the policy with that one changed; the policy's own value is among them."""
    odd = with_value(POLICY, "covered", 0.777)
    found = dict(sweep(compared, odd, "covered"))
    assert found[0.777] == score(compared, odd)
    assert found[0.5] == score(compared, replace(POLICY, thresholds=replace(POLICY.thresholds, covered=0.5)))
    assert len({tried.f1 for tried in found.values()}) > 2


def test_fitting_finds_what_was_lost(compared: list[Compared]) -> None:
    """From thresholds that are far off, fitting finds a policy as good as the default one."""
    assert score(compared, BLIND).f1 < score(compared, POLICY).f1 - 0.1
    fitted = fit(compared, BLIND)
    assert score(compared, fitted).f1 >= score(compared, POLICY).f1
    assert fitted.repeated_verdicts == BLIND.repeated_verdicts


def test_without_evidence_nothing_moves(compared: list[Compared]) -> None:
    """Where every policy is as good, or there is nothing to learn from, the thresholds stay."""
    assert fit([], BLIND) == BLIND
    exact = [one for one in compared if one.ruling(POLICY).verdict is Verdict.EXACT]
    assert exact
    assert fit(exact, BLIND) == BLIND


def test_cross_validation_judges_each_pair_once(compared: list[Compared]) -> None:
    """Over the folds each labelled pair is judged exactly once, a step is told for each, and a seed repeats it."""
    steps: list[int] = []
    found = cross_validate(compared, BLIND, 1, lambda: steps.append(1))
    assert found.hits + found.misses == sum(one.pair.repeated is True for one in compared)
    assert len(steps) == FOLDS
    assert cross_validate(compared, BLIND, 1) == found
    assert score(compared, BLIND).f1 < found.f1 <= score(compared, fit(compared, BLIND)).f1
