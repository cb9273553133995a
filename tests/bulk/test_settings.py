"""What is kept, cleaned, sampled, refused, judged against and built; and the lists that other tools read."""

import csv
import json
import pickletools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from baznashr.errors import StoreError
from baznashr.types import Document
from baznashr_server.bulk import memory
from baznashr_server.bulk.mapping import guess
from baznashr_server.engine import Engine
from tests.bulk.conftest import rows, write_lines
from tests.support.texts import article, light_edit

Bulk = Callable[..., Result]


def table(folder: Path, *columns: str) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "judgements.parquet", columns=list(columns) or None).to_pylist())


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "kept.jsonl").read_text("utf-8").splitlines()]


def clusters_of(remove: Path) -> dict[int, int]:
    """Return the rows that text-dedup's list names, with the row that each stays for."""
    written = (remove / "text-dedup" / "clusters.pickle").read_bytes()
    values = [argument for opcode, argument, _ in pickletools.genops(written) if opcode.name == "BININT"]
    return dict(zip(values[::2], values[1::2], strict=True))


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
    clusters = clusters_of(remove)
    assert sorted(clusters) == list(range(121))
    assert sorted(archive[row]["id"] for row, to in clusters.items() if row == to) == expected


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_lists_count_refused_rows_that_have_a_text(bulk: Bulk, tmp_path: Path, form: str) -> None:
    """A time or an id that is none shifts no later row: what the list removes is the copy."""
    first, second = (article(Random(f"counted {n}")) for n in range(2))
    some = [
        {"id": "when", "text": article(Random("when")), "date": "yesterday"},
        {"id": "none", "text": "", "date": None},
        {"id": "\t", "text": article(Random("tab")), "date": None},
        {"id": "a", "text": first, "date": "2024-01-01"},
        {"id": "b", "text": second, "date": "2024-01-02"},
        {"id": "c", "text": first, "date": "2024-01-03"},
    ]
    source = tmp_path / f"in.{form}"
    if form == "jsonl":
        write_lines(source, some)
    else:
        pq.write_table(pa.Table.from_pylist(some), source)
    assert bulk(source).exit_code == 3
    remove = tmp_path / "out" / "remove"
    gone = np.fromfile(remove / "datatrove" / "000000.remove", "<u4").tolist()
    assert [[row["id"] for row in some if row["text"]][place] for place in gone] == ["c"]


def test_lists_count_rows_of_csv_with_too_many_columns_or_too_few(bulk: Bulk, tmp_path: Path) -> None:
    """Other tools read those that have a text, so that they shift no later row: what the list removes is the copy."""
    first, second = (article(Random(f"columns {n}")) for n in range(2))
    content = f"text,id,n\n{first},many,1,2\n{second},few\n,none,1,2\n{first},a,1\n{second},b,1\n{first},c,1\n"
    (tmp_path / "in.csv").write_text(content, "utf-8")
    result = bulk(tmp_path / "in.csv")
    assert (result.exit_code, len(table(tmp_path / "out"))) == (3, 3)
    gone = np.fromfile(tmp_path / "out" / "remove" / "datatrove" / "000000.remove", "<u4").tolist()
    read = [row["id"] for row in csv.DictReader(content.splitlines()) if row["text"]]
    assert [read[place] for place in gone] == ["c"]


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


@pytest.mark.parametrize("flags", [(), ("--clean",)])
def test_the_longest_is_so_without_its_second_copies(bulk: Bulk, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """A text with a paragraph twice does not win by it over one that says more."""
    parts = [article(Random(f"longest {n}"), 60) + "." for n in range(4)]
    some = [
        {"id": "a", "text": "\n\n".join(parts), "time": 1_700_000_000},
        {"id": "b", "text": "\n\n".join([*parts, "چند واژه دیگر هم در پایان آمده است."]), "time": 1_700_000_100},
        {"id": "c", "text": "\n\n".join([*parts, parts[1]]), "time": 1_700_000_200},
    ]
    assert bulk(write_lines(tmp_path / "in.jsonl", some), "--keep", "longest", *flags).exit_code == 0
    assert {row["cluster"] for row in table(tmp_path / "out")} == {"a"}
    assert [row["id"] for row in kept(tmp_path / "out")] == ["b"]


def test_a_text_that_the_store_has_is_cleaned_by_its_own_blanks(bulk: Bulk, tmp_path: Path) -> None:
    """Where the text of a known id differs in whitespace, its own second copy goes, and nothing else of it."""
    parts = [article(Random(f"blank {n}"), 40) + "." for n in range(4)]
    stored, given = (blanks.join([*parts[:2], *parts]) for blanks in ("\n\n", " \n" * 400))
    with Engine.open(tmp_path / "data") as engine:
        assert engine.ingest(Document("twice", stored)).self_repetition.spans
    source = write_lines(tmp_path / "in.jsonl", [{"id": "twice", "text": given}])
    assert bulk(source, "--clean", "--against", tmp_path / "data").exit_code == 0
    assert bulk(source, "--clean", out="alone").exit_code == 0
    assert table(tmp_path / "out", "replayed") == [{"replayed": True}]
    columns = ("repetition_share", "repetition_kinds", "repetition_spans")
    assert table(tmp_path / "out", *columns) == table(tmp_path / "alone", *columns)
    (cleaned,) = kept(tmp_path / "out")
    assert cleaned == kept(tmp_path / "alone")[0]
    assert all(cleaned["text"].count(part) == 1 for part in parts)


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


def test_a_full_disk_is_told_in_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones are not rounded to nothing."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(StoreError, match=r"about \d\.\d MB of disk, and 1\.0 MB are free"):
        memory.check_disk(tmp_path, 2_000_000)


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
    assert guess([{"ID": 1, "id": 2, "text": "a"}], {"id": "id"}).id == "id"


def test_a_field_that_is_named_may_come_late(bulk: Bulk, tmp_path: Path) -> None:
    """It is looked for beyond the records that others are guessed from; one that is nowhere is refused."""
    archive = [*rows("late", 60), {"id": "late", "text": article(Random("late")), "caption": "t"}]
    source = write_lines(tmp_path / "in.jsonl", archive)
    assert bulk(source, "--title", "caption").exit_code == 0
    assert {row["title"] for row in table(tmp_path / "out")} == {"", "t"}
    result = bulk(source, "--title", "captoin", out="wrong")
    assert result.exit_code == 1
    assert "No record has a field 'captoin'" in result.output


def test_an_excerpt_does_not_stand_for_its_article(bulk: Bulk, tmp_path: Path) -> None:
    """However its source ranks, and though it heads no cluster: the whole article stays."""
    parts = [article(Random(f"part {n}"), 90) for n in range(3)]
    some = [
        {"id": "c", "text": "\n".join(parts), "source": "a.example", "time": 1_700_000_000},
        {"id": "x", "text": parts[0], "source": "b.example", "time": 1_700_000_100},
        {"id": "y", "text": parts[2], "source": "best.example", "time": 1_700_000_200},
    ]
    source = write_lines(tmp_path / "in.jsonl", some)
    assert bulk(source, "--keep", "source-rank", "--source-ranks", "best.example, b.example").exit_code == 0
    assert [row["verdict"] for row in table(tmp_path / "out")] == ["NEW", "EXCERPT", "EXCERPT"]
    assert [row["id"] for row in kept(tmp_path / "out")] == ["c"]


def test_a_cluster_of_the_other_store_is_one(bulk: Bulk, tmp_path: Path) -> None:
    """Also where its canonical document changed after an answer that is given again."""
    text = article(Random("moved"), 120)

    def document(name: str, month: int) -> Document:
        return Document(name, text, published_at=datetime(2024, month, 1, tzinfo=UTC))

    with Engine.open(tmp_path / "data") as engine:
        for one in (document("A", 5), document("X", 6), document("B", 1)):
            engine.ingest(one)
    some = [
        {"id": name, "text": text, "time": f"2024-0{month}-01T00:00:00Z"}
        for name, month in (("X", 6), ("C", 7), ("E", 8))
    ]
    assert bulk(write_lines(tmp_path / "in.jsonl", some), "--against", tmp_path / "data").exit_code == 0
    found = table(tmp_path / "out", "id", "canonical_id", "cluster", "cluster_size")
    assert {row["canonical_id"] for row in found} == {"A", "B"}
    assert {(row["cluster"], row["cluster_size"]) for row in found} == {("B", 3)}
    (cluster,) = pq.read_table(tmp_path / "out" / "clusters.parquet").to_pylist()
    assert cluster["members"] == ["X", "C", "E"]


@pytest.mark.parametrize("more", [0, 3])
def test_rows_that_the_other_store_refuses_are_in_no_list(bulk: Bulk, tmp_path: Path, more: int) -> None:
    """Nor are the rows that collapsed into one of them."""
    with Engine.open(tmp_path / "data") as engine:
        engine.ingest(Document("old", article(Random("old"))))
    some = [{"id": "old", "text": article(Random("refused"))}] * 2 + rows("beside", more)
    assert bulk(write_lines(tmp_path / "in.jsonl", some), "--against", tmp_path / "data").exit_code == 3
    remove = tmp_path / "out" / "remove"
    assert not b"".join(path.read_bytes() for path in (remove / "datatrove").glob("*.remove"))
    ids = (remove / "ids.txt").read_text("utf-8").split()
    assert "old" not in ids
    assert len(clusters_of(remove)) == more


def test_a_built_folder_is_never_taken_away(bulk: Bulk, tmp_path: Path) -> None:
    """What another run built meanwhile stays, and what cannot be is said before anything is read."""
    source = write_lines(tmp_path / "in.jsonl", rows("built", 30))
    flags = ("--against", tmp_path / "nowhere", "--build", tmp_path / "built")
    with Engine.open(tmp_path / "store"):
        other = ("--against", tmp_path / "store", "--corpus", "other")
        within = ("--build", tmp_path / "out" / "work" / "built")
        for words in (flags, (*flags, "--dry-run"), ("--corpus", "no name"), other, within):
            assert bulk(source, *words).exit_code == 1
            assert not (tmp_path / "out").exists()
    assert bulk(source, "--build", tmp_path / "built", out="other").exit_code == 0
    with Engine.open(tmp_path / "nowhere") as engine:
        engine.ingest(Document("d", article(Random("d"))))
    result = bulk(source, *flags)
    assert result.exit_code == 1
    assert "is not empty" in result.output
    with Engine.open(tmp_path / "built") as engine:
        assert engine.corpus_stats().documents == 30
