"""The examples of integrations, run against the real libraries and a real server."""

import sys
from pathlib import Path

import pytest

from baznashr.testing.pytest_plugin import baznashr_address, baznashr_corpus

__all__ = ["baznashr_address", "baznashr_corpus"]

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """Where the examples are, importable."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield EXAMPLES
    for example in EXAMPLES.glob("*.py"):
        sys.modules.pop(example.stem, None)
