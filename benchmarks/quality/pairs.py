"""The labelled pairs: this judge beside the baselines, per label, with intervals and every pair that is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from baznashr.types import Thresholds, Verdict
from benchmarks.quality import baselines
from benchmarks.quality.crossval import FOLDS, GRID, REPEATS, CrossValidated, Grid, cross_validate, threshold_chooser
from benchmarks.quality.data import Data
from benchmarks.quality.judged import EVIDENCE, JudgedPair, judge_pairs
from benchmarks.quality.scoring import Bools, Score, best_threshold, components, decided, interval, score, truth
from benchmarks.report import Bar, Cell, Table

USUAL = 0.7
"""The threshold that most pipelines use."""
OURS = "baznashr"
DIFFER = "two labels"


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One way to call pairs repeated."""

    name: str
    found: Bools
    """bool[pairs]"""
    validated: CrossValidated | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PairResults:
    judged: list[JudgedPair]
    methods: list[Method]
    """Ours first."""
    similarities: dict[str, NDArray[np.float64]]
    """Of each baseline, float64[pairs]."""
    true: Bools
    counted: Bools
    """Whose readers were sure."""
    groups: NDArray[np.int64]
    grid: Grid
    """Over the counted pairs."""

    def score(self, method: Method) -> Score:
        return score(method.found[self.counted], self.true[self.counted])


def measure(data: Data, seed: int) -> PairResults:
    judged = judge_pairs(data)
    true, counted, groups = truth(data.pairs), decided(data.pairs), components(data.pairs)
    sure, sure_true, sure_groups = [j for j in judged if j.pair.repeated != "unsure"], true[counted], groups[counted]
    grid = Grid.of(sure)
    found = np.array([j.called for j in judged], bool)
    methods = [Method(OURS, found, cross_validate(grid.chooser(sure_true), sure_true, sure_groups, seed))]
    shingles = baselines.shingled(data)
    similarities = {name: baselines.similarities(data, sets) for name, sets in shingles.items()}
    for name, values in similarities.items():
        best = best_threshold(values[counted], sure_true)
        validated = cross_validate(threshold_chooser(values[counted], sure_true), sure_true, sure_groups, seed)
        methods.append(Method(f"{name}, J ≥ {best:.2f} (best)", values >= best, validated))
        methods.append(Method(f"{name}, J ≥ {USUAL}", values >= USUAL))
    for name in (baselines.WORD_5_GRAMS, baselines.DIGIT_8_GRAMS):
        methods += _lsh_methods(data, shingles[name], name, true, counted)
    return PairResults(judged, methods, similarities, true, counted, groups, grid)


def _lsh_methods(data: Data, shingles: dict[str, set[str]], name: str, true: Bools, counted: Bools) -> list[Method]:
    found = baselines.minhash_lsh(data, shingles)
    scores = [score(row[counted], true[counted]).f1 for row in found]
    best = int(np.argmax(scores))
    usual = baselines.LSH_THRESHOLDS.index(USUAL)
    return [
        Method(f"datasketch LSH, {name}, {baselines.LSH_THRESHOLDS[best]} (best)", found[best]),
        Method(f"datasketch LSH, {name}, {USUAL}", found[usual]),
    ]


def score_table(results: PairResults, seed: int) -> Table:
    counted = results.counted
    rows: list[list[Cell]] = []
    for method in results.methods:
        reached = results.score(method)
        ranges = interval(method.found[counted], results.true[counted], results.groups[counted], seed)
        spread = [f"{low:.2f} to {high:.2f}" for low, high in ranges.values()]
        validated = method.validated
        across = f"{validated.f1:.3f} ({validated.lowest:.2f} to {validated.highest:.2f})" if validated else None
        figures = [f"{value:.3f}" for value in (reached.f1, reached.precision, reached.recall)]
        rows.append([method.name, *_interleaved(figures, spread), reached.wrong, reached.missed, across])
    columns = ["", "F1", "95 %", "precision", "95 %", "recall", "95 %", "wrong", "missed", "F1 cross-validated"]
    pairs = int(counted.sum())
    return Table("Repeated or not, on the labelled pairs", columns, rows).noted(
        f"{pairs} pairs whose readers were sure, {int(results.true.sum())} of them repeated. Intervals: bootstrap over "
        f"{np.unique(results.groups[counted]).size} groups of pairs that share documents (seed {seed}).\n"
        f"Cross-validated: {FOLDS} folds of whole groups, {REPEATS} times; thresholds chosen on the other folds, ours "
        f"from {len(results.grid.thresholds)} settings of {', '.join(GRID)}. The rules themselves were written with "
        "all pairs at hand, so the true figure for ours is lower than this one."
    )


def _interleaved(figures: list[str], spread: list[str]) -> list[Cell]:
    return [cell for both in zip(figures, spread, strict=True) for cell in both]


def _of_label(results: PairResults) -> dict[str, Bools]:
    """Return bool[pairs] by label, pairs whose readers gave two labels together."""
    names = [DIFFER if " or " in judged.pair.label else judged.pair.label for judged in results.judged]
    return {name: np.array(names) == name for name, _ in Counter(names).most_common()}


def called_table(results: PairResults) -> Table:
    """Return the share of pairs called repeated, by method and label."""
    labels = _of_label(results)
    rows: list[list[Cell]] = [
        [method.name, *(f"{method.found[of_label].mean():.1%}" for of_label in labels.values())]
        for method in results.methods
    ]
    columns = ["", *(f"{name} ({int(of_label.sum())})" for name, of_label in labels.items())]
    return Table("Share called repeated, by label", columns, rows)


def verdict_table(results: PairResults) -> Table:
    counts: dict[str, dict[Verdict, float]] = defaultdict(lambda: dict.fromkeys(Verdict, 0.0))
    for judged in results.judged:
        for direction in judged.directions:
            counts[judged.pair.label][direction.verdict] += 1 / len(judged.directions)
    rows: list[list[Cell]] = [
        [label, *(round(found[verdict], 1) for verdict in Verdict)] for label, found in sorted(counts.items())
    ]
    return Table("Verdicts by label", ["", *(verdict.value for verdict in Verdict)], rows).noted(
        "A pair whose order is unknown counts half for either direction."
    )


def wrong_table(results: PairResults) -> Table:
    """Return the evidence of every pair that is still wrong; ids and figures only."""
    rows: list[list[Cell]] = []
    for judged in wrong_pairs(results):
        pair = judged.pair
        for direction in judged.directions:
            stored, later = (pair.a, pair.b) if direction is judged.forward else (pair.b, pair.a)
            rows.append([f"{stored} → {later}", pair.label, pair.repeated, *direction.evidence()])
    return Table("Pairs that are still wrong", ["stored → judged", "label", "repeated", *EVIDENCE], rows)


def wrong_pairs(results: PairResults) -> list[JudgedPair]:
    wrong = results.counted & (results.methods[0].found != results.true)
    return [judged for judged, is_wrong in zip(results.judged, wrong, strict=True) if is_wrong]


def show_notes(results: PairResults) -> None:
    """Print what the readers noted of the wrong pairs; their words stay on the terminal."""
    for judged in wrong_pairs(results):
        pair = judged.pair
        print(f"wrong: {pair.a} {pair.b}: {pair.label}, repeated: {pair.repeated}: {pair.why}")


def sweep_table(results: PairResults) -> Table:
    """Return F1 with one threshold moved at a time."""
    true = results.true[results.counted]
    defaults = asdict(Thresholds())
    by_setting = {
        tuple(asdict(t).values()): found for t, found in zip(results.grid.thresholds, results.grid.found, strict=True)
    }
    rows: list[list[Cell]] = []
    for name, values in GRID.items():
        for value in values:
            reached = score(by_setting[tuple({**defaults, name: value}.values())], true)
            default = " (default)" if value == defaults[name] else ""
            rows.append([f"{name} = {value}{default}", f"{reached.f1:.3f}", reached.wrong, reached.missed])
    return Table("One threshold moved", ["", "F1", "wrong", "missed"], rows)


def bars(results: PairResults) -> list[Bar]:
    validated = results.methods[0].validated
    assert validated is not None

    def of(label: str) -> list[JudgedPair]:
        return [judged for judged in results.judged if judged.pair.label == label]

    def share(label: str) -> float:
        return sum(judged.called for judged in of(label)) / max(1, len(of(label)))

    found = [
        any(d.repeated or d.verdict is Verdict.EXTENDED for d in judged.directions)
        for judged in of("DUP")
        if judged.pair.repeated != "unsure"
    ]
    return [
        Bar("F1 on the pairs, fitted", results.score(results.methods[0]).f1, 0.90),
        Bar("F1 on the pairs, cross-validated", validated.f1, 0.86),
        Bar("share of TEMPLATE pairs called repeated", share("TEMPLATE"), 0.03, at_least=False),
        Bar("share of BOILER pairs called repeated", share("BOILER"), 0.03, at_least=False),
        Bar("EVENT pairs called repeated", float(sum(judged.called for judged in of("EVENT"))), 1, at_least=False),
        Bar("share of DUP pairs called repeated or EXTENDED", sum(found) / max(1, len(found)), 0.93),
    ]


def tables(results: PairResults, seed: int) -> list[Table]:
    return [
        score_table(results, seed),
        called_table(results),
        verdict_table(results),
        sweep_table(results),
        wrong_table(results),
    ]
