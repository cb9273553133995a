"""The command that takes files as they arrive in a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from baznashr import Client
from baznashr._batching import Outcome
from baznashr.cli import EXIT_INTERRUPTED
from baznashr.cli._answers import Answers, paired
from baznashr.cli._arrivals import Arrivals
from baznashr.cli._connection import connected
from baznashr.cli._inputs import Input, Records, read_inputs
from baznashr.cli._options import AsJson, CorpusName, Jsonl, Quiet
from baznashr.errors import BaznashrError
from baznashr.pipeline._policy import UNAVAILABLE
from baznashr.types import DEFAULT_CORPUS, Document

_SCAN_SECONDS = 30.0
"""The system may drop notices of changes, so the folder is looked through this often as well."""
_TURN_MS = 500
"""How often files are looked at that may have come to rest."""
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.5, 30.0

_Notice: TypeAlias = Iterable[tuple[Any, str]]
"""The kinds and paths of what changed; empty in a turn without changes."""


@connected
def watch(
    client: Client,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder; subfolders too.")],
    corpus: CorpusName = DEFAULT_CORPUS,
    check: Annotated[bool, typer.Option("--check", help="Judge only, and store nothing.")] = False,
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            help="Of the names of files to take; may be given several times.",
            show_default="*.txt, or *.jsonl with --jsonl",
        ),
    ] = None,
    jsonl: Jsonl = False,
    new_only: Annotated[bool, typer.Option("--new-only", help="Pass over the files that are there already.")] = False,
    settle: Annotated[float, typer.Option(min=0, help="Seconds for which a file must not have changed.")] = 1.0,
    polling: Annotated[
        bool, typer.Option("--polling", help="Look for changes in turn, as on network disks that send no notices.")
    ] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ingest a folder's files as they arrive.

    Those that are there come first; an interrupt ends it. A file is one document, named by its path in the folder;
    with --jsonl, a line is, with an id of its own. A changed file is judged anew and replaces its old version; deleting
    a file changes nothing. While the service is away files wait, and standard error says so.
    """
    folder = folder.resolve()
    if str(folder).encode(errors="replace").decode() != str(folder):
        raise typer.BadParameter(f"{folder}: the path is not UTF-8.")
    arrivals = Arrivals(folder, pattern or (["*.jsonl"] if jsonl else ["*.txt"]), settle)
    if new_only:
        arrivals.take_all()
    answers = Answers(json=json, quiet=quiet)
    records = Records()

    def name_of(file: Path) -> str:
        return file.relative_to(folder).as_posix()

    def ask(items: Iterator[Any]) -> Iterator[Outcome]:
        if check:
            return client.check_many(items, corpus, on_error="yield")
        return client.ingest_many(items, corpus, replace=True, on_error="yield")

    def read(files: Iterable[Path]) -> Iterator[Input[Any]]:
        return read_inputs(
            files,
            jsonl=jsonl,
            make=lambda file, text: text if check else Document(id=name_of(file), text=text),
            parse=records.item if check else records.document,
            name=name_of,
        )

    try:
        _Watch(arrivals, read, ask, answers, in_lines=jsonl).run(polling=polling)
    except KeyboardInterrupt:
        if quiet:
            answers.show_sums()
        raise typer.Exit(EXIT_INTERRUPTED) from None


class _Watch:
    """Takes what arrives, and waits while the service is away.

    Args:
        arrivals: What to take.
        read: Makes inputs of files.
        ask: Gives the answers.
        answers: Shows them.
        in_lines: Whether a file may hold several inputs.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        read: Callable[[Iterable[Path]], Iterator[Input[Any]]],
        ask: Callable[[Iterator[Any]], Iterator[Outcome]],
        answers: Answers,
        *,
        in_lines: bool,
    ) -> None:
        self._arrivals = arrivals
        self._read = read
        self._ask = ask
        self._answers = answers
        self._in_lines = in_lines
        self._pause = 0.0
        self._rest_until = 0.0

    def run(self, *, polling: bool) -> None:
        """Take files until interrupted.

        Raises:
            typer.BadParameter: The folder is gone.
        """
        from watchfiles import watch as changes  # noqa: PLC0415 - other commands need not wait for it

        folder = self._arrivals.folder

        def start() -> Iterable[_Notice]:
            return changes(
                folder,
                watch_filter=None,
                debounce=400,
                rust_timeout=_TURN_MS,
                yield_on_timeout=True,
                force_polling=polling or None,
            )

        print(f"watching {folder}; Ctrl-C ends", file=sys.stderr, flush=True)
        try:
            self._follow(_without_end(start))
        except FileNotFoundError:
            if folder.is_dir():
                raise
        raise typer.BadParameter(f"{folder} is gone.")

    def _follow(self, notices: Iterable[_Notice | None]) -> None:
        """Take files until the folder is gone, which may raise FileNotFoundError where it is looked at just then."""
        next_scan = 0.0
        for changed in notices:
            for _, path in changed or ():
                self._arrivals.note(Path(path))
            if not self._arrivals.folder.is_dir():
                return
            if changed is None or time.monotonic() >= next_scan:
                self._arrivals.scan()
                next_scan = time.monotonic() + _SCAN_SECONDS
            if time.monotonic() >= self._rest_until and (files := self._arrivals.at_rest()):
                self._take(files)

    def _take(self, files: Sequence[Path]) -> None:
        """Send *files*; where the service is away, those without an answer are left for later."""
        places = {file: place for place, file in enumerate(files)}
        done = 0
        failure = None
        try:
            for entry, outcome in paired(self._read_each(files), self._ask):
                self._answers.add(entry, outcome)
                # Of a file in lines the next answer tells; if none comes it is sent again, which is safe.
                done = places[entry.file] + (not self._in_lines)
        except UNAVAILABLE as error:
            failure = error
        else:
            done = len(files)
        for file in files[:done]:
            self._arrivals.taken(file)
        self._note(failure)

    def _read_each(self, files: Iterable[Path]) -> Iterator[Input[Any]]:
        for file in files:
            yield from self._read_one(file)

    def _read_one(self, file: Path) -> Iterator[Input[Any]]:
        try:
            yield from self._read([file])
        except FileNotFoundError:
            return
        except OSError as error:
            print(f"baznashr: {file}: {error.strerror}", file=sys.stderr, flush=True)

    def _note(self, failure: BaznashrError | None) -> None:
        """Note whether the service answers, and say so when that changes."""
        if failure is None:
            if self._pause:
                print("baznashr: the service answers again", file=sys.stderr, flush=True)
            self._pause = self._rest_until = 0.0
            return
        if not self._pause:
            print(f"baznashr: {failure} ({len(self._arrivals):,} files wait)", file=sys.stderr, flush=True)
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _MAX_PAUSE_SECONDS)
        self._rest_until = time.monotonic() + self._pause


def _without_end(start: Callable[[], Iterable[_Notice]]) -> Iterator[_Notice | None]:
    """Yield notices of changes, and None where some may have been missed: a name that is not UTF-8 ends them."""
    told = missed = False
    while True:
        try:
            for changed in start():
                yield None if missed else changed
                missed = False
        except RuntimeError as error:
            if "decode path" not in str(error):
                raise
        if not told:
            told = True
            print("baznashr: a name in the folder is not UTF-8; the others are watched", file=sys.stderr, flush=True)
        # Here, and again once there are notices: a file that changes all the time may keep them from ever coming.
        yield None
        missed = True
        time.sleep(_TURN_MS / 1000)
