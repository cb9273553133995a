"""Logs: their shape, and that no article text gets into them."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from baznashr_server.obs import logs

ARTICLE = "متن یک خبر که نباید در گزارش بیاید"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = handlers, level


def fail() -> None:
    article = ARTICLE
    try:
        raise KeyError(article)
    except KeyError:
        raise OSError(28, "No space left on device") from None


def fail_on_a_text() -> None:
    raise ValueError(ARTICLE)


def test_lines_are_json_with_what_is_bound() -> None:
    """A line is one JSON object with event, level, time and the call's trace id, Persian ids readable."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    structlog.contextvars.bind_contextvars(trace_id="t1", document_id="خبر-۱")
    structlog.get_logger().info("call", seconds=0.5)
    structlog.get_logger().debug("unseen")
    (line,) = stream.getvalue().splitlines()
    assert "خبر-۱" in line
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "call", "level": "info", "seconds": 0.5, "trace_id": "t1", "document_id": "خبر-۱"}


def test_what_the_log_does_not_take_fails_nothing() -> None:
    """On a full disk, or without standard error, lines are lost and whoever wrote them goes on."""
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:  # noqa: PTH123 - as standard error is opened
        for stream in (full, None):
            logs.configure("json", "info", stream)
            structlog.get_logger().info("call failed")
            logging.getLogger("library").warning("unheard")
        with contextlib.suppress(OSError):
            full.close()


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("failing", [fail, fail_on_a_text])
def test_tracebacks_hold_no_text(log_format: str, failing: object) -> None:
    """Neither local variables nor messages that quote a text are logged; type and place are."""
    stream = io.StringIO()
    logs.configure(log_format, "info", stream)
    for logger in (structlog.get_logger(), logging.getLogger("library")):
        try:
            failing()
        except (OSError, ValueError):
            logger.exception("failed")
    text = stream.getvalue()
    assert text.count("test_logs.py") >= 2
    assert ("No space left on device" in text) == (failing is fail)
    assert ARTICLE not in text
    assert not any(word in text for word in ARTICLE.split() if len(word) > 3)


def test_the_whole_chain_is_described() -> None:
    """What led to an exception is told, up to a bound."""
    try:
        try:
            raise RuntimeError("first")
        except RuntimeError as error:
            raise RuntimeError("second") from error
    except RuntimeError as error:
        described = logs.describe(error)
    assert described.index("second") < described.index("first")


def test_libraries_are_heard_from_warnings_up() -> None:
    """A library's lines take our shape; its chatter is left out, and so is what may quote a text."""
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    library = logging.getLogger("library")
    library.info("chatter")
    library.warning("warned of %s", "it")
    library.warning("cannot read %s", ARTICLE)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["level"] for event in events] == ["warning", "warning"]
    assert events[0]["event"] == "warned of it"
    assert "withheld" in events[1]["event"]


def test_a_caller_that_left_is_no_error_of_the_server() -> None:
    """What gRPC says at level error where an answer found nobody is a warning; its other errors stay what they are."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    log = logging.getLogger("grpc._cython.cygrpc")
    log.error("ExecuteBatchError raised in core by servicer method [%s]", "/baznashr.v1.IngestService/IngestDocument")
    log.error("Unexpected [%s] raised by servicer method", "KeyError")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == ["warning", "error"]
