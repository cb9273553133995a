"""Serves an empty store, ingests the sample articles over gRPC, and prints the verdicts.

Usage: python tooling/demo.py [FOLDER]

FOLDER, by default the seeds beside the evaluation data where those are present, holds further articles as *.txt.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from baznashr import Client
from baznashr.errors import BaznashrError
from baznashr.types import Document, Judgement

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "tests" / "samples" / "articles.jsonl"
SEEDS = Path(os.environ.get("BAZNASHR_EVAL_DATA", ROOT.parent / "shared" / "data")).parent / "seeds"
ISOLATE, END_ISOLATE = "\u2068", "\u2069"
"""First-strong isolate and its end (Unicode bidi algorithm, UAX 9): a Persian title keeps to its own cell."""


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """Start a server on *data* and yield its address; stop it gracefully afterwards."""
    command = [sys.executable, "-m", "baznashr_server", "serve", "--data", str(data)]
    command += ["--listen", "127.0.0.1:0", "--metrics", "", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            ready = (server.stdout.readline() if server.stdout else "").split()
            if not ready or ready[0] != "ready":
                raise SystemExit("the server did not start; its message is above")
            yield next(word.removeprefix("listen=") for word in ready if word.startswith("listen="))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def samples() -> list[Document]:
    """Return the sample articles in the order in which they are to be ingested."""
    rows = map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())
    return [
        Document(
            id=row["id"],
            text=row["text"],
            title=row["title"],
            source=row["source"],
            url=row["url"],
            published_at=datetime.fromisoformat(row["published_at"]) if row["published_at"] else None,
        )
        for row in rows
    ]


def folder(path: Path) -> list[Document]:
    """Return the texts of a folder in the order of their names, or end with what cannot be read."""
    read = []
    try:
        for file in sorted(name for name in path.iterdir() if name.suffix == ".txt"):
            read.append(Document(id=file.stem, text=file.read_text(encoding="utf-8")))
    except OSError as error:
        raise SystemExit(f"demo: {error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SystemExit(f"demo: {file}: not UTF-8") from None
    return read


def heading(document: Document) -> str:
    line = document.title or next(filter(None, map(str.strip, document.text.splitlines())), "")
    return f"{ISOLATE}{line[:38]}{END_ISOLATE}"


def table(title: str, rows: list[tuple[Document, Judgement | BaznashrError]]) -> Table:
    """Return one line an article: what it is, of which stored article, and why."""
    made = Table(title=title, title_justify="left", expand=False)
    for column, style in (("article", ""), ("headline", ""), ("verdict", "bold"), ("of", ""), ("reason", "dim")):
        made.add_column(column, style=style, no_wrap=True)
    for column in ("similar", "new"):
        made.add_column(column, justify="right")
    made.add_column("repeats itself", no_wrap=True)
    for document, j in rows:
        if isinstance(j, BaznashrError):
            made.add_row(document.id, heading(document), "refused", "", j.reason)
            continue
        best = j.matches[0] if j.matches else None
        kinds = ", ".join(j.self_repetition.kinds)
        made.add_row(
            document.id,
            heading(document),
            ("● " if j.repeated else "") + j.verdict,
            j.canonical_id or (best.document_id if best else ""),
            j.reason,
            f"{best.similarity:.2f}" if best else "",
            f"{j.new_share:.0%}",
            f"{kinds} {j.self_repetition.share:.0%}" if kinds else "",
        )
    return made


def main() -> int:
    extra = Path(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    seeds = folder(extra) if extra.is_dir() or len(sys.argv) > 1 else []
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False)
    console.print("starting the server; the very first start compiles its kernels, which takes up to a minute")
    with tempfile.TemporaryDirectory(prefix="baznashr-demo-") as data, serving(Path(data)) as address:
        console.print(f"serving an empty store on {address}")
        with Client(address) as client:
            documents = samples()
            judged = list(zip(documents, client.ingest_many(documents), strict=True))
            console.print(table("Sample articles, in order of arrival", judged))
            if seeds:
                seen = list(zip(seeds, client.ingest_many(seeds, on_error="yield"), strict=True))
                console.print(table(f"Articles of {extra.name}/", seen))
            verdicts = Counter(str(j.verdict) for _, j in judged)
    console.print("● repeated by the default policy.  " + ", ".join(f"{n} {v}" for v, n in verdicts.most_common()))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
