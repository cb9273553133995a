"""Structured logs on standard error: one event a line, with trace id, corpus and document id, never article text."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict

_MAX_MESSAGE = 500
_MAX_FRAMES = 20
_MAX_CHAIN = 5
_CALLER_LEFT = "ExecuteBatchError raised in core by servicer method"
_WITHHELD = "(withheld: may quote a text)"


class _Lenient:
    """Drops what *stream* does not take, on a full disk or as a pipe that nobody reads: no call fails for its log."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if self._stream is not None:  # closed from the beginning
            with suppress(OSError):
                self._stream.write(text)

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def flush(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.flush()


def configure(
    log_format: str, level: str, stream: TextIO | None = sys.stderr, count: Callable[[str], None] | None = None
) -> None:
    """Set up logging for the process; libraries' own lines take the same shape.

    Args:
        count: Told the level of each line.
    """
    lenient = cast("TextIO", _Lenient(stream))
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_counting(count)] if count else []),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(log_format, lenient)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(lenient),
    )
    handler = logging.StreamHandler(lenient)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_withhold_quotes, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format, lenient),
            ],
        )
    )
    handler.addFilter(_soften)
    # A library's debug lines may quote what it works on, which could be an article.
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, level_number(level)), force=True)


def _soften(record: logging.LogRecord) -> bool:
    """Make a warning of what gRPC calls an error: that an answer could not be sent, for the caller had just left."""
    if record.levelno == logging.ERROR and str(record.msg).startswith(_CALLER_LEFT):
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
    return True


def level_number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _rendering(log_format: str, stream: TextIO) -> list[structlog.typing.Processor]:
    if log_format == "console":
        return [_exception_as_text, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [_exception_as_text, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _counting(count: Callable[[str], None]) -> structlog.typing.Processor:
    def counted(_: object, __: str, event: EventDict) -> EventDict:
        count(str(event["level"]))
        return event

    return counted


def _withhold_quotes(_: object, __: str, event: EventDict) -> EventDict:
    if not _is_safe(str(event["event"])):
        event["event"] = _WITHHELD
    return event


def _is_safe(message: str) -> bool:
    return message.isascii() and len(message) <= _MAX_MESSAGE


def _exception_as_text(_: object, __: str, event: EventDict) -> EventDict:
    exc_info = event.pop("exc_info", None)
    exception = sys.exc_info()[1] if exc_info is True else exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(exception, BaseException):
        event["exception"] = describe(exception)
    return event


def describe(exception: BaseException) -> str:
    """Return frames, type and message of *exception* and of what led to it, with nothing of an article in it.

    Local variables are left out, and so is a message that may quote a text: one with letters beyond ASCII.
    """
    parts: list[str] = []
    link: BaseException | None = exception
    while link is not None and len(parts) < _MAX_CHAIN:
        message = str(link)
        shown = message if _is_safe(message) else _WITHHELD
        frames = "".join(traceback.format_tb(link.__traceback__, limit=-_MAX_FRAMES))
        parts.append(f"{frames}{type(link).__qualname__}: {shown}")
        link = link.__cause__ or link.__context__
    return "\ncaused by:\n".join(parts)
