"""Commands on a data folder and on files, as they are typed. What they do is imported where it is used."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from baznashr.errors import BaznashrError

SHOWN = 50
"""Faults or refused lines printed; the others are counted."""
SOME_WRONG = 3
"""Exit code: the work is done, and something was wrong with what it was done on."""

Data = Annotated[Path, typer.Argument(metavar="DATA", help="The data folder.")]


def failing(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        print(f"baznashr-server: {line}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def failures() -> Iterator[None]:
    """End the process with a sentence and code 1 where the work cannot be done."""
    try:
        yield
    except BaznashrError as error:
        failing(f"{error.field}: {error.message}" if error.field else error.message, 1)
    except KeyboardInterrupt:
        failing("interrupted", 130)


class _Progress:
    """Lines on standard error, one a second at most; nothing for what takes less."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        self._next = self._next or time.monotonic() + 1
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1
            print(f"{what}: {done:,} of {total:,}" if total else f"{what}: {done:,}", file=sys.stderr)


def verify(
    data: Data,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be made anew from the rest.")] = False,
) -> None:
    """Check every page, row, cluster and table of a data folder that no server has open.

    Exit code 0: it is sound, or everything was repaired. 1: it could not be checked. 3: faults remain.
    """
    with failures():
        from baznashr_server.engine.verify import verify as check  # noqa: PLC0415 - takes a second, see above

        report = check(data, repair=repair, progress=_Progress())
    for fault in report.faults[:SHOWN]:
        hint = f" [{'repaired' if report.repaired else 'can be repaired'}]" if fault.is_repairable else ""
        print(f"{fault.where}: {fault.what}{hint}")
    if len(report.faults) > SHOWN:
        print(f"... and {len(report.faults) - SHOWN:,} more")
    read = "its documents were not read" if report.documents is None else f"{report.documents:,} documents"
    sound = "sound" if not report.faults else f"{len(report.faults):,} faults, {report.repaired:,} repaired"
    print(f"{data}: {read}, {sound}")
    raise typer.Exit(0 if report.is_sound else SOME_WRONG)


def backup(data: Data, file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")]) -> None:
    """Copy a store to one file, as it is at this moment; a server may go on writing to it."""
    with failures():
        from baznashr_server.store.backup import backup_folder  # noqa: PLC0415 - see above

        report = _Progress()
        size = backup_folder(data, file, lambda done, total: report("pages", done, total))
    print(f"{file}: {size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The data folder to make; new or empty.")],
) -> None:
    """Make a data folder from a backup, once the whole of it was found sound."""
    with failures():
        from baznashr_server.profile import PROFILES  # noqa: PLC0415 - see above
        from baznashr_server.store.backup import restore_database  # noqa: PLC0415

        report = _Progress()
        restore_database(file, data, PROFILES, lambda done, total: report("pages", done, total))
    print(f"{data}: restored from {file}")


def export(
    data: Data,
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="The corpus.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file: .jsonl, .jsonl.gz, .jsonl.zst, .parquet.")],
) -> None:
    """Write a corpus with its judgements to a file; a server may go on writing to the folder."""
    with failures():
        from baznashr_server.bulk.transfer import export_corpus  # noqa: PLC0415 - see above

        written = export_corpus(data, corpus, out, progress=_Progress())
    print(f"{out}: {written:,} documents")


def import_(
    data: Data,
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="The corpus; created if it is missing.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help=".jsonl, .jsonl.gz, .jsonl.zst or .parquet.")],
    replace: Annotated[bool, typer.Option("--replace", help="Store over documents with another text.")] = False,
) -> None:
    """Judge and store the documents of a file, in its order, in a data folder that no server has open.

    Exit code 0: all were taken. 1: the import could not be done. 3: some were refused and left out.
    """
    with failures():
        from baznashr_server.bulk.transfer import import_corpus  # noqa: PLC0415 - see above

        done = import_corpus(data, corpus, source, replace=replace, progress=_Progress())
    for number, reason in sorted(done.refused)[:SHOWN]:
        print(f"{source}:{number}: {reason}", file=sys.stderr)
    verdicts = ", ".join(f"{verdict} {count:,}" for verdict, count in done.verdicts.most_common())
    print(f"{corpus}: {done.verdicts.total():,} stored{f' ({verdicts})' if verdicts else ''}")
    rest = {"there already": done.replayed, "outside the window": done.outside_window, "refused": len(done.refused)}
    for what, count in rest.items():
        if count:
            print(f"{corpus}: {count:,} {what}")
    raise typer.Exit(SOME_WRONG if done.refused else 0)


def reindex(
    data: Data,
    profile: Annotated[str, typer.Option(help="The profile to make signatures and passages under.")],
) -> None:
    """Make everything derived from the stored texts anew, in a data folder that no server has open.

    Interrupted, it goes on where it stopped.
    """
    with failures():
        from baznashr_server.engine.reindex import reindex as renew  # noqa: PLC0415 - see above

        documents, changed = renew(data, profile, progress=_Progress())
    print(f"{data}: {documents:,} documents under {profile}, {changed:,} changed")
