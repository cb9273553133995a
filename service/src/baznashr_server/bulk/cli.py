"""The command that judges a whole archive, as it is typed."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from baznashr.errors import BaznashrError

if TYPE_CHECKING:
    from baznashr_server.bulk.apart import Apart
    from baznashr_server.bulk.options import Options

SOME_WRONG = 3
"""Exit code: the work is done, and something was wrong with what it was done on."""
INTERRUPTED = 130
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        print(f"baznashr-server: {line}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def _failures() -> Iterator[None]:
    """End the process with a sentence and code 1 where the work cannot be done."""
    try:
        yield
    except BaznashrError as error:
        _fail(f"{error.field}: {error.message}" if error.field else error.message, 1)
    except OSError as error:  # such as a full disk
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 1)


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, globs, or '-' for standard input: .jsonl, .csv, .tsv, .parquet, .txt, "
        "each also .gz, .zst, .xz, .bz2.",
    ),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The folder of all outputs; new, or of a run to go on with.")]
Id = Annotated[str, typer.Option("--id", metavar="NAME", help="Field of the id; guessed without, as all fields.")]
Text = Annotated[str, typer.Option(metavar="NAME", help="Field of the text. A dot leads into an object.")]
Title = Annotated[str, typer.Option(metavar="NAME", help="Field of the title; '-' for none.")]
Url = Annotated[str, typer.Option(metavar="NAME", help="Field of the URL; '-' for none.")]
Source = Annotated[str, typer.Option(metavar="NAME", help="Field of the publisher; else the URL's host.")]
Published = Annotated[
    str, typer.Option("--time", metavar="NAME", help="Field of the publish time: ISO 8601, Jalali, seconds.")
]
Zone = Annotated[str, typer.Option(help="Zone of times that name none.")]
Encoding = Annotated[str, typer.Option(help="Of text files, such as windows-1256.")]
Format = Annotated[
    str, typer.Option("--format", help="jsonl, csv, tsv, parquet or text, where the name does not say it.")
]
Kept = Annotated[str, typer.Option(help="Which document of a cluster is kept: earliest, longest or source-rank.")]
Ranks = Annotated[str, typer.Option(metavar="A,B,C", help="Sources, the most trusted first.")]
Clean = Annotated[bool, typer.Option("--clean", help="Write kept texts without their second copies.")]
Sample = Annotated[int, typer.Option(help="Judge only so many articles, the earliest.")]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be read and how; write nothing.")]
Against = Annotated[
    Path | None, typer.Option(metavar="DATA", help="Judge against this data folder too, which stays as it is.")
]
Build = Annotated[Path | None, typer.Option(metavar="DATA", help="Leave a data folder that 'serve' opens; a new one.")]
CorpusName = Annotated[str, typer.Option(help="Corpus of those data folders.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="Most memory it may take, such as 2G.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing on the way.")]


def bulk(  # noqa: PLR0913, PLR0917 - one parameter a flag, none of which is passed by hand
    context: typer.Context,
    inputs: Inputs,
    out: Out,
    id_field: Id = "",
    text: Text = "",
    title: Title = "",
    url: Url = "",
    source: Source = "",
    published: Published = "",
    timezone: Zone = "Asia/Tehran",
    encoding: Encoding = "utf-8",
    form: Format = "",
    keep: Kept = "earliest",
    source_ranks: Ranks = "",
    clean: Clean = False,
    sample: Sample = 0,
    report: Report = True,
    dry_run: DryRun = False,
    against: Against = None,
    build: Build = None,
    corpus: CorpusName = "default",
    memory: Memory = "",
    quiet: Quiet = False,
) -> None:
    """Judge a whole archive in order of publish time, as the service would, and write what may be kept.

    Leaves judgements.parquet, clusters.parquet, the kept set in the form of the input, report.html, run.json,
    rejects.jsonl and lists for other tools in DIR. Interrupted or killed, the same command goes on where it stopped.

    Exit code 0: all rows were judged. 1: the run could not be made. 2: the command line is wrong. 3: done, but some
    rows were rejected or files not read to their end (rejects.jsonl says which and why). 130: interrupted.

    Example: baznashr-server bulk 'archive/*.jsonl.gz' --out deduped
    """
    fields = {"id": id_field, "text": text, "title": title, "url": url, "source": source, "time": published}
    with _failures():
        from baznashr_server.bulk.inputs import Form  # noqa: PLC0415 - slow, and not needed for help
        from baznashr_server.bulk.options import Keep, Options  # noqa: PLC0415

        options = Options(
            inputs=tuple(inputs),
            out=out,
            form=_one_of(Form, form, "format") if form else None,
            fields={name: given for name, given in fields.items() if given},
            zone=timezone,
            encoding=encoding,
            keep=_one_of(Keep, keep, "keep"),
            clean=clean,
            sample=sample,
            source_ranks=tuple(filter(None, map(str.strip, source_ranks.split(",")))),
            against=against,
            build=build,
            corpus=corpus,
            report=report,
            dry_run=dry_run,
            memory=_bytes(memory) if memory else None,
        )
        result = _run(options, context.obj, quiet=quiet)
    if result is not None:
        _print_summary(out, result)
        counts = result["counts"]
        raise typer.Exit(SOME_WRONG if counts["rejected"] or counts["unreadable_files"] else 0)


def _run(options: Options, apart: Apart | None, *, quiet: bool) -> Mapping[str, Any] | None:
    from baznashr_server.bulk.inputs import Interrupted  # noqa: PLC0415 - see above
    from baznashr_server.bulk.progress import shown  # noqa: PLC0415
    from baznashr_server.bulk.run import Run  # noqa: PLC0415

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    with _stop() as stopping:
        try:
            return Run(options, shown(quiet=quiet), say, stopping.is_set, apart)()
        except Interrupted:
            _fail(f"interrupted; the same command goes on from here (in {options.out})", INTERRUPTED)


def _one_of[T: StrEnum](kind: type[T], value: str, flag: str) -> T:
    try:
        return kind(value)
    except ValueError:
        _fail(f"--{flag}: {value!r} is none of {', '.join(kind)}", 2)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        _fail(f"--memory: {text!r} is no size, such as 2G", 2)
    return int(float(found[1]) * _UNITS[found[2].upper()])


@contextmanager
def _stop() -> Iterator[Event]:
    """Give an event that Ctrl-C and SIGTERM set; a second one ends the process at once, which loses nothing either."""
    stopping = Event()

    def stop(_number: int, _frame: object) -> None:
        if stopping.is_set():
            os._exit(INTERRUPTED)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_summary(out: Path, result: Mapping[str, Any]) -> None:
    counts, timings = result["counts"], result["timings"]
    judged = counts["judged"]
    print(f"{out}: {judged:,} articles judged, {counts['kept']:,} kept, {counts['duplicates']:,} not")
    for verdict, count in counts["verdicts"].items():
        print(f"  {verdict:<15}{count:>12,}  {count / max(1, judged):6.1%}")
    print(f"  clusters of more than one: {counts['clusters']:,}")
    print(f"  articles that repeat themselves: {counts['self_repeating']:,}")
    if counts.get("collapsed"):
        print(f"  equal rows collapsed: {counts['collapsed']:,}")
    if counts["rejected"] or counts["unreadable_files"]:
        print(
            f"  rejected: {counts['rejected']:,} rows, {counts['unreadable_files']:,} files not read to their end;"
            f" see {out / 'rejects.jsonl'}"
        )
    print(f"  {timings['total']:,.1f} s, at most {result['memory']['peak'] / 1e6:,.0f} MB of memory")


def run_alone(arguments: list[str], apart: Apart | None) -> None:
    """Run the command as `baznashr-server bulk`; *apart* judges, where it was started."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(bulk)
    app(arguments, prog_name="baznashr-server bulk", obj=apart)
