"""Tables: columns of Parquet and CSV, with the names and types that they come with."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import Result

from tests.bulk.conftest import write_lines
from tests.bulk.test_faults import TEXT, judged, rejects
from tests.bulk.test_inputs import OTHER, column

Bulk = Callable[..., Result]


def test_a_parquet_file_without_ids_keeps_one_id_a_row(bulk: Bulk, tmp_path: Path) -> None:
    """The digest that stands for the id is of all columns, whenever it is made: copies are found, ids are distinct."""
    texts = [TEXT, OTHER, TEXT, TEXT]
    table = pa.table(
        {"text": texts, "category": ["a", "b", "c", "d"], "at": pa.array([1, 2, 3, 4], pa.timestamp("ns"))}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    assert bulk(tmp_path / "in.parquet").exit_code == 0
    assert len(set(column(tmp_path / "out", "id"))) == 4
    assert sorted(map(str, column(tmp_path / "out", "verdict"))) == ["EXACT", "EXACT", "NEW", "NEW"]
    assert pq.read_table(tmp_path / "out" / "kept.parquet").schema == table.schema


def test_a_broken_row_of_parquet_costs_no_other(bulk: Bulk, tmp_path: Path) -> None:
    """A string that is no UTF-8, in whatever column, is rejected by its row; times may have nanoseconds."""
    strings = pa.array([TEXT.encode(), b"\xff\xfe", OTHER.encode(), TEXT.encode() + b" 2"]).view(pa.string())
    unused = pa.array([b"a", b"b", b"\xff", b"d"]).view(pa.string())
    times = pa.array([1714545000_000000001, 0, 0, None], pa.timestamp("ns"))
    pq.write_table(
        pa.table({"id": ["1", "2", "3", "4"], "text": strings, "u": unused, "time": times}), tmp_path / "a.parquet"
    )
    assert bulk(tmp_path / "a.parquet").exit_code == 3
    assert judged(tmp_path / "out") == {"1", "4"}
    assert [(row["row"], row["reason"]) for row in rejects(tmp_path / "out")] == [
        (2, "BAD_ENCODING"),
        (3, "BAD_ENCODING"),
    ]


def test_odd_columns_of_parquet(bulk: Bulk, tmp_path: Path) -> None:
    """A lone column called raw is a column; two of one name make a file unreadable, and others are read."""
    pq.write_table(pa.table({"raw": [TEXT, OTHER]}), tmp_path / "raw.parquet")
    assert bulk(tmp_path / "raw.parquet", "--text", "raw", out="raw").exit_code == 0
    assert len(column(tmp_path / "raw", "id")) == 2
    twice = pa.Table.from_arrays([pa.array(["1"]), pa.array([TEXT]), pa.array([OTHER])], names=["id", "text", "text"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    write_lines(tmp_path / "in.jsonl", [{"id": "good", "text": TEXT}])
    assert bulk(tmp_path / "in.jsonl", tmp_path / "twice.parquet").exit_code == 3
    assert "two columns are named 'text'" in rejects(tmp_path / "out")[0]["message"]
    assert judged(tmp_path / "out") == {"good"}


def test_two_columns_of_one_name_make_a_table_unreadable(bulk: Bulk, tmp_path: Path) -> None:
    """Neither is dropped without a word."""
    (tmp_path / "twice.csv").write_text(f"id,text,n,n\na,{TEXT},1,2\n", "utf-8")
    write_lines(tmp_path / "in.jsonl", [{"id": "good", "text": OTHER}])
    assert bulk(tmp_path / "in.jsonl", tmp_path / "twice.csv").exit_code == 3
    assert "two columns are named 'n'" in rejects(tmp_path / "out")[0]["message"]


def test_views_of_strings_are_read(bulk: Bulk, tmp_path: Path) -> None:
    """Columns that Arrow cannot sort are judged and kept like others."""
    ids, texts = pa.array(["1", "2"]), pa.array([TEXT, OTHER]).cast(pa.string_view())
    pq.write_table(pa.table({"id": ids, "text": texts, "n": [1, 2]}), tmp_path / "in.parquet")
    assert bulk(tmp_path / "in.parquet").exit_code == 0
    assert sorted(pq.read_table(tmp_path / "out" / "kept.parquet").column("text").to_pylist()) == sorted([TEXT, OTHER])


def test_kept_tables_have_the_columns_of_their_header(bulk: Bulk, tmp_path: Path) -> None:
    """Even where the first records are broken."""
    broken = "".join(f"b{n},{TEXT},more\n" for n in range(25))
    (tmp_path / "in.csv").write_text(f"id,text\n{broken}a,{TEXT}\nb,{OTHER}\n", "utf-8")
    assert bulk(tmp_path / "in.csv").exit_code == 3
    assert (tmp_path / "out" / "kept.csv").read_text("utf-8") == f"id,text\na,{TEXT}\nb,{OTHER}\n"


def test_columns_without_a_name_are_kept(bulk: Bulk, tmp_path: Path) -> None:
    """Rows are as they were, also where a file has several such columns."""
    content = f"id,text,,\na,{TEXT},x,1\nb,{OTHER},,2\n"
    (tmp_path / "in.csv").write_text(content, "utf-8")
    assert bulk(tmp_path / "in.csv").exit_code == 0
    assert (tmp_path / "out" / "kept.csv").read_text("utf-8") == content


def test_a_column_may_have_a_dot_in_its_name(bulk: Bulk, tmp_path: Path) -> None:
    """It is found by its whole name."""
    (tmp_path / "in.csv").write_text(f"id,content.body\na,{TEXT}\n", "utf-8")
    assert bulk(tmp_path / "in.csv", "--text", "content.body").exit_code == 0
    pq.write_table(pa.table({"id": ["a"], "content.body": [TEXT]}), tmp_path / "in.parquet")
    assert bulk(tmp_path / "in.parquet", "--text", "content.body", out="parquet").exit_code == 0
