"""The commands about corpora."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from baznashr import Client
from baznashr.cli._connection import connected
from baznashr.cli._options import EXIT_CODES, AsJson
from baznashr.cli._printing import printer

corpora = typer.Typer(no_args_is_help=True, help="List, create and delete corpora.", epilog=EXIT_CODES)

Name = Annotated[str, typer.Argument(help="1 to 64 of a-z, 0-9, - and _; first a letter or digit.")]


@corpora.command(name="list", epilog=EXIT_CODES)
@connected
def list_(client: Client, json: AsJson = False) -> None:
    """List the corpora."""
    printer(json=json).corpora(client.list_corpora())


@corpora.command(epilog=EXIT_CODES)
@connected
def create(
    client: Client,
    name: Name,
    window_days: Annotated[
        int, typer.Option(min=0, help="Forget what was published so many days before the newest; 0 keeps all.")
    ] = 0,
    keep_text: Annotated[
        bool, typer.Option(help="Without texts nothing is verified, and only copies are recognized.")
    ] = True,
    json: AsJson = False,
) -> None:
    """Create a corpus with the default policy."""
    printer(json=json).corpora([client.create_corpus(name, window_days=window_days, keep_text=keep_text)])


@corpora.command(epilog=EXIT_CODES)
@connected
def delete(
    client: Client,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a corpus and all its documents."""
    count = client.corpus_stats(name).documents
    if not yes:
        documents = "1 document" if count == 1 else f"{count:,} documents"
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"{name} holds {documents}: give --yes to delete what it holds.")
        typer.confirm(f"Delete {name} and its {documents}?", abort=True)
    client.delete_corpus(name)
