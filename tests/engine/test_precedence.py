"""Single calls before bulk, and bulk still moves."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import ExitStack

import pytest

from baznashr_server.engine import precedence
from baznashr_server.engine.precedence import Precedence


def test_bulk_waits_for_all_single_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk goes on once the last of several single calls ended, one that failed too, and not before."""
    monkeypatch.setattr(precedence, "PATIENCE_SECONDS", 3600)
    turns = Precedence()
    first, second = ExitStack(), ExitStack()
    first.enter_context(turns.single())
    second.enter_context(turns.single())
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(turns.give_way)
        with pytest.raises(NotYet):
            waiting.result(0.05)
        with pytest.raises(KeyError), first:
            raise KeyError
        with pytest.raises(NotYet):
            waiting.result(0.05)
        second.close()
        waiting.result(10)
        threads.submit(turns.give_way).result(10)


def test_a_single_call_does_not_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that works for a single call passes the places where bulk waits."""
    monkeypatch.setattr(precedence, "PATIENCE_SECONDS", 3600)
    turns = Precedence()

    def other() -> None:
        with turns.single():
            turns.give_way()

    with turns.single(), ThreadPoolExecutor(1) as threads:
        threads.submit(other).result(10)
        turns.give_way()


def test_bulk_goes_on_beside_endless_single_calls() -> None:
    """Its patience has an end."""
    turns = Precedence()
    with turns.single(), ThreadPoolExecutor(1) as threads:
        threads.submit(turns.give_way).result(10)


def test_bulk_takes_turns() -> None:
    """One thread has its turn at a time; one that works for a single call waits for none, and again afterwards."""
    turns = Precedence()

    def single() -> None:
        with turns.single():
            with turns.single(), turns.turn():
                pass
            with turns.turn():
                pass

    def bulk() -> None:
        with turns.turn():
            pass

    with ThreadPoolExecutor(2) as threads:
        with turns.turn():
            threads.submit(single).result(10)
            waiting = threads.submit(bulk)
            with pytest.raises(NotYet):
                waiting.result(0.05)
        waiting.result(10)
