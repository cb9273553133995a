"""The commands and their options."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from baznashr import Client
from baznashr._batching import Outcome
from baznashr.cli import EXIT_REFUSED, EXIT_REPEATED
from baznashr.cli._inputs import STDIN, Input, parse_document, parse_item, read_inputs, read_text
from baznashr.cli._options import (
    EXIT_CODES,
    LOCAL,
    AsJson,
    CorpusName,
    ExitCode,
    Files,
    Jsonl,
    Server,
    Timeout,
    Token,
)
from baznashr.cli._printing import printer
from baznashr.types import DEFAULT_CORPUS, Document, Judgement, StoredId

_STORED = "stored:"

_T = TypeVar("_T")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Ask a Baznashr server whether Persian texts are new, copied or republished.\n\n" + EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
def check(
    files: Files = None,
    server: Server = LOCAL,
    corpus: CorpusName = DEFAULT_CORPUS,
    jsonl: Jsonl = False,
    json: AsJson = False,
    exit_code: ExitCode = False,
    timeout: Timeout = 5.0,
    token: Token = None,
) -> None:
    """Judge texts and store nothing.

    A file is one text; with --jsonl, a line is. A line with an id is judged as that document's ingest would be.
    """
    inputs = read_inputs(_readable(files), jsonl=jsonl, make=lambda _, text: text, parse=parse_item)
    with Client(server, timeout=timeout, token=token) as client:
        _answer(
            inputs, lambda items: client.check_many(items, corpus, on_error="yield"), json=json, exit_code=exit_code
        )


@app.command(epilog=EXIT_CODES)
def ingest(
    files: Files = None,
    server: Server = LOCAL,
    corpus: CorpusName = DEFAULT_CORPUS,
    jsonl: Jsonl = False,
    id: Annotated[str | None, typer.Option(help="The document's id; a file's name by default.")] = None,  # noqa: A002
    replace: Annotated[bool, typer.Option("--replace", help="Store over an id that has another text.")] = False,
    json: AsJson = False,
    exit_code: ExitCode = False,
    timeout: Timeout = 5.0,
    token: Token = None,
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
        files, jsonl=jsonl, make=lambda name, text: Document(id=id or name, text=text), parse=parse_document
    )
    with Client(server, timeout=timeout, token=token) as client:
        _answer(
            inputs,
            lambda items: client.ingest_many(items, corpus, replace, on_error="yield"),
            json=json,
            exit_code=exit_code,
        )


@app.command(epilog=EXIT_CODES)
def compare(
    earlier: Annotated[str, typer.Argument(help="A UTF-8 file, - for stdin, or stored:ID for a stored document.")],
    later: Annotated[str, typer.Argument(help="The text to judge, given in the same way.")],
    server: Server = LOCAL,
    corpus: Annotated[
        str | None, typer.Option("--corpus", "-c", help="Whose policy to use, and where stored documents are.")
    ] = None,
    json: AsJson = False,
    exit_code: ExitCode = False,
    timeout: Timeout = 5.0,
    token: Token = None,
) -> None:
    """Judge a later text as if only the earlier one were stored."""
    with Client(server, timeout=timeout, token=token) as client:
        judged = _operand(later, corpus)
        judgement = client.compare(_operand(earlier, corpus), judged, corpus)
    text = judged if isinstance(judged, str) else ""
    printer(json=json).judgement(later, text, judgement)
    raise typer.Exit(EXIT_REPEATED if exit_code and judgement.repeated else 0)


@app.command(epilog=EXIT_CODES)
def status(server: Server = LOCAL, json: AsJson = False, timeout: Timeout = 5.0, token: Token = None) -> None:
    """Show how the server is and what its corpora hold."""
    with Client(server, timeout=timeout, token=token) as client:
        server_status = client.server_status()
        corpora = [client.corpus_stats(corpus.name) for corpus in client.list_corpora()]
    printer(json=json).status(server_status, corpora)


def _readable(files: list[Path] | None) -> list[Path]:
    for file in files or ():
        if file != STDIN and not (file.is_file() and os.access(file, os.R_OK)):
            raise typer.BadParameter(f"{file} is no file that can be read.", param_hint="files")
    return files or [STDIN]


def _operand(argument: str, corpus: str | None) -> str | StoredId:
    if argument.startswith(_STORED):
        return StoredId(argument.removeprefix(_STORED), corpus or DEFAULT_CORPUS)
    try:
        return read_text(Path(argument))
    except OSError as error:
        raise typer.BadParameter(f"{argument}: {error.strerror}") from None


def _text(item: object) -> str:
    return item.text if isinstance(item, Document) else str(item)


def _answer(
    inputs: Iterable[Input[_T]], ask: Callable[[Iterator[_T]], Iterator[Outcome]], *, json: bool, exit_code: bool
) -> None:
    """Show what becomes of each input, in order, and end with the exit code that sums it up."""
    out = printer(json=json)
    waiting: deque[Input[_T]] = deque()
    refused = repeated = False

    def readable() -> Iterator[_T]:
        for entry in inputs:
            waiting.append(entry)
            if entry.item is not None:
                yield entry.item

    def show(entry: Input[_T], outcome: Outcome | None) -> None:
        nonlocal refused, repeated
        if isinstance(outcome, Judgement):
            repeated = repeated or outcome.repeated
            out.judgement(entry.name, _text(entry.item), outcome)
        elif outcome is not None:
            refused = True
            out.error(entry.name, outcome)

    def show_unreadable() -> None:
        while waiting and waiting[0].error is not None:
            entry = waiting.popleft()
            show(entry, entry.error)

    for outcome in ask(readable()):
        show_unreadable()
        show(waiting.popleft(), outcome)
    show_unreadable()
    raise typer.Exit(EXIT_REFUSED if refused else EXIT_REPEATED if exit_code and repeated else 0)
