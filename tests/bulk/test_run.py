"""Bulk runs from files to outputs: what they leave, and what it depends on."""

import csv
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from baznashr.types import Document
from baznashr_server.bulk import run, spill
from baznashr_server.bulk.batches import Answers, Given
from baznashr_server.bulk.bench import Bench
from baznashr_server.bulk.times import read_time
from baznashr_server.engine import Engine
from tests.bulk.conftest import rows, write_lines
from tests.bulk.test_faults import TEXT
from tests.bulk.test_inputs import column, interrupt
from tests.support.texts import article

Bulk = Callable[..., Result]
SAME = ("judgements.parquet", "clusters.parquet", "edges.parquet", "duplicates.csv", "remove/ids.txt")


def judgements(folder: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "judgements.parquet").to_pylist())


def in_order(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(some, key=lambda row: (row["published_at"] is None, row["published_at"] or "", row["id"]))


def test_a_run_judges_as_the_service_does_in_that_order(bulk: Bulk, tmp_path: Path) -> None:
    """Verdicts, canonical ids, scores and shares are those of one ingest after the other, and all rows are told of."""
    archive = rows("service", 300)
    result = bulk(write_lines(tmp_path / "in.jsonl", archive))
    assert result.exit_code == 0, result.output
    found = judgements(tmp_path / "out")
    assert [row["id"] for row in found] == [row["id"] for row in in_order(archive)]
    zone = ZoneInfo("Asia/Tehran")
    with Engine.open(tmp_path / "data") as engine:
        for row, given in zip(found, in_order(archive), strict=True):
            document = Document(**{**given, "published_at": read_time(given["published_at"], zone)})
            judgement = engine.ingest(document)
            assert (row["verdict"], row["repeated"], row["reason"], row["canonical_id"]) == (
                judgement.verdict.value, judgement.repeated, judgement.reason, judgement.canonical_id
            )  # fmt: skip
            assert row["new_share"] == round(judgement.new_share, 6)
            if judgement.matches:
                assert row["match_id"] == judgement.matches[0].document_id
                assert row["similarity"] == round(judgement.matches[0].similarity, 6)
        for row in found:
            cluster = engine.list_cluster(row["id"])
            assert (row["cluster"], row["cluster_size"]) == (cluster.canonical_id, cluster.total)


def test_the_result_depends_on_the_rows_alone(bulk: Bulk, tmp_path: Path) -> None:
    """The same rows shuffled and spread over two files give the same bytes."""
    archive = rows("spread", 240)
    assert bulk(write_lines(tmp_path / "in.jsonl", archive)).exit_code == 0
    Random("shuffled").shuffle(archive)
    first = write_lines(tmp_path / "z.jsonl", archive[:100])
    second = write_lines(tmp_path / "b.jsonl", archive[100:])
    assert bulk(first, second, out="other").exit_code == 0
    for name in SAME:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    kept = [
        [json.loads(line) for line in (tmp_path / out / "kept.jsonl").read_text("utf-8").splitlines()]
        for out in ("out", "other")
    ]
    assert kept[0] == kept[1]


def test_long_texts_go_by_few_at_a_time(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches hold so many characters at most, and no answer depends on where they end."""
    source = write_lines(tmp_path / "in.jsonl", rows("long", 300))
    assert bulk(source).exit_code == 0
    sizes: list[list[int]] = []
    submit = Bench.submit

    def noted(bench: Bench, given: Sequence[Given]) -> Callable[[], Answers]:
        sizes.append([len(one[1]) for one in given])
        return submit(bench, given)

    monkeypatch.setattr(Bench, "submit", noted)
    monkeypatch.setattr(spill, "MOST_CHARACTERS", 3000)
    assert bulk(source, out="other").exit_code == 0
    assert sum(map(len, sizes)) == 300
    assert len(sizes) > 30
    assert all(sum(some) <= 3000 or len(some) == 1 for some in sizes)
    for name in (*SAME, "kept.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name


def test_what_is_not_kept_names_what_is(bulk: Bulk, tmp_path: Path) -> None:
    """Kept and duplicates are all that was judged; each duplicate names a kept article of its cluster."""
    assert bulk(write_lines(tmp_path / "in.jsonl", rows("kept", 200))).exit_code == 0
    found = {row["id"]: row for row in judgements(tmp_path / "out")}
    lines = (tmp_path / "out" / "kept.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in found.values() if row["kept"]]
    with closing(sqlite3.connect(tmp_path / "out" / "duplicates.sqlite")) as database:
        pairs = database.execute("SELECT id, kept_id FROM duplicates").fetchall()
    assert {one for one, _ in pairs} == {row["id"] for row in found.values() if not row["kept"]}
    assert pairs
    for one, kept in pairs:
        assert found[kept]["kept"]
        assert found[kept]["cluster"] == found[one]["cluster"]
    assert len(lines) + len(pairs) == len(found)


def test_forms_are_alike(bulk: Bulk, tmp_path: Path) -> None:
    """The same rows as CSV and as Parquet get the judgements that they get as JSON Lines."""
    archive = rows("forms", 60)
    table = pa.Table.from_pylist(archive)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=16)

    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(archive[0]))
        writer.writeheader()
        writer.writerows(archive)
    write_lines(tmp_path / "in.jsonl", archive)
    for form in ("jsonl", "csv", "parquet"):
        result = bulk(tmp_path / f"in.{form}", out=form)
        assert result.exit_code == 0, result.output
    assert judgements(tmp_path / "csv") == judgements(tmp_path / "jsonl") == judgements(tmp_path / "parquet")
    kept = [row["id"] for row in judgements(tmp_path / "jsonl") if row["kept"]]
    assert pq.read_table(tmp_path / "parquet" / "kept.parquet").schema == table.schema
    assert pq.read_table(tmp_path / "parquet" / "kept.parquet").column("id").to_pylist() == kept
    with (tmp_path / "csv" / "kept.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == kept


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "txt"])
def test_where_nothing_is_kept_the_kept_set_is_empty(bulk: Bulk, tmp_path: Path, form: str) -> None:
    """It is there all the same, with its header or its columns."""
    row = {"id": "in.txt", "text": article(Random("empty"))}
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("stored", row["text"]))
    source, kept = tmp_path / f"in.{form}", tmp_path / "out" / f"kept.{form}"
    table = pa.table({"id": [row["id"]], "text": pa.array([row["text"]]).cast(pa.string_view())})
    match form:
        case "jsonl":
            write_lines(source, [row])
        case "csv":
            source.write_text("id,text\n" + ",".join(row.values()), "utf-8")
        case "parquet":
            pq.write_table(table, source)
        case _:
            source.write_text(row["text"], "utf-8")
    assert bulk(source, "--against", tmp_path / "data").exit_code == 0
    assert [row["kept_id"] for row in judgements(tmp_path / "out")] == ["stored"]
    match form:
        case "jsonl":
            assert kept.read_text("utf-8") == ""
        case "csv":
            assert kept.read_text("utf-8") == "id,text\n"
        case "parquet":
            assert pq.read_table(kept).schema.names == ["id", "text"]
            assert pq.read_table(kept).num_rows == 0
        case _:
            assert not list((tmp_path / "out" / "kept").iterdir())


def test_parquet_files_of_two_schemas_and_much_metadata(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are kept in the order of judging, a file for each schema; there are few runs, and fewer are open at once."""
    monkeypatch.setattr(run, "run_bytes", lambda _: 60_000)
    monkeypatch.setattr(spill, "OPEN_RUNS", 2)
    archive = rows("schemas", 240)
    for number in range(12):
        table = pa.Table.from_pylist(archive[number * 20 : (number + 1) * 20])
        if number % 2:
            table = table.append_column("more", pa.array(range(20)))
        pq.write_table(table.replace_schema_metadata({"file": str(number)}), tmp_path / f"{number:02d}.parquet")
    interrupt(tmp_path / "*.parquet", tmp_path / "out", after="work/read.json")
    assert 2 < len(list((tmp_path / "out" / "work" / "runs").iterdir())) < 9
    assert bulk(tmp_path / "*.parquet").exit_code == 0
    found = pq.read_table(tmp_path / "out" / "judgements.parquet", columns=["id", "kept"]).to_pylist()
    kept = [row["id"] for row in found if row["kept"]]
    files = [pq.read_table(tmp_path / "out" / f"kept{more}.parquet") for more in ("", "-2")]
    both = [table.column("id").to_pylist() for table in files]
    assert {len(table.schema) for table in files} == {5, 6}
    assert sorted(both[0] + both[1]) == sorted(kept)
    for ids in both:
        assert ids == [one for one in kept if one in set(ids)]


def test_a_text_with_the_longest_of_names_is_kept(bulk: Bulk, tmp_path: Path) -> None:
    """There is no longer name for it while it is not whole."""
    name = "n" * 251 + ".txt"
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / name).write_text(TEXT, "utf-8")
    assert bulk(tmp_path / "texts").exit_code == 0
    assert [path.name for path in (tmp_path / "out" / "kept").iterdir()] == [name]


def test_rows_of_one_id_are_settled_alike_in_all_forms(bulk: Bulk, tmp_path: Path) -> None:
    """What stands for rows of one text is told by their fields; values that Python cannot hold are no matter."""
    some = [{"id": f"{n % 9}", "text": f"{TEXT} {n % 9}", "title": f"{TEXT[n:]}"} for n in range(36)]
    held = pa.table({"far": pa.array([10**13] * 36, pa.timestamp("s")), "long": pa.array([1] * 36, pa.duration("ns"))})
    for name, values in {"when": pa.array([1] * 36, pa.time64("ns")), "kind": pa.array(["a", "b"] * 18)}.items():
        held = held.append_column(name, values.dictionary_encode() if name == "kind" else values)
    for name, values in pa.Table.from_pylist(some).to_pydict().items():
        held = held.append_column(name, pa.array(values))
    pq.write_table(held, tmp_path / "in.parquet")
    write_lines(tmp_path / "in.jsonl", some)
    with (tmp_path / "in.csv").open("w", encoding="utf-8") as file:
        file.writelines(
            f"{row['title']},{row['id']},{row['text']}\n" for row in [{name: name for name in some[0]}, *some]
        )
    for form in ("jsonl", "csv", "parquet"):
        assert bulk(tmp_path / f"in.{form}", out=form).exit_code == 0
    titles = column(tmp_path / "jsonl", "title")
    assert len(titles) == 9
    assert titles == column(tmp_path / "csv", "title") == column(tmp_path / "parquet", "title")
