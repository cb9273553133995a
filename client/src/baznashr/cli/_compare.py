"""The command that relates two texts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from baznashr import Client
from baznashr.cli import EXIT_REFUSED, EXIT_REPEATED
from baznashr.cli._connection import connected
from baznashr.cli._inputs import STDIN, read_text
from baznashr.cli._options import AsJson, ExitCode
from baznashr.cli._printing import printer
from baznashr.errors import InvalidDocument, InvalidText, MessageTooLarge
from baznashr.types import DEFAULT_CORPUS, Judgement, StoredId

_STORED = "stored:"


@dataclass(frozen=True, slots=True)
class _Operand:
    name: str
    """As it was given."""
    value: str | StoredId


@connected
def compare(
    client: Client,
    earlier: Annotated[str, typer.Argument(help="A UTF-8 file, - for stdin, or stored:ID for a stored document.")],
    later: Annotated[str, typer.Argument(help="The text to judge, given in the same way.")],
    corpus: Annotated[
        str | None, typer.Option("--corpus", "-c", help="Whose policy to use, and where stored documents are.")
    ] = None,
    json: AsJson = False,
    side_by_side: Annotated[
        bool | None,
        typer.Option(
            "--side-by-side/--no-side-by-side",
            show_default="on a terminal",
            help="Show both texts beside each other, with what they share in the same colour.",
        ),
    ] = None,
    exit_code: ExitCode = False,
) -> None:
    """Judge a later text as if only the earlier one were stored.

    Where no colours are shown, what the texts share stands in ⟦numbered brackets⟧.
    """
    if earlier == later == str(STDIN):
        raise typer.BadParameter("Standard input can be only one of the two.")
    out = printer(json=json)
    try:
        first, second = _operand(earlier, corpus), _operand(later, corpus)
        judgement = client.compare(first.value, second.value, corpus)
    except (InvalidText, InvalidDocument, MessageTooLarge) as error:
        out.error(f"{earlier} {later}", error)
        raise typer.Exit(EXIT_REFUSED) from None
    out.judgement(later, second.value if isinstance(second.value, str) else "", judgement)
    if not json and (sys.stdout.isatty() if side_by_side is None else side_by_side):
        _show_side_by_side(client, first, second, judgement)
    raise typer.Exit(EXIT_REPEATED if exit_code and judgement.repeated else 0)


def _operand(argument: str, corpus: str | None) -> _Operand:
    if argument.startswith(_STORED):
        return _Operand(argument, StoredId(argument.removeprefix(_STORED), corpus or DEFAULT_CORPUS))
    try:
        return _Operand(argument, read_text(Path(argument)))
    except OSError as error:
        raise typer.BadParameter(f"{argument}: {error.strerror}") from None


def _show_side_by_side(client: Client, earlier: _Operand, later: _Operand, judgement: Judgement) -> None:
    from baznashr.cli._side_by_side import Side, show  # noqa: PLC0415 - programs need not wait for rich

    def side(operand: _Operand) -> Side:
        stored = operand.value
        text = stored if isinstance(stored, str) else client.get(stored.id, stored.corpus).document.text
        return Side(operand.name, text)

    show(side(earlier), side(later), judgement.matches[0].spans if judgement.matches else ())
