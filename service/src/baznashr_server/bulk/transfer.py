"""Export and import of a corpus.

An export is a consistent moment of the corpus, in order of arrival, and only reads: the folder may be in use. An import
judges every document anew, in the file's order, as the service would: verdicts, clusters and tables then agree with
each other and with what the corpus held before, whatever wrote the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import Any

from baznashr.errors import BaznashrError, CorpusNotFound, InvalidDocument, StoreError
from baznashr.types import Document, Judgement
from baznashr_server.bulk import files
from baznashr_server.engine import Engine
from baznashr_server.engine.records import document_from_row, judgement_from_row
from baznashr_server.limits import MAX_BATCH_DOCUMENTS
from baznashr_server.profile import PROFILES
from baznashr_server.store.codec import from_micros
from baznashr_server.store.folder import DATABASE
from baznashr_server.store.reading import Moment
from baznashr_server.store.rows import DocumentRow

GIVEN = {"id": str, "text": str, "title": str, "source": str, "url": str, "published_at": str, "labels": dict}
"""Fields of a document as it was given; times are ISO 8601."""
JUDGED = {
    "arrived_at": str, "verdict": str, "repeated": bool, "reason": str, "canonical_id": str, "related_cluster_id": str,
    "new_share": float, "self_repetition_share": float, "policy": str, "profile": str, "digest": str,
}  # fmt: skip
"""Fields that the service added; an import leaves them aside."""
Progress = Callable[[str, int, int], object]


def export_corpus(data: Path, corpus: str, out: Path, *, progress: Progress = lambda *_: None) -> int:
    """Write all documents of a corpus with their judgements to the new file *out*; return how many.

    Raises:
        CorpusNotFound: There is no such corpus.
        StoreError: The folder holds no store that this release reads, or *out* cannot be written.
        InvalidArgument: The name of *out* does not say its form.
    """
    files.check_name(out)
    if not (data / DATABASE).is_file():
        raise StoreError(f"{data} holds no store", reason="NO_STORE")
    with Moment(data / DATABASE, *PROFILES) as moment:
        row = next((row for row in moment.corpora() if row.name == corpus), None)
        if row is None:
            raise CorpusNotFound(f"There is no corpus {corpus!r} in {data}.", metadata={"corpus": corpus})
        total = moment.count(row.corpus)

        def records() -> Iterator[files.Record]:
            for done, document in enumerate(moment.documents(row.corpus), 1):
                yield _record(document, corpus, moment.profile.name)
                progress("documents", done, total)

        try:
            return files.write(out, records(), GIVEN | JUDGED)
        except OSError as error:
            raise StoreError(f"{out} cannot be written: {error}", reason="EXPORT_FAILED") from error


def _record(row: DocumentRow, corpus: str, profile: str) -> dict[str, Any]:
    document = document_from_row(row)
    judgement = judgement_from_row(row, corpus, profile, replayed=False)
    return {
        "id": document.id,
        "text": document.text,
        "title": document.title,
        "source": document.source,
        "url": document.url,
        "published_at": document.published_at.isoformat() if document.published_at else None,
        "labels": dict(document.labels),
        "arrived_at": from_micros(row.arrived).isoformat(),
        "verdict": judgement.verdict.value,
        "repeated": judgement.repeated,
        "reason": judgement.reason,
        "canonical_id": judgement.canonical_id,
        "related_cluster_id": judgement.related_cluster_id,
        "new_share": judgement.new_share,
        "self_repetition_share": judgement.self_repetition.share,
        "policy": judgement.policy,
        "profile": judgement.profile,
        "digest": judgement.digest,
    }


@dataclass
class Imported:
    verdicts: Counter[str] = field(default_factory=Counter)
    """Of the documents stored by this import."""
    replayed: int = 0
    """Were there already, with the same text."""
    outside_window: int = 0
    """Judged and not stored."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Line and reason."""

    def count(self, judgement: Judgement) -> None:
        if judgement.replayed:
            self.replayed += 1
        elif judgement.stored:
            self.verdicts[judgement.verdict.value] += 1
        else:
            self.outside_window += 1


def import_corpus(
    data: Path, corpus: str, source: Path, *, replace: bool = False, progress: Progress = lambda *_: None
) -> Imported:
    """Judge and store the documents of a file in their order; the corpus is created if it is missing.

    A record that is refused is left out and the import goes on. The same import again replays what it did.

    Args:
        replace: Judge and store anew what is there under the same id with another text; else such a record is refused.

    Raises:
        DataFolderInUse: The folder has an owner.
        StoreError: It is of another format or profile, or the file cannot be read.
        InvalidArgument: The file is not of the form that its name says.
    """
    files.check_name(source)
    done = Imported()
    read = 0
    try:
        with Engine.open(data) as engine:
            if corpus not in {known.name for known in engine.list_corpora()}:
                engine.create_corpus(corpus)
            for group in batched(_documents(source, done), MAX_BATCH_DOCUMENTS):
                _ingest(engine, corpus, list(group), done, replace=replace)
                read += len(group)
                progress("documents", read, 0)
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error}", reason="UNREADABLE_FILE") from error
    return done


def _documents(source: Path, done: Imported) -> Iterator[tuple[int, Document]]:
    for line in files.read(source):
        try:
            if line.record is None:
                done.refused.append((line.number, line.fault))
            else:
                yield line.number, document_of(line.record)
        except BaznashrError as error:
            done.refused.append((line.number, str(error)))


def document_of(record: files.Record) -> Document:
    """Read a document from a record.

    Raises:
        InvalidDocument: It has an unknown field or one of a wrong type, or lacks its id or text.
    """
    for name, value in record.items():
        kind = GIVEN.get(name)
        if kind is None and name not in JUDGED:
            raise InvalidDocument("No document has such a field.", field=name)
        if kind is not None and value is not None and not isinstance(value, kind):
            raise InvalidDocument(
                f"The value is of type {type(value).__name__} instead of {kind.__name__}.", field=name
            )
    given = {name: value for name in GIVEN if (value := record.get(name)) is not None}
    for name in ("id", "text"):
        if name not in given:
            raise InvalidDocument("The field is missing.", field=name)
    if "published_at" in given:
        given["published_at"] = _time(given["published_at"])
    return Document(**given)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidDocument(
            f"{text!r} is no ISO 8601 time.", reason="INVALID_PUBLISHED_AT", field="published_at"
        ) from None


def _ingest(engine: Engine, corpus: str, group: list[tuple[int, Document]], done: Imported, *, replace: bool) -> None:
    """Store a batch at once or, where one of it is refused, one by one."""
    try:
        judgements = engine.ingest_batch([document for _, document in group], corpus, replace)
    except StoreError:
        raise
    except BaznashrError:
        judgements = []
        for number, document in group:
            try:
                judgements.append(engine.ingest(document, corpus, replace))
            except StoreError:
                raise
            except BaznashrError as error:
                if error.reason in {"READ_ONLY", "SHUTTING_DOWN", "INTERNAL"}:
                    raise
                done.refused.append((number, str(error)))
    for judgement in judgements:
        done.count(judgement)
