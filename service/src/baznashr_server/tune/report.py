"""The command's answers as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from baznashr.types import Policy, Verdict
from baznashr_server.index.bands import BANDS, ROWS, candidate_probability
from baznashr_server.judge.rules import is_repeated
from baznashr_server.tune import policies
from baznashr_server.tune.scoring import Compared, Score, interval, score
from baznashr_server.tune.sweep import FOLDS, NAMES, WITHOUT_TEXT, cross_validate, fit, sweep

CURVE = tuple(step / 100 for step in range(30, 100, 5))
"""Similarities at which the S-curve is shown."""
MAX_WRONG = 50
"""Pairs listed one by one."""


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return aligned columns, the first to the left and the others to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join("  " + line.rstrip() for line in lines)


def _figures(found: Score) -> list[str]:
    return [f"{found.precision:.3f}", f"{found.recall:.3f}", f"{found.f1:.3f}"]


def s_curve() -> str:
    """Show how likely signatures alone make two texts of some similarity candidates for each other."""
    rows = [(f"J = {similarity:.2f}", f"{candidate_probability(similarity):.4f}") for similarity in CURVE]
    return f"Candidates by signature, {BANDS} bands of {ROWS} rows:\n{table(['similarity', 'probability'], rows)}"


def recall(compared: Sequence[Compared], policy: Policy) -> str:
    """Show how many of the pairs labelled repeated can be found at all, and what the threshold asks."""
    least = policy.thresholds.near_duplicate
    wanted = [one for one in compared if one.pair.repeated]
    rows = [
        ("by a band of the signature", sum(one.by_bands for one in wanted)),
        ("by a shared passage", sum(one.by_passages for one in wanted)),
        ("by either", sum(one.by_bands or one.by_passages for one in wanted)),
        (f"similarity at least {least:g}", sum(one.similarity >= least for one in wanted)),
    ]
    expected = sum(candidate_probability(one.similarity) for one in wanted)
    return (
        f"At the threshold near_duplicate = {least:g} the signature finds {candidate_probability(least):.1%}.\n"
        f"Of the {len(wanted)} pairs labelled repeated, found as candidates ({expected:.1f} expected by signature):\n"
        + table(["", "pairs"], rows)
    )


def confusion(compared: Sequence[Compared], policy: Policy) -> str:
    """Show what pairs of each label were called."""
    header = ["label", "repeated?", "pairs", *(verdict.value for verdict in Verdict), "wrong"]
    rows = []
    kinds = Counter((one.pair.label, _word(one.pair.repeated)) for one in compared)
    for label, word in sorted(kinds, key=lambda kind: (-kinds[kind], kind)):
        own = [one for one in compared if (one.pair.label, _word(one.pair.repeated)) == (label, word)]
        called = Counter(one.ruling(policy).verdict for one in own)
        wrong = sum(_is_wrong(one, policy) for one in own)
        rows.append((label or "-", word, len(own), *(called[verdict] or "." for verdict in Verdict), wrong or "."))
    return "What the pairs are called, by label:\n" + table(header, rows)


def _word(repeated: bool | None) -> str:
    return {True: "yes", False: "no", None: "unsure"}[repeated]


def _is_wrong(one: Compared, policy: Policy) -> bool:
    return one.pair.repeated is not None and is_repeated(one.ruling(policy).verdict, policy) is not one.pair.repeated


def wrong(compared: Sequence[Compared], policy: Policy) -> str:
    """List the pairs that are called wrong, with the figures that the rules read."""
    found = [one for one in compared if _is_wrong(one, policy)]
    rows = []
    for one in found[:MAX_WRONG]:
        x = one.directions[0].comparison
        ruling = one.ruling(policy)
        shares = (f"{share:.2f}" for share in (x.similarity, x.judged_cover.share, x.stored_cover.share))
        numbers = f"{len(x.numbers.changed)}/{len(x.numbers.changed) + x.numbers.same}"
        rows.append(
            (f"{one.pair.a} {one.pair.b}", one.pair.label or "-", ruling.verdict.value, ruling.reason, *shares, numbers)
        )
    header = ["pair", "label", "called", "by rule", "J", "of b in a", "of a in b", "numbers changed"]
    more = f"\n  and {len(found) - MAX_WRONG} more" if len(found) > MAX_WRONG else ""
    return f"Wrong: {len(found)} pairs\n" + (table(header, rows) + more if found else "")


def sweeps(compared: Sequence[Compared], policy: Policy, step: Callable[[], None]) -> Iterator[str]:
    """Show for each threshold what its values would do, the others as they are; neighbours that agree in one row."""
    for name in NAMES:
        own = getattr(policy.thresholds, name)
        rows = []
        for found, run in groupby(sweep(compared, policy, name), key=lambda tried: tried[1]):
            values = [value for value, _ in run]
            span = f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"
            rows.append((span, *_figures(found), "<- now" if own in values else ""))
        note = ", of the signatures alone" if name == WITHOUT_TEXT else ""
        step()
        yield f"{name} (now {own:g}){note}:\n" + table(["value", "precision", "recall", "F1", ""], rows)


def advice(compared: Sequence[Compared], policy: Policy, seed: int, step: Callable[[], None]) -> str:
    """Fit the thresholds, and print the policy to paste: the fitted one where it holds on pairs it has not seen."""
    now = score(compared, policy)
    low, high = interval(compared, policy, seed)
    fitted = fit(compared, policy)
    step()
    fitted_low, fitted_high = interval(compared, fitted, seed)
    unseen = cross_validate(compared, policy, seed, step)
    rows = [
        ("now", *_figures(now), f"{low:.3f} to {high:.3f}"),
        ("fitted to all pairs", *_figures(score(compared, fitted)), f"{fitted_low:.3f} to {fitted_high:.3f}"),
        (f"fitted, on pairs not fitted to ({FOLDS} folds by story)", *_figures(unseen), ""),
    ]
    better = unseen.f1 > now.f1
    if better:
        changes = policies.describe_changes(policy, fitted)
        verdict = f"Fitted thresholds do better on pairs they were not fitted to: {changes}."
    else:
        verdict = "Keep the thresholds: fitted ones do no better on pairs they were not fitted to."
    return (
        f"Thresholds, with 95 % intervals of F1:\n{table(['', 'precision', 'recall', 'F1', 'interval'], rows)}\n\n"
        f"{verdict}\nThe policy to paste:\n{policies.to_json(fitted if better else policy)}"
    )
