"""The commands about corpora."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from baznashr import Client
from baznashr.cli._options import EXIT_CODES, LOCAL, AsJson, Server, Timeout, Token
from baznashr.cli._printing import printer

corpora = typer.Typer(no_args_is_help=True, help="List, create and delete corpora.", epilog=EXIT_CODES)

Name = Annotated[str, typer.Argument(help="1 to 64 of a-z, 0-9, - and _; first a letter or digit.")]


@corpora.command(name="list", epilog=EXIT_CODES)
def list_(server: Server = LOCAL, json: AsJson = False, timeout: Timeout = 5.0, token: Token = None) -> None:
    """List the corpora."""
    with Client(server, timeout=timeout, token=token) as client:
        printer(json=json).corpora(client.list_corpora())


@corpora.command(epilog=EXIT_CODES)
def create(
    name: Name,
    window_days: Annotated[
        int, typer.Option(min=0, help="Forget what was published so many days before the newest; 0 keeps all.")
    ] = 0,
    keep_text: Annotated[
        bool, typer.Option(help="Without texts nothing is verified, and only copies are recognized.")
    ] = True,
    server: Server = LOCAL,
    json: AsJson = False,
    timeout: Timeout = 5.0,
    token: Token = None,
) -> None:
    """Create a corpus with the default policy."""
    with Client(server, timeout=timeout, token=token) as client:
        printer(json=json).corpora([client.create_corpus(name, window_days=window_days, keep_text=keep_text)])


@corpora.command(epilog=EXIT_CODES)
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: Server = LOCAL,
    timeout: Timeout = 5.0,
    token: Token = None,
) -> None:
    """Delete a corpus and all its documents."""
    with Client(server, timeout=timeout, token=token) as client:
        documents = client.corpus_stats(name).documents
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter(f"{name} holds {documents:,} documents: give --yes to delete them.")
            typer.confirm(f"Delete {name} and its {documents:,} documents?", abort=True)
        client.delete_corpus(name)
