"""The options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from baznashr.cli import (
    EXIT_FAILED,
    EXIT_FILES,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_REPEATED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
)

EXIT_CODES = f"""Exit codes: 0 all was answered; {EXIT_REFUSED} some inputs were refused, the rest were answered;
{EXIT_USAGE} wrong usage; {EXIT_UNREACHABLE} the server cannot be reached, is overloaded or late;
{EXIT_FAILED} the server refused or failed the call; {EXIT_FILES} a file cannot be read, or the answers not be written;
{EXIT_REPEATED} with --exit-code, a text is repeated content; {EXIT_INTERRUPTED} interrupted."""

Files: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(show_default="standard input", help="UTF-8 files; - is standard input."),
]
CorpusName: TypeAlias = Annotated[str, typer.Option("--corpus", "-c", help="The corpus.")]
Jsonl: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--jsonl", help="Files hold one JSON object a line: text, id, title, source, url, published_at, labels."
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
ExitCode: TypeAlias = Annotated[
    bool, typer.Option("--exit-code", help=f"End with {EXIT_REPEATED} where a text is repeated content.")
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only what was refused and, at the end, how many of each verdict.")
]
