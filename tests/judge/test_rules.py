"""Each rule holds from its threshold on and not below it, and the first that holds decides."""

import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from baznashr.types import Policy, Thresholds, Verdict
from baznashr_server.judge.comparison import Comparison
from baznashr_server.judge.rules import (
    RULES,
    changed_share,
    is_repeated,
    judge_pair,
    judge_signatures,
    judged_share,
    precedence,
)
from tests.judge.parts import Part, compared

DEFAULT = Thresholds()
DOCS = Path(__file__).parents[2] / "docs" / "judging.md"
EDITED, INSIDE, HOLDS, PASSAGES, NUMBERS, SITE, NOTHING = (
    "SAME_ARTICLE_EDITED",
    "INSIDE_STORED",
    "STORED_INSIDE",
    "LONG_PASSAGES",
    "OTHER_NUMBERS",
    "SITE_LINES_ONLY",
    "NOTHING_COMPARABLE",
)
Parts = list[Part | str]


def apart(*sizes: int) -> tuple[Parts, Parts]:
    """Return two long texts that share runs of these sizes, far from each other and from the edges."""
    judged: Parts = [("", 1000)]
    stored: Parts = [("", 1000)]
    for place, size in enumerate(sizes):
        judged += [(f"run {place}", size), ("", 300)]
        stored += [(f"run {place}", size), ("", 300)]
    return judged, stored


def reports(changed: int, same: int, beside: int = 0) -> Comparison:
    """Compare two texts alike but for *changed* of their numbers and *beside* letters of each one's own."""
    judged: Parts = []
    stored: Parts = []
    for place in range(changed + same):
        judged += [(f"line {place}", 40), str(1000 + place)]
        stored += [(f"line {place}", 40), str((5000 if place < changed else 1000) + place)]
    own: Parts = [("", beside)] if beside else []
    return compared([("head", 40), *judged, ("tail", 40), *own], [("head", 40), *stored, ("tail", 40), *own])


@pytest.mark.parametrize(
    ("judged", "stored", "reason"),
    [
        # 80 % of the judged text and 60 % of the stored one: 800 of 1000 letters, 800 of 1333.
        ([("a", 800), ("", 200)], [("a", 800), ("", 533)], EDITED),
        ([("a", 800), ("", 200)], [("a", 800), ("", 534)], INSIDE),
        ([("a", 800), ("", 201)], [("a", 800), ("", 533)], PASSAGES),
        # An excerpt needs 80 letters.
        ([("a", 80)], [("a", 80), ("", 1000)], INSIDE),
        ([("a", 79)], [("a", 79), ("", 1000)], NOTHING),
        # 80 % of the stored text, 80 letters.
        ([("a", 800), ("", 1000)], [("a", 800), ("", 200)], HOLDS),
        ([("a", 800), ("", 1000)], [("a", 800), ("", 201)], PASSAGES),
        ([("a", 80), ("", 1000)], [("a", 80)], HOLDS),
        ([("a", 79), ("", 1000)], [("a", 79)], NOTHING),
        # A run of 80 letters, 160 letters in all, or 80 that are half of either text.
        (*apart(80), PASSAGES),
        (*apart(79), NOTHING),
        (*apart(40, 40, 40, 40), PASSAGES),
        (*apart(40, 40, 40, 39), NOTHING),
        ([("a", 40), ("", 40), ("b", 40), ("", 40)], [("a", 40), ("", 1000), ("b", 40), ("", 9)], PASSAGES),
        ([("a", 40), ("", 40), ("b", 40), ("", 41)], [("a", 40), ("", 1000), ("b", 40), ("", 9)], NOTHING),
        ([("a", 40), ("", 1000), ("b", 40), ("", 9)], [("a", 40), ("", 40), ("b", 40), ("", 40)], PASSAGES),
        ([("a", 40), ("", 40), ("b", 39), ("", 30)], [("a", 40), ("", 1000), ("b", 39), ("", 9)], NOTHING),
        # Runs of fewer than 18 letters are set phrases, however many.
        (*apart(*[17] * 40), NOTHING),
        (*apart(*[18] * 9), PASSAGES),
    ],
)  # fmt: skip
def test_rules_begin_to_hold_at_their_thresholds(judged: Parts, stored: Parts, reason: str) -> None:
    """One letter more or less on either side of each boundary of the default policy decides."""
    assert judge_pair(compared(judged, stored), DEFAULT).reason == reason


@pytest.mark.parametrize(
    ("changed", "same", "reason"),
    [(3, 17, NUMBERS), (2, 18, EDITED), (20, 0, NUMBERS), (0, 20, EDITED), (0, 0, EDITED)],
)
def test_changed_numbers_make_a_recurring_report(changed: int, same: int, reason: str) -> None:
    """From 15 % of the compared numbers on, the wording being the same; without numbers never."""
    x = reports(changed, same)
    assert changed_share(x) == pytest.approx(changed / max(1, changed + same))
    assert judge_pair(x, DEFAULT).reason == reason


@pytest.mark.parametrize(("beside", "reason"), [(300, NUMBERS), (500, NUMBERS), (660, PASSAGES), (1500, PASSAGES)])
def test_a_recurring_report_needs_common_wording(beside: int, reason: str) -> None:
    """Where both texts have more than two thirds of their own, changed numbers do not make them reports of a family."""
    x = reports(6, 0, beside)
    assert (x.common_share >= DEFAULT.template) == (reason == NUMBERS)
    assert judge_pair(x, DEFAULT).reason == reason


def test_a_part_of_a_report_with_other_numbers_is_one_too() -> None:
    """Where the judged text shares 70 %, two changed numbers are enough though the stored one is far longer."""
    lines: list[tuple[Parts, Parts]] = [
        ([(f"line {place}", 40), str(1000 + place)], [(f"line {place}", 40), str(5000 + place)]) for place in range(2)
    ]
    rest: Parts = [("end", 40)]
    judged, stored = ([part for line in lines for part in line[side]] for side in (0, 1))
    two = compared([*judged, *rest], [*stored, *rest, ("", 2000)])
    assert two.common_share < DEFAULT.template
    assert judge_pair(two, DEFAULT).reason == NUMBERS
    one = compared([*lines[0][0], ("more", 44), *rest], [*lines[0][1], ("more", 44), *rest, ("", 2000)])
    assert len(one.numbers.changed) == 1
    assert judge_pair(one, DEFAULT).reason == INSIDE


HEAD: tuple[Parts, Parts] = ([("head", 100), ("", 500)], [("head", 100), ("", 600)])
FOOT: tuple[Parts, Parts] = ([("", 500), ("foot", 100)], [("", 600), ("foot", 100)])
BOTH: tuple[Parts, Parts] = ([("head", 75), ("", 500), ("foot", 75)], [("head", 75), ("", 600), ("foot", 75)])
MIDDLE: tuple[Parts, Parts] = ([("", 200), ("run", 100), ("", 300)], [("", 300), ("run", 100), ("", 300)])
CROSSED: tuple[Parts, Parts] = ([("head", 100), ("", 500)], [("", 600), ("head", 100)])
HALF: tuple[Parts, Parts] = ([("head", 100), ("", 500)], [("head", 100), ("", 100)])
MIXED: tuple[Parts, Parts] = (
    [("head", 100), ("", 250), ("run", 80), ("", 250)],
    [("head", 100), ("", 350), ("run", 80), ("", 250)],
)


@pytest.mark.parametrize(
    ("texts", "sources", "reason"),
    [
        (HEAD, ("a", "a"), SITE),
        (FOOT, ("a", "a"), SITE),
        (BOTH, ("a", "a"), SITE),
        (HEAD, ("a", "b"), PASSAGES),
        (HEAD, ("", ""), PASSAGES),
        (MIDDLE, ("a", "a"), PASSAGES),
        (CROSSED, ("a", "a"), PASSAGES),
        (HALF, ("a", "a"), PASSAGES),
        (MIXED, ("a", "a"), PASSAGES),
    ],
)
def test_one_sources_head_and_foot_are_not_evidence(
    texts: tuple[Parts, Parts], sources: tuple[str, str], reason: str
) -> None:
    """Only where both are of one named source, nothing else is shared, and it is less than half of either text."""
    assert judge_pair(compared(*texts, sources=sources), DEFAULT).reason == reason


@pytest.mark.parametrize(
    ("judged", "stored", "name", "value", "below", "above"),
    [
        ([("a", 700), ("", 300)], [("a", 700)], "covered", judged_share, EDITED, HOLDS),
        ([("a", 900)], [("a", 900), ("", 900)], "same_article", lambda x: x.stored_cover.share, EDITED, INSIDE),
        ([("a", 500), ("", 900)], [("a", 500), ("", 300)], "extended", lambda x: x.stored_cover.share, HOLDS, PASSAGES),
        (*apart(100), "passage_letters", lambda x: x.longest_run, PASSAGES, NOTHING),
    ],
)  # fmt: skip
def test_thresholds_move_verdicts(
    judged: Parts, stored: Parts, name: str, value: object, below: str, above: str
) -> None:
    """A threshold at exactly the measured figure lets the rule hold, the next greater one does not."""
    x = compared(judged, stored)
    measured = value(x)  # type: ignore[operator]
    greater = measured + 1 if isinstance(measured, int) else math.nextafter(measured, 2)
    assert judge_pair(x, replace(DEFAULT, **{name: measured})).reason == below
    assert judge_pair(x, replace(DEFAULT, **{name: greater})).reason == above


def test_thresholds_of_reports_move_verdicts() -> None:
    """So do the share of changed numbers and the common share."""
    x = reports(2, 5, beside=400)
    numbers, common = changed_share(x), x.common_share
    fitting = replace(DEFAULT, numbers_changed=numbers, template=common)
    assert judge_pair(x, fitting).reason == NUMBERS
    assert judge_pair(x, replace(fitting, numbers_changed=math.nextafter(numbers, 1))).reason != NUMBERS
    assert judge_pair(x, replace(fitting, template=math.nextafter(common, 1))).reason != NUMBERS


def test_a_phrase_that_comes_twice_counts_as_covered() -> None:
    """A text that says a stored passage twice, too short for a second copy, is judged by the set of its shingles."""
    x = compared([("a", 30), ("b", 400), ("a", 30), ("c", 30), ("a", 30)], [("a", 30), ("b", 400), ("c", 30)])
    assert judged_share(x) >= x.containment
    assert judge_pair(x, DEFAULT).reason == EDITED


def test_rules_are_tried_in_the_order_of_the_docs() -> None:
    """The table of docs/judging.md names the rules in their order, and each threshold with its default."""
    table = DOCS.read_text(encoding="utf-8").split("## The rules, in order")[1].split("\n\n")[2]
    rows = [row.split("|")[1:4] for row in table.splitlines()[2:]]
    assert [reason.strip(" `") for reason, _, _ in rows] == [rule.reason for rule in RULES]
    documented = {name: float(value) for _, _, names in rows for name, value in re.findall(r"`(\w+)` ([\d.]+)", names)}
    assert documented == {
        field.name: getattr(DEFAULT, field.name) for field in fields(Thresholds) if field.name != "near_duplicate"
    }


def test_the_first_rule_that_holds_decides() -> None:
    """Where several hold, the verdict is that of the first: reports before copies, copies before excerpts."""
    x = reports(20, 0)
    held = [rule.reason for rule in RULES if rule.holds(x, DEFAULT)]
    assert held[0] == NUMBERS
    assert {EDITED, INSIDE, HOLDS, PASSAGES} <= set(held)
    assert judge_pair(x, DEFAULT) == (Verdict.TEMPLATE, NUMBERS)
    copy = compared([("a", 800)], [("a", 800)])
    assert [rule.reason for rule in RULES if rule.holds(copy, DEFAULT)] == [EDITED, INSIDE, HOLDS, PASSAGES]
    assert judge_pair(copy, DEFAULT) == (Verdict.NEAR_DUPLICATE, EDITED)


def test_signatures_alone_know_two_verdicts() -> None:
    """From the threshold on NEAR_DUPLICATE, below it NEW."""
    assert judge_signatures(0.7, DEFAULT) == (Verdict.NEAR_DUPLICATE, "SIGNATURES_AGREE")
    assert judge_signatures(0.69, DEFAULT) == (Verdict.NEW, NOTHING)
    assert judge_signatures(0.69, replace(DEFAULT, near_duplicate=0.69)).verdict is Verdict.NEAR_DUPLICATE


def test_repeated_is_what_the_policy_lists() -> None:
    """By default EXACT, NEAR_DUPLICATE and EXCERPT; else whatever the policy says; precedence is the enum's order."""
    repeated = {verdict for verdict in Verdict if is_repeated(verdict, Policy())}
    assert repeated == {Verdict.EXACT, Verdict.NEAR_DUPLICATE, Verdict.EXCERPT}
    only = Policy(repeated_verdicts=(Verdict.EXTENDED,))
    assert [verdict for verdict in Verdict if is_repeated(verdict, only)] == [Verdict.EXTENDED]
    assert [precedence(verdict) for verdict in Verdict] == list(range(7))
