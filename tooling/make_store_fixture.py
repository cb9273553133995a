"""Writes a store by this release for the tests of later ones, and an export of each of its corpora.

tooling/make_store_fixture.py [folder], by default tests/data/store-v1. Run it once a release, into a folder named after
the store's format; what an earlier release wrote is never written again.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from baznashr.types import Document, IndexPolicy, Override, OverrideKind, Policy
from baznashr_server.bulk.transfer import export_corpus
from baznashr_server.engine import Engine
from baznashr_server.profile import PROFILES
from baznashr_server.store.backup import restore_database
from baznashr_server.store.schema import FORMAT

ROOT = Path(__file__).parent.parent
START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
COUNT = 24
WINDOW = timedelta(days=2)
CORPORA = ("default", "windowed", "textless")


def articles() -> list[Document]:
    """Return the first sample articles, four hours apart."""
    lines = (ROOT / "tests" / "samples" / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Document(
            id=sample["id"],
            text=sample["text"],
            title=sample.get("title", ""),
            source=sample.get("source", ""),
            published_at=START + timedelta(hours=4 * number),
            labels={"sample": str(number)},
        )
        for number, sample in enumerate(map(json.loads, lines[:COUNT]))
    ]


def fill(engine: Engine) -> None:
    """Store the samples in corpora of each kind, with an override, a deletion and a replacement."""
    content = articles()
    engine.create_corpus("windowed", window_days=WINDOW.days, policy=Policy(index_policy=IndexPolicy.ORIGINALS))
    engine.create_corpus("textless", keep_text=False)
    for corpus in CORPORA:
        engine.ingest_batch(content, corpus)
    inside = sum(article.published_at >= content[-1].published_at - WINDOW for article in content)
    while engine.corpus_stats("windowed").documents > inside:
        time.sleep(0.1)
    engine.override(Override(content[1].id, OverrideKind.NOT_REPEAT, note="دو خبر جدا"))
    engine.delete(content[-1].id)
    engine.ingest(Document(id=content[0].id, text=f"{content[0].text}\nاین خبر کامل شد."), replace=True)


def main(folder: Path) -> None:
    """Write the store and an export of each corpus beside it."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary, Engine.open(Path(temporary, "made")) as engine:
        fill(engine)
        engine.backup(folder / "store.sqlite3")
        # Exported from the file, since in the folder documents go on expiring.
        restore_database(folder / "store.sqlite3", Path(temporary, "restored"), PROFILES)
        for corpus in CORPORA:
            export_corpus(Path(temporary, "restored"), corpus, folder / f"{corpus}.jsonl")
    (folder / "store.sqlite3").chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "data" / f"store-v{FORMAT}")
