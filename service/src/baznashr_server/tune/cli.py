"""The commands as they are typed. Everything heavy is imported where it is used, so that help is quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from baznashr.errors import BaznashrError
from baznashr.types import DEFAULT_CORPUS


def _fail(message: str, code: int) -> NoReturn:
    print(f"baznashr-server: {message}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def _failures() -> Iterator[None]:
    """End the process with a sentence where the work cannot be done or is interrupted."""
    from baznashr_server.tune.data import TuneError  # noqa: PLC0415 - see above

    try:
        yield
    except TuneError as error:
        _fail(str(error), 1)
    except BaznashrError as error:
        _fail(error.message, 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def tune(
    pairs: Annotated[Path | None, typer.Option(help="Labelled pairs, a JSON object a line.")] = None,
    articles: Annotated[Path | None, typer.Option(help="Their articles, a JSON object a line, .gz or plain.")] = None,
    data: Annotated[Path | None, typer.Option(help="Instead of pairs: a data folder that no server has open.")] = None,
    corpus: Annotated[str, typer.Option(help="The corpus of the data folder.")] = DEFAULT_CORPUS,
    sample: Annotated[int, typer.Option(min=1, help="Documents drawn from the corpus.")] = 1000,
    save: Annotated[Path | None, typer.Option(help="Folder for the sampled pairs, to be labelled by hand.")] = None,
    policy: Annotated[Path | None, typer.Option(help="The policy to start from, as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the sweeps into this file: .svg, .png or .pdf.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn at random.")] = 1,
    baseline: Annotated[bool, typer.Option("--baseline", help="Also score word 5-grams, the usual way; slow.")] = False,
) -> None:
    """Tell how well a policy judges labelled pairs and which thresholds would do better, or what a corpus holds.

    With --pairs and --articles it ends with the policy to paste; with --data it draws documents and shows how they
    were judged and would be under other thresholds.
    """
    if (pairs is None) == (data is None):
        _fail("give either --pairs with --articles, or --data", 2)
    if pairs is not None and articles is None:
        _fail("--pairs needs --articles, the texts that the pairs name", 2)
    with _failures():
        from baznashr_server.tune import command  # noqa: PLC0415 - see above

        start = command.read_policy(policy)
        if pairs is not None and articles is not None:
            command.tune_pairs(pairs, articles, start, plot, seed, typer.echo, usual=baseline)
        elif data is not None:
            command.tune_sample(data, corpus, sample, start, save, seed, typer.echo)


def export_overrides(
    data: Annotated[Path, typer.Argument(help="A data folder that no server has open.")],
    out: Annotated[Path, typer.Option(help="Folder for pairs.jsonl and articles.jsonl.")],
    corpus: Annotated[str, typer.Option(help="The corpus whose overrides are written.")] = DEFAULT_CORPUS,
) -> None:
    """Write what editors said as labelled pairs with their articles, for tune: a repeat is a yes, no repeat a no."""
    with _failures():
        from baznashr_server.tune import command  # noqa: PLC0415 - see above

        command.export_overrides(data, corpus, out, typer.echo)
