"""Broken input: what is wrong is named in the rejects and by the exit code, and nothing else is lost."""

import bz2
import csv
import errno
import gzip
import json
import lzma
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import apsw
import pyarrow.parquet as pq
import pytest
import zstandard
from typer.testing import Result

from baznashr.errors import InvalidText
from baznashr_server.bulk import spill
from baznashr_server.bulk.lines import csv_records, lines
from baznashr_server.bulk.reading import NO_LETTERS, check_has_letters
from baznashr_server.bulk.unpacking import chunks
from baznashr_server.store.rows import DocumentRow
from baznashr_server.store.store import Store
from baznashr_server.text.canonical import canonicalise
from tests.bulk.conftest import rows, write_lines
from tests.support.texts import article

Bulk = Callable[..., Result]
TEXT = "گزارش تازه از بازگشایی راه کوهستانی پس از سه روز برف و کولاک در شهرستان"


def judged(folder: Path) -> set[str]:
    return set(pq.read_table(folder / "judgements.parquet").column("id").to_pylist())


def rejects(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text("utf-8").splitlines()]


def line(**fields: Any) -> bytes:
    return json.dumps({"id": "x", "text": TEXT, **fields}, ensure_ascii=False).encode()


def test_every_broken_row_is_named_and_the_others_are_judged(bulk: Bulk, tmp_path: Path) -> None:
    """A dozen kinds of broken rows between good ones: each is rejected for its reason, by its line."""
    broken = {
        2: (b'{"id": "cut", "text": "', "BROKEN_ROW"),
        3: (b"[1, 2]", "BROKEN_ROW"),
        4: ('{"id": "1256", "text": "سلام"}'.encode("windows-1256"), "BAD_ENCODING"),
        5: (line(id="empty", text=""), "EMPTY_TEXT"),
        6: (line(id="marks", text="… !؟ —"), "EMPTY_TEXT"),
        7: (b'{"id": "none"}', "EMPTY_TEXT"),
        8: (line(id=""), "INVALID_DOCUMENT_ID"),
        9: (line(id="tab\tin it"), "INVALID_DOCUMENT_ID"),
        10: (line(id="when", date="دیروز"), "INVALID_PUBLISHED_AT"),
        11: (line(id="large", text="بلند " * 5_600_000), "TEXT_TOO_LARGE"),
        12: (line(id="list", text=["a"]), "INVALID_FIELD"),
        13: (b'{"id": "half", "text": "\\ud800"}', "BROKEN_ROW"),
        15: (line(id="dup", text=TEXT + " یک"), "DUPLICATE_ID"),
        16: (line(id="dup", text=TEXT + " دو"), "DUPLICATE_ID"),
    }
    lines = [broken[n][0] if n in broken else line(id=f"good-{n}", date="1403/02/11 10:20") for n in range(1, 20)]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*lines, b"", b"  ", line(id="good-last", date=None)]))
    result = bulk(tmp_path / "in.jsonl")
    assert result.exit_code == 3, result.output
    found = rejects(tmp_path / "out")
    reasons = {row["row"]: row["reason"] for row in found}
    duplicates = [row["row"] for row in found if row["reason"] == "DUPLICATE_ID"]
    assert len(duplicates) == 1
    assert duplicates[0] in {15, 16}
    kept_duplicate = {15, 16} - set(duplicates)
    assert reasons == {n: reason for n, (_, reason) in broken.items() if n not in kept_duplicate}
    good = {f"good-{n}" for n in range(1, 20) if n not in broken}
    assert judged(tmp_path / "out") == good | {"good-last", "dup"}
    counts = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["counts"]
    assert counts["rejected"] == len(found)
    assert counts["judged"] + counts["rejected"] + counts["collapsed"] == 20


@pytest.mark.parametrize("packing", ["gz", "zst", "xz"])
def test_a_file_that_ends_too_early_is_read_as_far_as_it_goes(packing: str, bulk: Bulk, tmp_path: Path) -> None:
    """All lines before the end of a truncated file are judged; the file is named; other files are not touched by it."""
    archive = rows(packing, 400)
    plain = write_lines(tmp_path / "plain.jsonl", archive).read_bytes()
    pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress, "xz": lzma.compress}[packing]
    whole = pack(plain) + pack(line(id="second frame"))
    (tmp_path / f"whole.jsonl.{packing}").write_bytes(whole)
    assert bulk(tmp_path / f"whole.jsonl.{packing}", out="whole").exit_code == 0
    assert len(judged(tmp_path / "whole")) == 401
    (tmp_path / "whole" / f"kept.jsonl.{packing}").read_bytes()
    (tmp_path / f"cut.jsonl.{packing}").write_bytes(pack(plain)[: len(whole) * 2 // 3])
    other = write_lines(tmp_path / "other.jsonl", rows("other", 5))
    result = bulk(tmp_path / f"cut.jsonl.{packing}", other, out="cut")
    assert result.exit_code == 3, result.output
    (fault,) = rejects(tmp_path / "cut")
    assert (fault["reason"], fault["row"], Path(fault["file"]).name) == ("UNREADABLE_FILE", 0, f"cut.jsonl.{packing}")
    read = judged(tmp_path / "cut")
    assert {row["id"] for row in rows("other", 5)} <= read
    ids = [row["id"] for row in archive]
    count = len(read) - 5
    assert read - {row["id"] for row in rows("other", 5)} == set(ids[:count])


def test_broken_csv_costs_its_own_rows(bulk: Bulk, tmp_path: Path) -> None:
    """A quote left open, a missing column and foreign bytes are rejected; rows with line ends inside are not."""
    content = (
        f'id;text\na;"{TEXT}\nدر سطری دیگر"\nb;"{TEXT} باز\nc;{TEXT} سوم\nd;{TEXT};بیش\ne;{TEXT} پنجم\n'
    ).encode() + b"f;\xe3\xe4\xe5\n"
    (tmp_path / "in.csv").write_bytes(content)
    result = bulk(tmp_path / "in.csv")
    assert result.exit_code == 3, result.output
    assert judged(tmp_path / "out") == {"a", "c", "e"}
    assert [(row["row"], row["reason"]) for row in rejects(tmp_path / "out")] == [
        (4, "BROKEN_ROW"), (6, "BROKEN_ROW"), (8, "BAD_ENCODING")
    ]  # fmt: skip


def test_one_file_that_cannot_be_read_stops_no_run(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the system's reason, and so is one that is to be packed and is empty."""
    for name in ("shut.jsonl", "shut.jsonl.gz", "shut.parquet"):
        (tmp_path / name).touch()
    empty = tmp_path / "empty.jsonl.gz"
    empty.touch()
    good = write_lines(tmp_path / "good.jsonl", rows("beside shut", 4))
    opened = Path.open

    def shut(path: Path, *given: Any, **named: Any) -> Any:
        if path.name.startswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **named)

    monkeypatch.setattr(Path, "open", shut)
    assert bulk(good, empty, *tmp_path.glob("shut*")).exit_code == 3
    found = {Path(row["file"]).name: (row["reason"], row["message"]) for row in rejects(tmp_path / "out")}
    assert found.keys() == {"empty.jsonl.gz", "shut.jsonl", "shut.jsonl.gz", "shut.parquet"}
    assert {reason for reason, _ in found.values()} == {"UNREADABLE_FILE"}
    assert "end too early" in found["empty.jsonl.gz"][1]
    assert "Permission denied" in found["shut.jsonl"][1]
    assert len(judged(tmp_path / "out")) == 4


@pytest.mark.parametrize("start", [b"", b"\x5e\x2a\x4d\x18\x04\0\0\0abcd"])
@pytest.mark.parametrize("window", [0x90, 0xA8])
def test_what_zstd_writes_is_read(tmp_path: Path, start: bytes, window: int) -> None:
    """Also after a frame that holds nothing, as of pzstd, and with windows of 256 MB and 2 GB."""
    block = ((4 << 3) | 1).to_bytes(3, "little") + b"text"
    (tmp_path / "in").write_bytes(start + b"\x28\xb5\x2f\xfd\0" + bytes([window]) + block)
    assert b"".join(chunks(tmp_path / "in")) == b"text"


@pytest.mark.parametrize("packing", ["gz", "zst", "xz", "bz2"])
def test_little_is_unpacked_at_once(packing: str, tmp_path: Path) -> None:
    """However much a file holds in few bytes, it comes in pieces, all of it; frames may follow one another."""
    pack = {
        "gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress, "xz": lzma.compress, "bz2": bz2.compress
    }[packing]  # fmt: skip
    (tmp_path / "in").write_bytes(pack(bytes(100 << 20)) + pack(b"more"))
    sizes = [len(piece) for piece in chunks(tmp_path / "in")]
    assert sum(sizes) == (100 << 20) + 4
    assert max(sizes) <= 34 << 20


def test_a_stray_quote_costs_one_row(bulk: Bulk, tmp_path: Path) -> None:
    """Rows that a quote left open runs over are judged where the record has fewer columns than are due."""
    (tmp_path / "in.csv").write_text(f'id,text,n\n1,"{TEXT},a\n2,{TEXT} دوم,b\n3,{TEXT} سوم,c\n4,{TEXT}"\n', "utf-8")
    assert bulk(tmp_path / "in.csv").exit_code == 3
    assert judged(tmp_path / "out") == {"2", "3"}
    assert [row["row"] for row in rejects(tmp_path / "out")] == [2, 5]


def test_a_row_of_too_many_columns_is_one(bulk: Bulk, tmp_path: Path) -> None:
    """What its quotes hold is no rows of their own, however many lines and marks it has."""
    rows_of_two = f'1,{TEXT}\n2,"{TEXT}\nدوم, سوم\nچهارم",x\n3,{TEXT} پنجم\n'
    (tmp_path / "in.csv").write_text(f"id,text\n{rows_of_two}", "utf-8")
    assert bulk(tmp_path / "in.csv").exit_code == 3
    assert judged(tmp_path / "out") == {"1", "3"}
    assert [(row["row"], row["reason"]) for row in rejects(tmp_path / "out")] == [(3, "BROKEN_ROW")]


def test_a_long_field_is_read_by_a_limit_of_its_own() -> None:
    """What others in the process may read is the same before, between and after the records."""
    usual = csv.field_size_limit()
    for record in csv_records(lines([b"id,text\n1," + b"x" * (usual + 1) + b'\n2,"open']), ","):
        assert csv.field_size_limit() == usual
        assert bool(record.cells) == (record.line < 3)
    assert csv.field_size_limit() == usual


def test_a_line_too_long_within_quotes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a record of its own that cannot be read, and the line before it another."""
    monkeypatch.setattr("baznashr_server.bulk.lines.MAX_LINE_BYTES", 20)
    found = csv_records(lines([b'id,text\n1,"open\n2,', b"x" * 30, b"\n3,good\n"]), ",")
    assert [(record.line, record.cells) for record in found] == [
        (1, ["id", "text"]), (2, None), (3, None), (4, ["3", "good"])
    ]  # fmt: skip


def test_quotation_marks_between_tabs_may_quote_nothing(bulk: Bulk, tmp_path: Path) -> None:
    """Texts that begin with one are read as they are; those that are quoted are read without their quotes."""
    rng = Random("tabs")
    one, two, three, four = (article(rng) for _ in range(4))
    texts = {"a": f'"نقل" {one}', "b": f'"{two} باز', "c": three, "d": f'"{four}\nدر سطری ""دیگر"""'}
    content = "".join(f"{name}\t{text}\tx\r\n" for name, text in texts.items())
    (tmp_path / "in.tsv").write_text(f"id\ttext\tn\r\n{content}", "utf-8", newline="")
    assert bulk(tmp_path / "in.tsv").exit_code == 0
    kept = csv.DictReader((tmp_path / "out" / "kept.tsv").read_text("utf-8").splitlines(True), delimiter="\t")
    assert {row["id"]: row["text"] for row in kept} == {**texts, "d": f'{four}\nدر سطری "دیگر"'}


def test_equal_rows_collapse(bulk: Bulk, tmp_path: Path) -> None:
    """Rows with one id and one canonical text are one article, the earliest; it says how many there were."""
    some = [
        {"id": "a", "text": TEXT, "date": "2024-05-02"},
        {"id": "a", "text": TEXT + " !", "date": "2024-05-01"},
        {"id": "a", "text": TEXT, "date": ""},
        {"id": "b", "text": TEXT + " دیگر", "date": "2024-05-01"},
    ]
    result = bulk(write_lines(tmp_path / "in.jsonl", some))
    assert result.exit_code == 0, result.output
    found = pq.read_table(tmp_path / "out" / "judgements.parquet", columns=["id", "published_at", "copies"]).to_pylist()
    assert [(row["id"], row["copies"]) for row in found] == [("a", 3), ("b", 1)]
    assert found[0]["published_at"].isoformat() == "2024-04-30T20:30:00+00:00"


def test_texts_of_a_folder_and_other_encodings(bulk: Bulk, tmp_path: Path) -> None:
    """A folder of texts is read through, its articles named by their paths, and the kept ones are files again."""
    folder = tmp_path / "texts" / "below"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(TEXT, "utf-8")
    (folder / "b.txt.gz").write_bytes(gzip.compress((TEXT + " دوم با چند واژه دیگر").encode("utf-16")))
    (folder / "note.md").write_text("no article", "utf-8")
    result = bulk(tmp_path / "texts")
    assert result.exit_code == 0, result.output
    assert judged(tmp_path / "out") == {"below/a.txt", "below/b.txt.gz"}
    kept = tmp_path / "out" / "kept" / "below"
    assert (kept / "a.txt").read_text("utf-8") == TEXT
    assert gzip.decompress((kept / "b.txt.gz").read_bytes()).decode() == TEXT + " دوم با چند واژه دیگر"
    assert json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["skipped"] == [
        f"{folder / 'note.md'} (the name does not say what it holds)"
    ]


def test_a_full_disk_is_named(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write that failed is told of, with the folder and what to do; with room again the run goes on."""
    source = write_lines(tmp_path / "in.jsonl", rows("full", 300))
    insert, calls = Store.insert_document, count()

    def fail(store: Store, row: DocumentRow) -> None:
        if next(calls) == 200:
            raise apsw.FullError("database or disk is full")
        insert(store, row)

    monkeypatch.setattr(Store, "insert_document", fail)
    result = bulk(source, "--build", tmp_path / "data")
    assert result.exit_code == 1
    for words in (str(tmp_path / "data"), "database or disk is full", "the same command then goes on"):
        assert words in result.output
    assert bulk(source, "--build", tmp_path / "data").exit_code == 0
    assert len(judged(tmp_path / "out")) == 300


def test_a_file_that_cannot_be_written_is_told_of_with_its_folder(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow, which writes most files, names none of them."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device")

    monkeypatch.setattr(spill, "_write_run", fail)
    result = bulk(write_lines(tmp_path / "in.jsonl", rows("file", 20)))
    assert result.exit_code == 1
    assert result.output.startswith(f"baznashr-server: {tmp_path / 'out'}: Error writing bytes")


def test_a_disk_without_room_for_the_store_is_told_at_the_start(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder to build may lie on a disk of its own, which is looked at too."""
    source = write_lines(tmp_path / "in.jsonl", rows("room", 20))
    (tmp_path / "small").mkdir()

    def usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=1000 if folder == tmp_path / "small" else 1 << 40)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    result = bulk(source, "--build", tmp_path / "small" / "data")
    assert result.exit_code == 1
    assert f"{tmp_path / 'small' / 'data'}: the run needs about" in result.output
    assert not (tmp_path / "out").exists()


def test_what_is_said_to_have_no_letters_has_none() -> None:
    """The canonical form of what is refused without a closer look is empty, and that of what is accepted is not."""
    assert not canonicalise("".join(NO_LETTERS)).letters.size
    for text in ("", " \n", ".\n.", "«…»"):
        with pytest.raises(InvalidText, match="no letter"):
            check_has_letters(text)
    for text in ("«خ»", "a.", "—7—", "ℵ"):
        check_has_letters(text)
