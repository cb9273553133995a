"""The exceptions of the client and of the in-process engine.

BaznashrError
├── InvalidArgument            MALFORMED_MESSAGE, INVALID_FIELD; the call can never succeed as it is
│   ├── InvalidText            EMPTY_TEXT, TEXT_TOO_LARGE, MALFORMED_TEXT
│   ├── InvalidDocument        INVALID_DOCUMENT_ID, INVALID_PUBLISHED_AT, INVALID_FIELD
│   ├── InvalidBatch           EMPTY_BATCH, BATCH_TOO_LARGE, DUPLICATE_DOCUMENT_ID
│   ├── InvalidCorpus          INVALID_CORPUS_NAME, INVALID_POLICY, INVALID_WINDOW
│   └── MessageTooLarge        MESSAGE_TOO_LARGE
├── NotFound
│   ├── DocumentNotFound       DOCUMENT_NOT_FOUND
│   └── CorpusNotFound         CORPUS_NOT_FOUND
├── AlreadyExists              BACKUP_EXISTS
│   ├── DocumentIdReused       DOCUMENT_ID_REUSED
│   └── CorpusExists           CORPUS_EXISTS
├── FailedPrecondition         BACKUPS_OFF, BACKUP_FAILED
│   ├── ProfileMismatch        PROFILE_MISMATCH
│   ├── ReadOnly               READ_ONLY
│   ├── TextNotKept            TEXT_NOT_KEPT
│   └── LimitReached           LIMIT_REACHED
├── Unauthenticated            UNAUTHENTICATED
├── PermissionDenied           PERMISSION_DENIED
├── QuotaExceeded              QUOTA_EXCEEDED                                    retriable
├── Unavailable                STARTING, OVERLOADED, SHUTTING_DOWN,              retriable
│                              UNREACHABLE, CANCELLED_BY_PEER,
│                              BROKEN_CONNECTION
├── DeadlineExceeded           DEADLINE_EXCEEDED                                 retriable
├── Cancelled                  CANCELLED
├── NotImplementedByServer     UNIMPLEMENTED
├── InternalError              INTERNAL, UNREADABLE_ANSWER
├── SpoolError                 SPOOL_IN_USE, SPOOL_DAMAGED, NO_SPOOL; only of baznashr.pipeline
│   └── SpoolFull              SPOOL_FULL                                        retriable
└── StoreError                 only in process and on the server's command line
    ├── DataFolderInUse        DATA_FOLDER_IN_USE
    ├── FormatMismatch         FORMAT_MISMATCH
    └── StoreDamaged           STORE_DAMAGED
"""

from __future__ import annotations

from collections.abc import Mapping


class BaznashrError(Exception):
    """The root of all errors raised on purpose.

    Attributes:
        message: One English sentence for people.
        reason: UPPER_SNAKE_CASE for programs; stable across releases.
        field: Path of the field that was refused, such as ``documents[3].text``; empty where no field is to blame.
        metadata: The values the message names, as strings.
        retriable: Whether the same call may succeed later without a change.
    """

    retriable = False
    default_reason = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.field = field
        self.metadata = dict(metadata or {})

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.reason}{where}: {self.message}"

    def at(self, path: str) -> BaznashrError:
        """Return the same error with its field moved below *path*, for an item of a batch."""
        return type(self)(
            self.message,
            reason=self.reason,
            field=f"{path}.{self.field}" if self.field else path,
            metadata=self.metadata,
        )


class InvalidArgument(BaznashrError):
    default_reason = "INVALID_ARGUMENT"


class InvalidText(InvalidArgument):
    default_reason = "MALFORMED_TEXT"


class InvalidDocument(InvalidArgument):
    default_reason = "INVALID_FIELD"


class InvalidBatch(InvalidArgument):
    default_reason = "BATCH_TOO_LARGE"


class InvalidCorpus(InvalidArgument):
    default_reason = "INVALID_CORPUS_NAME"


class MessageTooLarge(InvalidArgument):
    default_reason = "MESSAGE_TOO_LARGE"


class NotFound(BaznashrError):
    default_reason = "NOT_FOUND"


class DocumentNotFound(NotFound):
    default_reason = "DOCUMENT_NOT_FOUND"


class CorpusNotFound(NotFound):
    default_reason = "CORPUS_NOT_FOUND"


class AlreadyExists(BaznashrError):
    default_reason = "ALREADY_EXISTS"


class DocumentIdReused(AlreadyExists):
    """The id is stored with another text; ``metadata["stored_digest"]`` names it."""

    default_reason = "DOCUMENT_ID_REUSED"


class CorpusExists(AlreadyExists):
    default_reason = "CORPUS_EXISTS"


class FailedPrecondition(BaznashrError):
    default_reason = "FAILED_PRECONDITION"


class ProfileMismatch(FailedPrecondition):
    default_reason = "PROFILE_MISMATCH"


class ReadOnly(FailedPrecondition):
    """The store takes no writes since one failed; checks go on."""

    default_reason = "READ_ONLY"


class TextNotKept(FailedPrecondition):
    default_reason = "TEXT_NOT_KEPT"


class LimitReached(FailedPrecondition):
    default_reason = "LIMIT_REACHED"


class Unauthenticated(BaznashrError):
    default_reason = "UNAUTHENTICATED"


class PermissionDenied(BaznashrError):
    default_reason = "PERMISSION_DENIED"


class QuotaExceeded(BaznashrError):
    """``metadata["retry_after_ms"]`` says when to come back."""

    retriable = True
    default_reason = "QUOTA_EXCEEDED"


class Unavailable(BaznashrError):
    retriable = True
    default_reason = "UNREACHABLE"


class DeadlineExceeded(BaznashrError):
    retriable = True
    default_reason = "DEADLINE_EXCEEDED"


class Cancelled(BaznashrError):
    default_reason = "CANCELLED"


class NotImplementedByServer(BaznashrError):
    default_reason = "UNIMPLEMENTED"


class InternalError(BaznashrError):
    default_reason = "INTERNAL"


class SpoolError(BaznashrError):
    default_reason = "SPOOL_ERROR"


class SpoolFull(SpoolError):
    """The documents of the call are not kept; those on disk wait on."""

    retriable = True
    default_reason = "SPOOL_FULL"


class StoreError(BaznashrError):
    default_reason = "STORE_ERROR"


class DataFolderInUse(StoreError):
    default_reason = "DATA_FOLDER_IN_USE"


class FormatMismatch(StoreError):
    default_reason = "FORMAT_MISMATCH"


class StoreDamaged(StoreError):
    default_reason = "STORE_DAMAGED"
