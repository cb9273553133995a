"""What a run takes for its inputs, and what it must not: no file is lost, no row is passed over without a word."""

import bz2
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from baznashr.errors import InvalidArgument
from baznashr_server.bulk import judging, run
from baznashr_server.bulk.inputs import Form, Found, Input, find
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.progress import Quiet
from baznashr_server.bulk.run import Run
from tests.bulk.conftest import rows, write_lines
from tests.bulk.test_faults import TEXT, judged, line, rejects

Bulk = Callable[..., Result]
OTHER = "نرخ ارز در بازار امروز تهران کمی پایین آمد و خریداران تا شب چشم به راه خبرهای تازه ماندند"


def column(folder: Path, name: str) -> list[object]:
    found: list[object] = pq.read_table(folder / "judgements.parquet").column(name).to_pylist()
    return found


def interrupt(source: object, out: Path, after: str = "work") -> None:
    """Leave an unfinished run, which was interrupted once it had made a file."""
    with pytest.raises(judging.Interrupted):
        Run(Options((str(source),), out, report=False), Quiet(), lambda _: None, (out / after).exists)()


def test_a_dry_run_leaves_an_unfinished_run_alone(bulk: Bulk, tmp_path: Path) -> None:
    """What an interrupted run has done stays, and the same command goes on with it."""
    source = write_lines(tmp_path / "in.jsonl", rows("dry unfinished", 40))
    interrupt(source, tmp_path / "out")
    assert bulk(source, "--dry-run").exit_code == 0
    assert (tmp_path / "out" / "work" / "plan.json").exists()
    assert bulk(source).exit_code == 0


def test_a_run_that_another_release_began_is_refused(bulk: Bulk, tmp_path: Path) -> None:
    """It is said which release goes on with it, and that another folder begins anew."""
    source = write_lines(tmp_path / "in.jsonl", rows("another release", 40))
    interrupt(source, tmp_path / "out")
    plan = tmp_path / "out" / "work" / "plan.json"
    plan.write_text(json.dumps(json.loads(plan.read_text("utf-8")) | {"version": "0.0.1"}), "utf-8")
    result = bulk(source)
    assert result.exit_code == 1
    assert "differs in: version. Give the same command to release 0.0.1 to go on with it;" in result.output
    assert f"give another --out, or remove {tmp_path / 'out'}, to begin anew" in result.output


def test_a_run_that_cannot_begin_leaves_nothing(bulk: Bulk, tmp_path: Path) -> None:
    """Where the fields are wrong no folder is made, and what was there stays."""
    source = write_lines(tmp_path / "in.jsonl", [{"zzz": TEXT}])
    assert bulk(source).exit_code == 1
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    assert bulk(source).exit_code == 1
    assert not list((tmp_path / "out").iterdir())


def test_no_file_that_was_there_is_replaced(bulk: Bulk, tmp_path: Path) -> None:
    """Inputs that lie in the folder of the outputs are refused, and so is a folder that holds anything."""
    kept = tmp_path / "out" / "kept.jsonl"
    kept.parent.mkdir()
    write_lines(kept, rows("in out", 12))
    before = kept.read_bytes()
    other = write_lines(tmp_path / "in.jsonl", rows("other", 5))
    for source in (kept, kept.parent, other):
        result = bulk(source)
        assert result.exit_code == 1
        assert "not empty" in result.output
    (kept.parent / "work").mkdir()
    for source, flags in ((kept, ()), (kept.parent, ()), (other, ()), (other, ("--dry-run",))):
        assert bulk(source, *flags).exit_code == 1
        assert kept.read_bytes() == before
    kept.unlink()
    thesis = kept.parent / "work" / "thesis.txt"
    thesis.write_text("of somebody")
    for flags in ((), ("--dry-run",), ("--memory", "1M")):
        assert bulk(other, *flags).exit_code == 1
        assert thesis.exists()


def test_a_dry_run_makes_no_folder(bulk: Bulk, tmp_path: Path) -> None:
    """Nor those that the folder would lie in."""
    assert bulk(write_lines(tmp_path / "in.jsonl", rows("deep", 3)), "--dry-run", out="x/y/z").exit_code == 0
    assert not (tmp_path / "x").exists()


def test_no_text_is_written_outside(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts named by paths with .. are kept below the folder of the outputs, and the inputs are what they were."""
    for name, text in (("data/a.txt", TEXT), ("below/v/b.txt", OTHER)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, "utf-16")
    before = (tmp_path / "data" / "a.txt").read_bytes()
    monkeypatch.chdir(tmp_path / "below" / "v")
    for number, names in enumerate((["../../data/a.txt", "b.txt"], ["*/../../v/../../data/a.txt", "../*/b.txt"])):
        (tmp_path / "below" / "v" / "w").mkdir(exist_ok=True)
        assert bulk(*names, out=f"out-{number}").exit_code == 0
        kept = tmp_path / f"out-{number}" / "kept"
        assert sorted(path.name for path in kept.rglob("*.txt")) == ["a.txt", "b.txt"]
        assert (tmp_path / "data" / "a.txt").read_bytes() == before


def test_outputs_are_no_inputs_when_a_run_goes_on(bulk: Bulk, tmp_path: Path) -> None:
    """A folder that the outputs lie in is read without them, at the first start and at the next."""
    write_lines(tmp_path / "in.jsonl", rows("around", 40))
    interrupt(tmp_path, tmp_path / "out")
    result = bulk(tmp_path)
    assert result.exit_code == 0, result.output
    assert len(column(tmp_path / "out", "id")) == 40


def test_what_cannot_be_read_twice_is_refused(bulk: Bulk, tmp_path: Path) -> None:
    """A pipe and a link that leads nowhere are named, and nothing is judged."""
    pipe, link = tmp_path / "pipe.jsonl", tmp_path / "link.jsonl"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "nothing.jsonl")
    writer = Thread(target=lambda: pipe.write_bytes(line()), daemon=True)
    writer.start()
    assert "send it to '-'" in bulk(pipe).output
    assert "leads nowhere" in bulk(link).output
    assert "leads nowhere" in bulk(tmp_path / "l*.jsonl").output
    pipe.read_bytes()
    writer.join()


def test_standard_input_is_that_of_the_run(bulk: Bulk, tmp_path: Path) -> None:
    """Of a call that failed nothing is kept; a run that goes on takes the same again, or nothing, and refuses else."""
    some = write_lines(tmp_path / "in.jsonl", rows("piped", 40)).read_bytes()
    assert bulk("-", input=line(id="a").replace(b"text", b"zzz")).exit_code == 1
    assert bulk("-", "--sample", "3", input=some).exit_code == 0
    for again, code in ((some, 0), (b"", 0), (some[:-1], 1), (some + b"\n", 1), (b"x" + some[1:], 1)):
        out = tmp_path / f"again-{code}-{len(again)}-{again[:1].decode()}"
        spool = tmp_path / "spool.jsonl"
        spool.write_bytes(some)
        with spool.open() as piped, pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.stdin", piped)
            interrupt("-", out)
        result = bulk("-", out=out.name, input=again)
        assert result.exit_code == code, result.output
        assert code == 0 or "not what the unfinished run began with" in result.output


def test_standard_input_is_taken_once(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is named; where it is closed a sentence says so."""
    some = write_lines(tmp_path / "in.jsonl", rows("twice", 4)).read_bytes()
    assert bulk("-", "-", input=some).exit_code == 0
    assert len(column(tmp_path / "out", "id")) == 4
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InvalidArgument, match="is closed"):
        Run(Options(("-",), tmp_path / "closed"), Quiet(), lambda _: None)()


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "U8"])
def test_an_encoding_is_one_by_any_name(bulk: Bulk, tmp_path: Path, encoding: str) -> None:
    """Bytes that are no UTF-8 are rejected however UTF-8 is spelt."""
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([line(id="good"), line(id="bad").replace(b"x", b"\xff") + b"\xff"]))
    assert bulk(tmp_path / "in.jsonl", "--encoding", encoding).exit_code == 3
    assert [row["reason"] for row in rejects(tmp_path / "out")] == ["BAD_ENCODING"]
    assert judged(tmp_path / "out") == {"good"}


@pytest.mark.parametrize("form", ["jsonl", "csv", "txt"])
def test_bytes_that_are_not_of_the_encoding_are_rejected(bulk: Bulk, tmp_path: Path, form: str) -> None:
    """No text is judged with a mark in place of what could not be read; the rows beside it are."""
    good, bad = TEXT.replace("گ", "ک").replace("پ", "ب").encode("iso-8859-6", "ignore"), b"\xab\xa1"
    folder = tmp_path / "in"
    folder.mkdir()
    for name, text in (("one", good), ("two", good + bad)):
        match form:
            case "jsonl":
                content = b'{"id": "%s", "text": "%s"}\n' % (name.encode(), text)
            case "csv":
                content = b"id,text\n%s,%s\n" % (name.encode(), text)
            case _:
                content = text
        (folder / f"{name}.{form}").write_bytes(content)
    assert bulk(folder, "--encoding", "ISO-8859-6").exit_code == 3
    assert [row["reason"] for row in rejects(tmp_path / "out")] == ["BAD_ENCODING"]
    assert len(judged(tmp_path / "out")) == 1


@pytest.mark.parametrize("encoding", ["window-1256", "rot13", "base64", "undefined", "idna", ""])
def test_what_is_no_encoding_is_refused(bulk: Bulk, tmp_path: Path, encoding: str) -> None:
    """With a sentence, before anything is read."""
    result = bulk(write_lines(tmp_path / "in.jsonl", rows("encoding", 3)), "--encoding", encoding)
    assert result.exit_code == 1
    assert "encoding" in result.output


def test_a_text_that_would_be_a_folder_is_told_at_the_start(
    bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of two folders has an article whose name is that of a folder in the other."""
    inputs = []
    for path, text in (("one/x.txt", TEXT), ("other/x.txt/y.txt", OTHER)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text, "utf-8")
        inputs.append(Input(path, tmp_path / path, Form.TEXT, path.partition("/")[2]))
    monkeypatch.setattr(run, "find", lambda *_, **__: Found(tuple(inputs), ()))
    result = bulk(tmp_path)
    assert result.exit_code == 1
    assert "'x.txt' is an article in one folder and the folder of 'x.txt/y.txt' in another" in result.output
    assert not (tmp_path / "out").exists()


def test_texts_of_one_name_stay_apart(bulk: Bulk, tmp_path: Path) -> None:
    """Packed and plain files, and files of two folders, by a glob or by their names, are articles of their own."""
    for name, text in (("a/1.txt", TEXT), ("b/1.txt", OTHER)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "a" / "1.txt.gz").write_bytes(gzip.compress((OTHER + TEXT).encode()))
    names = {"a/1.txt", "b/1.txt", "a/1.txt.gz"}
    for number, given in enumerate(([tmp_path / "*" / "1.txt*"], [tmp_path / name for name in sorted(names)])):
        assert bulk(*given, out=f"out-{number}").exit_code == 0
        assert judged(tmp_path / f"out-{number}") == names
        kept = tmp_path / f"out-{number}" / "kept"
        assert {str(path.relative_to(kept)) for path in kept.rglob("*.txt*")} == names


def test_texts_of_several_folders_stay_apart(bulk: Bulk, tmp_path: Path) -> None:
    """By a glob, which the shell may have made into names, and beside files; those of one folder are below it."""
    for name, text in (("in/1402/0.txt", TEXT), ("in/1403/0.txt", OTHER), ("in/0.txt", TEXT + OTHER)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    both = {"1402/0.txt", "1403/0.txt"}
    for number, (names, expected) in enumerate((
        (["in/14*"], both), (["in/1402", "in/1403"], both), (["in/*"], both | {"0.txt"}),
        (["in/1402", "in/1403", "in/0.txt"], both | {"0.txt"}), (["in/1402"], {"0.txt"}),
    )):  # fmt: skip
        assert bulk(*(tmp_path / name for name in names), out=f"out-{number}").exit_code == 0
        assert judged(tmp_path / f"out-{number}") == expected


def test_kept_lines_are_packed_as_they_came(bulk: Bulk, tmp_path: Path) -> None:
    """Bzip2 too."""
    (tmp_path / "in.jsonl.bz2").write_bytes(bz2.compress(line()))
    assert bulk(tmp_path / "in.jsonl.bz2").exit_code == 0
    assert bz2.decompress((tmp_path / "out" / "kept.jsonl.bz2").read_bytes()) == line() + b"\n"


def test_names_that_are_no_utf8_are_escaped(bulk: Bulk, tmp_path: Path) -> None:
    """An article of such a file is judged under a name that can be written; so are those beside it."""
    (tmp_path / "in").mkdir()
    for name in (b"\xe3\xc8.txt", b"good.txt"):
        (tmp_path / "in" / os.fsdecode(name)).write_text(TEXT + name.hex(), "utf-8")
    assert bulk(tmp_path / "in").exit_code == 0
    assert judged(tmp_path / "out") == {"\\xe3\\xc8.txt", "good.txt"}
    assert bulk(tmp_path / "in" / os.fsdecode(b"\xe3\xc8.txt"), out="lone").exit_code == 0
    settings = json.loads((tmp_path / "lone" / "run.json").read_text("utf-8"))["settings"]
    assert settings["inputs"] == [f"{tmp_path}/in/\\xe3\\xc8.txt"]


def test_a_folder_whose_name_is_no_utf8_is_refused(tmp_path: Path) -> None:
    """As that of the outputs, before anything is made."""
    source, out = write_lines(tmp_path / "in.jsonl", rows("foreign", 3)), tmp_path / os.fsdecode(b"\xe3")
    with pytest.raises(InvalidArgument, match="is UTF-8"):
        Run(Options((str(source),), out), Quiet(), lambda _: None)()
    assert not out.exists()


def test_cleaned_rows_keep_their_other_values(bulk: Bulk, tmp_path: Path) -> None:
    """A row whose second copy is removed has the same id, however long the number."""
    long = {"id": 123456789012345678901234567890, "text": f"{TEXT}\n\n{OTHER}\n\n{TEXT}\n\n{OTHER}", "views": 2**70}
    assert bulk(write_lines(tmp_path / "in.jsonl", [long]), "--clean").exit_code == 0
    kept = json.loads((tmp_path / "out" / "kept.jsonl").read_text("utf-8"))
    assert kept["text"] != long["text"]
    assert {**kept, "text": ""} == {**long, "text": ""}


def test_long_numbers_are_ids(bulk: Bulk, tmp_path: Path) -> None:
    """Also below an object."""
    some = [{"meta": {"id": 12345678901234567890123456}, "text": TEXT}]
    assert bulk(write_lines(tmp_path / "in.jsonl", some), "--id", "meta.id").exit_code == 0
    assert judged(tmp_path / "out") == {"12345678901234567890123456"}


def test_linked_folders_are_listed(bulk: Bulk, tmp_path: Path) -> None:
    """They are not read through, and the run says so."""
    write_lines(tmp_path / "elsewhere.jsonl", rows("linked", 3))
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.jsonl", rows("linking", 3))
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    assert bulk(tmp_path / "in").exit_code == 0
    skipped = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["skipped"]
    assert skipped == [f"{tmp_path / 'in' / 'link'} (a link to a folder)"]


def test_what_is_passed_over_in_folders_is_listed(tmp_path: Path) -> None:
    """Links that lead nowhere and pipes too; the first ones are told, and how many more there are."""
    write_lines(tmp_path / "in.jsonl", rows("beside", 3))
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "nothing.jsonl")
    for number in range(12):
        (tmp_path / f"note-{number}.md").touch()
    said: list[str] = []
    Run(Options((str(tmp_path),), tmp_path / "out", dry_run=True), Quiet(), said.append)()
    assert f"not read: {tmp_path / 'link.jsonl'} (a link that leads nowhere)" in said
    assert "not read: and 4 more" in said
    found = find([str(tmp_path)], None, tmp_path / "out", tmp_path / "spool", lambda: False, is_resumed=False)
    assert f"{tmp_path / 'pipe.jsonl'} (no file that can be read twice)" in found.skipped


def test_folders_that_cannot_be_read_are_told(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rejects and the exit code; what lies beside them is judged."""
    (tmp_path / "in" / "shut").mkdir(parents=True)
    write_lines(tmp_path / "in" / "a.jsonl", rows("open", 3))
    scan = os.scandir

    def shut(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", shut)
    assert bulk(tmp_path / "in").exit_code == 3
    assert len(judged(tmp_path / "out")) == 3
    (told,) = rejects(tmp_path / "out")
    assert (told["file"], told["reason"]) == (str(tmp_path / "in" / "shut"), "UNREADABLE_FILE")
    assert told["message"] == "Not read: Permission denied."


@pytest.mark.parametrize("content", ["", "[\n  {\n    1\n  }\n]"])
def test_inputs_without_records_are_named(bulk: Bulk, tmp_path: Path, content: str) -> None:
    """Nothing that could be read, as in an array over many lines, is no matter of fields."""
    (tmp_path / "in.json").write_text(content, "utf-8")
    result = bulk(tmp_path / "in.json")
    assert result.exit_code == 1
    assert "No record could be read" in result.output


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("in.csv", f"id,text,text\na,{TEXT},x\n", "two columns are named 'text'"),
        ("in.csv", f"id,text\ra,{TEXT}\r", "new-line character"),
        ("in.json", "[\n1\n]", "row 1: The row is no JSON object"),
        ("in.jsonl.gz", "", "end too early"),
    ],
)
def test_why_no_record_could_be_read_is_told(bulk: Bulk, tmp_path: Path, name: str, content: str, why: str) -> None:
    """By the first fault, with the file's name."""
    (tmp_path / name).write_text(content, "utf-8", newline="")
    result = bulk(tmp_path / name)
    assert result.exit_code == 1
    assert f"{tmp_path / name}: " in result.output
    assert why in result.output


def test_a_full_disk_is_told_by_a_sentence(bulk: Bulk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends with code 1, and goes on when there is room."""
    source = write_lines(tmp_path / "in.jsonl", rows("full", 20))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out" / "kept.jsonl"))

    with monkeypatch.context() as patched:
        patched.setattr("baznashr_server.bulk.finishing.write_kept", full)
        result = bulk(source)
    assert result.exit_code == 1
    assert f"{tmp_path / 'out' / 'kept.jsonl'}: No space left on device" in result.output
    assert bulk(source).exit_code == 0
