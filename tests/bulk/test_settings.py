"""What is kept, cleaned, sampled, refused, judged against and built; and the lists that other tools read."""

import json
import pickletools
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from baznashr.types import Document
from baznashr_server.bulk.mapping import guess
from baznashr_server.engine import Engine
from tests.bulk.conftest import rows, write_lines
from tests.support.texts import article, light_edit

Bulk = Callable[..., Result]


def table(folder: Path, *columns: str) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "judgements.parquet", columns=list(columns) or None).to_pylist())


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "kept.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("keep", "expected"), [("earliest", "b"), ("longest", "c"), ("source-rank", "a")])
def test_one_of_a_cluster_is_kept(keep: str, expected: str, bulk: Bulk, tmp_path: Path) -> None:
    """The earliest, the longest or that of the best source stays, and the others name it."""
    rng = Random("keep")
    text = article(rng, 120)
    some = [
        {"id": "a", "text": light_edit(rng, text), "source": "best.example", "time": 1_700_000_300},
        {"id": "b", "text": text, "source": "other.example", "time": 1_700_000_000},
        {"id": "c", "text": text + " واژه‌ای دیگر در پایان", "source": "other.example", "time": 1_700_000_200},
        {"id": "d", "text": article(rng, 90), "source": "other.example", "time": 1_700_000_100},
    ]
    result = bulk(
        write_lines(tmp_path / "in.jsonl", some), "--keep", keep, "--source-ranks", "best.example,second.example"
    )
    assert result.exit_code == 0, result.output
    assert [row["id"] for row in kept(tmp_path / "out")] == sorted({expected, "d"}, key="bdca".index)
    assert {row["id"]: row["kept_id"] for row in table(tmp_path / "out")} == {
        "a": expected, "b": expected, "c": expected, "d": "d"
    }  # fmt: skip
    assert {row["cluster"] for row in table(tmp_path / "out") if row["id"] != "d"} == {"b"}


def test_clean_takes_second_copies_out(bulk: Bulk, tmp_path: Path) -> None:
    """A text doubled as a whole is kept once; other fields and other texts are as they were."""
    text = "\n".join(article(Random(f"line {n}"), 30) for n in range(4))
    some = [{"id": "twice", "text": f"{text}\n{text}", "more": [1.5, {"a": None}]}, *rows("clean", 6)]
    assert bulk(write_lines(tmp_path / "in.jsonl", some), "--clean").exit_code == 0
    found = {row["id"]: row for row in kept(tmp_path / "out")}
    assert found["twice"] == {"id": "twice", "text": text, "more": [1.5, {"a": None}]}
    (row,) = (row for row in table(tmp_path / "out") if row["id"] == "twice")
    assert row["repetition_kinds"] == ["WHOLE_TEXT"]
    assert row["repetition_share"] == pytest.approx(0.5, abs=0.01)


def test_lists_for_other_tools_name_the_same_rows(bulk: Bulk, tmp_path: Path) -> None:
    """Read as datatrove and text-dedup read them, the lists leave what is kept, collapsed rows counted."""
    archive = rows("lists", 120)
    archive.insert(50, dict(archive[3]))
    first = write_lines(tmp_path / "a.jsonl", archive[:70])
    second = write_lines(tmp_path / "b.jsonl", archive[70:])
    assert bulk(first, second).exit_code == 0
    remove = tmp_path / "out" / "remove"
    expected = sorted(row["id"] for row in kept(tmp_path / "out"))
    left = []
    for number, part in enumerate((archive[:70], archive[70:])):
        gone = np.fromfile(remove / "datatrove" / f"{number:06d}.remove", "<u4").tolist()
        assert gone == sorted(gone)
        left += [row["id"] for place, row in enumerate(part) if place not in gone]
    assert sorted(left) == expected
    values = [
        argument for opcode, argument, _ in pickletools.genops((remove / "text-dedup" / "clusters.pickle").read_bytes())
        if opcode.name == "BININT"
    ]  # fmt: skip
    clusters = dict(zip(values[::2], values[1::2], strict=True))
    assert sorted(clusters) == list(range(121))
    assert sorted(archive[row]["id"] for row, to in clusters.items() if row == to) == expected


def test_against_a_store_that_stays_as_it_is(bulk: Bulk, tmp_path: Path) -> None:
    """Repeats of stored articles are found and not kept; the store, open meanwhile, has nothing new."""
    rng = Random("against")
    texts = [article(rng) for _ in range(30)]
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news")
        engine.ingest_batch([Document(f"old{n}", text) for n, text in enumerate(texts)], "news")
        some = [{"id": f"new{n}", "text": light_edit(rng, text)} for n, text in enumerate(texts[:10])]
        some += [
            {"id": "old3", "text": texts[3]},
            {"id": "old4", "text": article(rng)},
            {"id": "z", "text": article(rng)},
        ]
        flags = ("--against", tmp_path / "data", "--corpus", "news")
        result = bulk(write_lines(tmp_path / "in.jsonl", some), *flags, "--build", tmp_path / "built")
        assert engine.corpus_stats("news").documents == 30
    assert result.exit_code == 3, result.output
    found = {row["id"]: row for row in table(tmp_path / "out")}
    for n in range(10):
        assert (found[f"new{n}"]["canonical_id"], found[f"new{n}"]["cluster"]) == (f"old{n}", f"old{n}")
    assert found["old3"]["replayed"]
    assert [row["id"] for row in kept(tmp_path / "out")] == ["old3", "z"]
    (refused,) = (json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text("utf-8").splitlines())
    assert (refused["id"], refused["row"], refused["reason"]) == ("old4", 12, "DOCUMENT_ID_REUSED")
    with Engine.open(tmp_path / "built") as engine:
        assert engine.corpus_stats("news").documents == 30 + 11
        assert engine.check(some[0]["text"], "news").repeated


def test_what_does_not_fit_is_refused_with_the_figure(bulk: Bulk, tmp_path: Path) -> None:
    """A run that needs more memory than allowed says how much, and leaves nothing begun."""
    path = write_lines(tmp_path / "in.jsonl", rows("memory", 20))
    result = bulk(path, "--memory", "100M")
    assert result.exit_code == 1
    assert "0.7 GB of memory, and 0.1 GB are allowed" in result.output
    assert bulk(path).exit_code == 0
    result = bulk(path)
    assert result.exit_code == 1
    assert "finished run" in result.output


def test_a_dry_run_leaves_nothing(bulk: Bulk, tmp_path: Path) -> None:
    """Nothing is written, not even the folder."""
    assert bulk(write_lines(tmp_path / "in.jsonl", rows("dry", 5)), "--dry-run").exit_code == 0
    assert not (tmp_path / "out").exists()


def test_a_sample_is_the_earliest_rows(bulk: Bulk, tmp_path: Path) -> None:
    """As many as asked for are judged, and as they would be among all."""
    archive = rows("sample", 60)
    path = write_lines(tmp_path / "in.jsonl", archive)
    assert bulk(path, "--sample", "20").exit_code == 0
    assert bulk(path, out="all").exit_code == 0
    answers = ("id", "verdict", "canonical_id", "similarity")
    assert table(tmp_path / "out", *answers) == table(tmp_path / "all", *answers)[:20]


def test_standard_input_is_read(bulk: Bulk, tmp_path: Path) -> None:
    """What is piped in is judged like a file."""
    lines = write_lines(tmp_path / "in.jsonl", rows("stdin", 12))
    assert bulk("-", input=lines.read_bytes()).exit_code == 0
    assert bulk(lines, out="file").exit_code == 0
    assert table(tmp_path / "out") == table(tmp_path / "file")


def test_fields_are_guessed_by_name() -> None:
    """Names in English and Persian and of any case are known; a name asked for wins; nested ones are reached."""
    found = guess([{"Doc_ID": 1, "متن": "a", "تیتر": "b", "Link": "c", "meta": {}, "تاریخ": 1}], {})
    assert (found.id, found.text, found.title, found.url, found.time) == ("Doc_ID", "متن", "تیتر", "Link", "تاریخ")
    assert guess([{"body": "a", "raw": {}}], {"text": "raw.text", "title": "-"}).text == "raw.text"
