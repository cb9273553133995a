"""A run from its inputs to its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Any

from baznashr.errors import InvalidArgument
from baznashr_server.bulk import finishing, memory, usage
from baznashr_server.bulk.apart import Apart
from baznashr_server.bulk.batches import Judges
from baznashr_server.bulk.inputs import Form, Found, Input, Interrupted, find
from baznashr_server.bulk.intake import Reading
from baznashr_server.bulk.judging import Judging
from baznashr_server.bulk.mapping import Fields, guess
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.progress import Progress
from baznashr_server.bulk.reading import Reader, sample
from baznashr_server.bulk.spill import Order, run_bytes
from baznashr_server.bulk.state import (
    JUDGED,
    MADE,
    ORDER,
    PLAN,
    READ,
    RUNS,
    STDIN,
    WORK,
    State,
    check_build,
    read_json,
    write_json,
)
from baznashr_server.bulk.stores import check_corpus, check_made
from baznashr_server.bulk.writing import PARTIAL
from baznashr_server.store.folder import LOCK, DataFolder

RUN = "run.json"
GUESSED_FROM = 50
"""Records of each of the first files, from which fields are guessed."""
GUESSED_FILES = 5
LOOKED_THROUGH = 10_000
"""Records of each file, for a field that was named and not seen."""
SHOWN_FILES = 10


@dataclass
class Run:
    options: Options
    progress: Progress
    say: Callable[[str], object]
    is_stopping: Callable[[], bool] = lambda: False
    apart: Apart | None = None
    """Judges in a process of its own; this one does without."""
    timings: dict[str, float] = field(default_factory=dict)

    def __call__(self) -> Mapping[str, Any] | None:
        """Do the work and return what `run.json` says; None for a dry run.

        Raises:
            InvalidArgument: Something asked for cannot be, or the run does not fit into memory.
            StoreError: A folder cannot be used.
            Interrupted: Asked to stop; the same command goes on.
        """
        began = time.monotonic()
        self.options.check()
        check_corpus(self.options)
        out = self.options.out
        if (out / RUN).exists():
            raise InvalidArgument(f"{out} holds a finished run; give another folder.", reason="FINISHED_RUN")
        _refuse_foreign(out)
        made = [path for path in (out, *out.parents) if not path.exists()]
        folder = DataFolder.acquire(out / WORK)
        state = State(out)
        try:
            options = self.options
            check_build(options, state)
            spool = state.path(STDIN)
            found = find(options.inputs, options.form, out, spool, self.is_stopping, is_resumed=state.is_planned)
            _refuse_clash(found.inputs)
            reader = self._reader(found.inputs)
            survey = memory.survey(found.inputs, self.options.encoding)
            self._describe(found.inputs, found.skipped, reader, survey)
            memory.check(survey.memory, survey.rows, self.options.memory)
            if not state.is_planned:  # what is there of a run that goes on is of its files
                memory.check_disk(out, memory.ON_DISK * survey.text_bytes)
                if options.build:
                    memory.check_disk(options.build, memory.IN_STORE * survey.text_bytes)
            if self.options.dry_run:
                return None
            state.plan(self.options.settings() | {"fields": vars_of(reader.fields)}, found.inputs)
            if state.is_resumed:
                self.say(f"going on with the run in {out}")
            order = self._read(state, reader, found, survey)
            most = usage.peak() + usage.resident_of_others()
            memory.give_back()
            if self.options.report:
                Thread(target=_warm_up_report, name="report", daemon=True).start()
            judging = self._judge(state, reader, order)
            if self.apart:
                most = max(most, usage.resident() + self.apart.peak)
            memory.give_back()
            with self._timed("writing"), self.progress as shown:
                shown.phase("writing", 0)
                result = finishing.finish(self.options, state, reader, order, found, judging)
            self.timings["total"] = round(time.monotonic() - began, 3)
            result |= {"timings": self.timings, "memory": {"estimated": survey.memory, "peak": max(most, usage.peak())}}
            write_json(out / RUN, result)
            state.remove()
            return result
        finally:
            if not state.is_planned:  # nothing was begun, or all is done
                self._forget(state, made)
            folder.release()

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self.options.out)  # Arrow names none
            raise
        self.timings[name] = round(time.monotonic() - start, 3)

    @staticmethod
    def _forget(state: State, made: Sequence[Path]) -> None:
        """Remove the work folder, and those of the folders *made*, the innermost first, that hold nothing then."""
        state.remove()
        with suppress(OSError):
            for path in made:
                path.rmdir()

    def _until_stopped[T](self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self.is_stopping():
                raise Interrupted
            yield item

    def _reader(self, inputs: tuple[Input, ...]) -> Reader:
        faults: list[str] = []

        def sampled(sources: Sequence[Input], most: int) -> Iterator[Mapping[str, Any]]:
            for source in sources:
                for one in sample(source, self.options.encoding, most):
                    if not isinstance(one, str):
                        yield one
                    elif not faults:
                        faults.append(f" {source.name}: {one}")

        records = [*sampled(inputs[:GUESSED_FILES], GUESSED_FROM)] or [*sampled(inputs, 1)]
        if not records:
            raise InvalidArgument(
                f"No record could be read, of {inputs[0].name} or any other. JSON is read an object a line, CSV with a "
                "header, Parquet whole; --format and --encoding say what names and contents do not." + "".join(faults),
                reason="NO_INPUT",
            )
        fields = guess(records, self.options.fields, self._until_stopped(sampled(inputs, LOOKED_THROUGH)))
        if self.options.clean and "." in fields.text and any(one.form is Form.PARQUET for one in inputs):
            raise InvalidArgument("--clean cannot write into a nested column; give the text a column of its own.")
        return Reader(fields, self.options.timezone(), self.options.encoding)

    def _describe(
        self, inputs: tuple[Input, ...], skipped: tuple[str, ...], reader: Reader, survey: memory.Survey
    ) -> None:
        for one in inputs[:SHOWN_FILES]:
            self.say(f"input: {one.name} ({one.form}, {one.size:,} bytes)")
        if len(inputs) > SHOWN_FILES:
            self.say(f"input: and {len(inputs) - SHOWN_FILES:,} more files")
        for name in skipped[:SHOWN_FILES]:
            self.say(f"not read: {name}")
        if len(skipped) > SHOWN_FILES:
            self.say(f"not read: and {len(skipped) - SHOWN_FILES:,} more")
        self.say(f"fields: {reader.fields.described()}; times without a zone are of {self.options.zone}")
        free = memory.available() if self.options.memory is None else self.options.memory
        self.say(
            f"about {survey.rows:,} articles, {survey.text_bytes / 1e6:,.0f} MB; "
            f"needs about {survey.memory / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB may be taken"
        )

    def _read(self, state: State, reader: Reader, found: Found, survey: memory.Survey) -> Order:
        if state.is_read:
            return Order.read(state.path(ORDER))
        state.begin_reading()
        with self._timed("reading"), self.progress as shown:
            shown.phase("reading", survey.rows)
            reading = Reading(state, reader, found, shown, self.is_stopping)
            order = reading.read(run_bytes(survey.text_bytes))
            if self.options.sample:
                reading.counts["left_out"] = max(0, len(order) - self.options.sample)
                order = order.first(self.options.sample)
                order.write(state.path(ORDER))
            read = {"inputs": reading.described, "counts": reading.counts, "letters": reading.letters}
            write_json(state.path(READ), read)
        memory.check(memory.needed(len(order), reading.size), len(order), self.options.memory)
        return order

    def _judge(self, state: State, reader: Reader, order: Order) -> Judging:
        with self._timed("judging"), self.progress as shown:
            judging = Judging(
                reader=reader,
                folder=state.path(JUDGED),
                runs=state.path(RUNS),
                order=order,
                told=shown.judged,
                is_stopping=self.is_stopping,
            )
            if state.path(MADE).exists():
                check_made(self.options, state, judging.last_judged)
            # Where nothing was accepted, the store is made all the same: what follows asks it for its policy.
            if not judging.is_done or not len(order):
                left = len(order) - judging.begins_at
                letters = read_json(state.path(READ))["letters"] * left // max(1, len(order))
                with self._judges(state, left, letters) as judges:
                    shown.phase("judging", len(order), judging.begins_at)
                    judging.run(judges)
            elif self.options.build:  # a run that was killed just before the store was left
                from baznashr_server.bulk.opening import leave  # noqa: PLC0415 - loads compiled kernels

                leave(self.options, state)
        return judging

    @contextmanager
    def _judges(self, state: State, documents: int, letters: int) -> Iterator[Judges]:
        """Give what judges so many documents more, over a store that is closed afterwards."""
        if self.apart is None:
            from baznashr_server.bulk.bench import Bench  # noqa: PLC0415 - loads compiled kernels
            from baznashr_server.bulk.opening import opened  # noqa: PLC0415

            with opened(self.options, state, documents, letters) as engine:
                yield Bench(engine, self.options.corpus)
        else:
            self.apart.open(self.options, documents, letters, is_resumed=state.is_resumed)
            try:
                yield self.apart
            except Interrupted:
                self.apart.close()
                raise
            self.apart.close()


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds what is not of an unfinished run, and might be replaced or removed by one."""
    if not out.is_dir() or (out / WORK / PLAN).exists():
        return
    work, unplanned = out / WORK, {LOCK, STDIN, STDIN + PARTIAL}
    is_ours = not work.is_dir() or {path.name for path in work.iterdir()} <= unplanned
    if any(path != work for path in out.iterdir()) or not is_ours:
        raise InvalidArgument(f"{out} is not empty; give a new folder.", reason="FOREIGN_FOLDER")


def _refuse_clash(inputs: Sequence[Input]) -> None:
    """Refuse texts of which one is to be kept where the folder of another has to be.

    Raises:
        InvalidArgument: There are such.
    """
    ids = {one.text_id for one in inputs if one.form is Form.TEXT}
    for one in ids:
        if above := next((str(path) for path in PurePosixPath(one).parents if str(path) in ids), None):
            raise InvalidArgument(
                f"{above!r} is an article in one folder and the folder of {one!r} in another, and cannot be both "
                "among the kept; give the folder that holds both.",
                reason="CLASHING_NAMES",
            )


def _warm_up_report() -> None:
    """Make the report's charts ready while the first core reads."""
    from baznashr_server.bulk.report import warm_up  # noqa: PLC0415 - slow to import, which is the point

    warm_up()


def vars_of(fields: Fields) -> dict[str, str]:
    return {name: getattr(fields, name) for name in fields.__slots__}
