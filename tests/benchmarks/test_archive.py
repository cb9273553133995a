"""The generated archive in a file."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

from pyarrow import parquet

from benchmarks.archive import write

ROOT = Path(__file__).parent.parent.parent
SIZE = 2500


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    """Lines, gzipped lines made by two processes, and Parquet hold the same articles; the files repeat byte by byte."""
    plain, packed, table = (tmp_path / f"a{suffix}" for suffix in (".jsonl", ".jsonl.gz", ".parquet"))
    write(plain, SIZE, chars=400)
    write(packed, SIZE, chars=400, workers=2)
    write(table, SIZE, chars=400)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    rows = [json.loads(line) for line in plain.read_text(encoding="utf-8").splitlines()]
    assert parquet.read_table(table).to_pylist() == rows
    first = packed.read_bytes()
    write(packed, SIZE, chars=400)
    assert packed.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.gz", "a.parquet"]


def test_rows_tell_the_truth(tmp_path: Path) -> None:
    """Ids are unique, copies name an earlier new article, and publish times rise with the rows."""
    path = tmp_path / "a.jsonl"
    write(path, SIZE, chars=400)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == SIZE
    assert [row["published_at"] for row in rows] == sorted(row["published_at"] for row in rows)
    for row in rows:
        assert (row["kind"] in {"exact", "edited"}) == bool(row["of"])
        if row["of"]:
            assert row["of"] < row["id"]
            assert by_id[row["of"]]["kind"] == "new"
        if row["kind"] == "exact":
            assert row["text"] == by_id[row["of"]]["text"]


def test_a_name_without_a_format_is_refused(tmp_path: Path) -> None:
    """The command says which endings it knows, and leaves nothing."""
    command = [sys.executable, "-m", "benchmarks.archive", "--documents", "10", "--out", str(tmp_path / "a.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr == "archive: a.txt: the name must end in one of .jsonl, .jsonl.gz, .parquet\n"
    assert not list(tmp_path.iterdir())
