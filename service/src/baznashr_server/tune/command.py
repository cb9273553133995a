"""The commands `tune` and `export-overrides`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from baznashr.errors import BaznashrError
from baznashr.types import Document, Policy
from baznashr_server.tune import baseline, plot, policies, report, sample
from baznashr_server.tune.data import ARTICLES, PAIRS, Pair, TuneError, check_free, read_articles, read_pairs, write
from baznashr_server.tune.progress import Progress
from baznashr_server.tune.scoring import Compared, compare_pairs
from baznashr_server.tune.stored import opened, with_texts
from baznashr_server.tune.sweep import FOLDS, NAMES

Echo = Callable[[str], None]


def _compare(pairs: Sequence[Pair], articles: Mapping[str, Document]) -> tuple[list[Compared], str]:
    """Return the pairs compared, and what is to be said of those that cannot be."""
    progress = Progress("comparing pairs", len(pairs))
    found = list(progress.of(compare_pairs(pairs, articles)))
    compared = [one for one in found if not isinstance(one, BaznashrError)]
    refused = [one for one in found if isinstance(one, BaznashrError)]
    note = f"{len(refused)} pairs left out, the first because: {refused[0].message}" if refused else ""
    return compared, note


def tune_pairs(
    pairs_file: Path,
    articles_file: Path,
    policy: Policy | None,
    plot_file: Path | None,
    seed: int,
    echo: Echo,
    *,
    usual: bool = False,
) -> None:
    """Report on labelled pairs, from the S-curve to the policy to paste; with *usual* on the usual pipeline first.

    Raises:
        TuneError: A file cannot be read or written, or there is nothing to learn from the pairs.
    """
    if plot_file is not None:
        plot.check(plot_file)
    policy = policy or Policy()
    pairs = read_pairs(pairs_file)
    articles = read_articles(articles_file, {name for pair in pairs for name in (pair.a, pair.b)})
    compared, note = _compare(pairs, articles)
    labels = {one.pair.repeated for one in compared}
    if not {True, False} <= labels:
        raise TuneError(f"{pairs_file}: it takes pairs labelled yes and pairs labelled no to tell a good policy")
    if usual:
        echo(baseline.report(compared) + "\n")
    progress = Progress("trying thresholds", len(NAMES) + FOLDS + 1)
    for part in _pair_report(compared, policy, seed, progress):
        echo(part + "\n")
    if plot_file is not None:
        plot.draw(plot_file, compared, policy)
        echo(f"Plot written to {plot_file}")
    if note:
        echo(note)


def _pair_report(compared: Sequence[Compared], policy: Policy, seed: int, progress: Progress) -> Iterator[str]:
    yield report.s_curve()
    yield report.recall(compared, policy)
    yield report.confusion(compared, policy)
    yield report.wrong(compared, policy)
    yield from report.sweeps(compared, policy, progress.step)
    yield report.advice(compared, policy, seed, progress.step)


def tune_sample(
    data: Path, corpus: str, size: int, policy: Policy | None, save: Path | None, seed: int, echo: Echo
) -> None:
    """Report on a random sample of a corpus, under *policy* or the corpus's own; *save* its pairs to be labelled.

    Raises:
        TuneError: There is no such corpus, or nothing in it; a file is there already or cannot be written.
        StoreError: The data folder cannot be used, as where a server has it.
    """
    if save is not None:
        check_free(save)
    with opened(data, corpus) as stored:
        drawn = list(stored.sample(size, seed))
        if not drawn:
            raise TuneError(f"corpus {corpus} is empty")
        pairs, articles = with_texts(stored, sample.match_pairs(drawn))
        policy = policy or stored.policy
    echo(f"{len(drawn)} documents of corpus {corpus}, drawn by seed {seed}.\n")
    echo(sample.verdicts(drawn) + "\n")
    echo(sample.similarities(drawn) + "\n")
    compared, note = _compare(pairs, {article.id: article for article in articles})
    by_document: dict[str, list[Compared]] = {}
    for one in compared:
        by_document.setdefault(one.pair.b, []).append(one)
    echo("Repeated if they were judged again, by the texts of their matches:\n")
    for part in sample.shares(by_document, len(drawn), policy):
        echo(part + "\n")
    if note:
        echo(note)
    if save is not None:
        best = [found[0].pair for found in by_document.values()]
        used = {name for pair in best for name in (pair.a, pair.b)}
        write(save, best, [article for article in articles if article.id in used])
        echo(f"{len(best)} pairs to label written to {save / PAIRS}, their articles to {save / ARTICLES}")


def export_overrides(data: Path, corpus: str, out: Path, echo: Echo) -> None:
    """Write a corpus's overrides as labelled pairs, with their articles.

    Raises:
        TuneError: There is no such corpus, or the files are there already or cannot be written.
        StoreError: The data folder cannot be used, as where a server has it.
    """
    with opened(data, corpus) as stored:
        pairs = stored.labelled_pairs()
        kept, articles = with_texts(stored, pairs)
    write(out, kept, articles)
    echo(f"{len(kept)} pairs written to {out / PAIRS}, {len(articles)} articles to {out / ARTICLES}")
    if len(kept) < len(pairs):
        echo(f"{len(pairs) - len(kept)} pairs left out: a text is no longer stored")


def read_policy(file: Path | None) -> Policy | None:
    return None if file is None else policies.read(file)
