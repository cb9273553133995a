"""The project's sample articles, each against what is expected of it."""

from __future__ import annotations

import tempfile
from typing import Any

from baznashr.types import Judgement
from baznashr_server.engine import Engine
from benchmarks.quality.data import sample_document, samples
from benchmarks.report import Bar, Cell, Table


def misses(expect: dict[str, Any], judgement: Judgement) -> list[str]:
    """Return what is not as expected."""
    best = judgement.matches[0] if judgement.matches else None
    checks = {
        "verdict": judgement.verdict.value in {expect["verdict"], *expect["also"]},
        "canonical": judgement.canonical_id == expect["canonical_id"],
        "related": expect["related_id"] is None or (best is not None and best.document_id == expect["related_id"]),
        "kinds": sorted(kind.value for kind in judgement.self_repetition.kinds) == sorted(expect["kinds"]),
        "numbers": not expect["numbers_changed"] or (best is not None and bool(best.numbers_changed)),
    }
    return [name for name, holds in checks.items() if not holds]


def table() -> tuple[Table, Bar]:
    """Ingest the samples in order; return the unexpected answers and the share of expected ones."""
    rows: list[list[Cell]] = []
    articles = samples()
    with tempfile.TemporaryDirectory() as folder, Engine.open(folder) as engine:
        for article in articles:
            judgement = engine.ingest(sample_document(article))
            wrong = misses(article["expect"], judgement)
            if wrong:
                expect = article["expect"]
                expected = f"{expect['verdict']} of {expect['canonical_id'] or expect['related_id']}"
                best = judgement.matches[0].document_id if judgement.matches else None
                found = f"{judgement.verdict} ({judgement.reason}) of {judgement.canonical_id or best}"
                kinds = ", ".join(judgement.self_repetition.kinds) or "none"
                rows.append([article["id"], ", ".join(wrong), expected, found, kinds])
    columns = ["sample", "wrong", "expected", "found", "repetition found"]
    found_table = Table("Sample articles with an unexpected answer", columns, rows or [["none", *[None] * 4]])
    return found_table, Bar("share of sample articles answered as expected", 1 - len(rows) / len(articles), 1.0)
