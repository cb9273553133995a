"""The commands and their options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from baznashr import Client
from baznashr.cli._answers import answer_all
from baznashr.cli._compare import compare
from baznashr.cli._connection import connected
from baznashr.cli._corpora import corpora
from baznashr.cli._inputs import STDIN, Records, read_inputs, size_of
from baznashr.cli._options import (
    EXIT_CODES,
    AsJson,
    CorpusName,
    ExitCode,
    Files,
    Jsonl,
    Quiet,
)
from baznashr.cli._printing import printer
from baznashr.cli._watch import watch
from baznashr.errors import NotImplementedByServer
from baznashr.types import DEFAULT_CORPUS, Document

_T = TypeVar("_T")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask a Baznashr server whether Persian texts are new, copied or republished.\n\n" + EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
@connected
def check(
    client: Client,
    files: Files = None,
    corpus: CorpusName = DEFAULT_CORPUS,
    jsonl: Jsonl = False,
    json: AsJson = False,
    quiet: Quiet = False,
    exit_code: ExitCode = False,
) -> None:
    """Judge texts and store nothing.

    A file is one text; with --jsonl, a line is. A line with an id is judged as that document's ingest would be.
    """
    files = _readable(files)
    inputs = read_inputs(files, jsonl=jsonl, make=lambda _, text: text, parse=Records().item)
    answer_all(
        inputs,
        lambda items: client.check_many(items, corpus, on_error="yield"),
        size_of(files),
        json=json,
        quiet=quiet,
        exit_code=exit_code,
    )


@app.command(epilog=EXIT_CODES)
@connected
def ingest(
    client: Client,
    files: Files = None,
    corpus: CorpusName = DEFAULT_CORPUS,
    jsonl: Jsonl = False,
    id: Annotated[str | None, typer.Option(help="The document's id; a file's name by default.")] = None,  # noqa: A002
    replace: Annotated[bool, typer.Option("--replace", help="Store over an id that has another text.")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
    exit_code: ExitCode = False,
) -> None:
    """Judge documents and store them.

    A file is one document, named by --id or by the file; with --jsonl, a line is, with an id of its own.
    """
    files = _readable(files)
    if id is not None and (jsonl or len(files) > 1):
        raise typer.BadParameter("One id names one document.", param_hint="--id")
    if id is None and not jsonl and STDIN in files:
        raise typer.BadParameter("A text from standard input needs an id.", param_hint="--id")
    inputs = read_inputs(
        files,
        jsonl=jsonl,
        make=lambda file, text: Document(id=file.name if id is None else id, text=text),
        parse=Records().document,
    )
    answer_all(
        inputs,
        lambda items: client.ingest_many(items, corpus, replace, on_error="yield"),
        size_of(files),
        json=json,
        quiet=quiet,
        exit_code=exit_code,
    )


@app.command(epilog=EXIT_CODES)
@connected
def status(client: Client, json: AsJson = False) -> None:
    """Show how the server is and what its corpora hold.

    Where it serves its AdminService at an address of its own, each of the two addresses tells its part.
    """
    server = _if_served(client.server_status)
    stats = _if_served(lambda: [client.corpus_stats(corpus.name) for corpus in client.list_corpora()])
    if server is None and stats is None:
        raise NotImplementedByServer("Neither the AdminService nor the CorpusService is served at this address.")
    printer(json=json).status(server, stats)
    if server is None:
        print("baznashr: the AdminService, which tells how the server is, is served elsewhere", file=sys.stderr)
    if stats is None:
        print("baznashr: only the AdminService is served here; what corpora hold is told elsewhere", file=sys.stderr)


def _if_served(ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except NotImplementedByServer:
        return None


def _readable(files: list[Path] | None) -> list[Path]:
    files = files or [STDIN]
    if files.count(STDIN) > 1:
        raise typer.BadParameter("Standard input can be only one of them.", param_hint="files")
    for file in files:
        if file != STDIN and (file.is_dir() or not os.access(file, os.R_OK)):
            raise typer.BadParameter(f"{file} is no file that can be read.", param_hint="files")
    return files


app.command(epilog=EXIT_CODES)(compare)
app.command(epilog=EXIT_CODES)(watch)
app.add_typer(corpora, name="corpus")


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - other commands need not wait for it

        print(f"baznashr {version('baznashr')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    pass
