"""An exported corpus, imported elsewhere, is the same corpus; bad records are named and left out."""

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from baznashr.errors import CorpusNotFound, DataFolderInUse, InvalidArgument, StoreError
from baznashr.types import Document, StoredDocument
from baznashr_server.bulk.transfer import GIVEN, JUDGED, export_corpus, import_corpus
from baznashr_server.engine import Engine
from tests.lifecycle.content import NOON, documents, ingest
from tests.support.texts import article

FORMS = ["jsonl", "jsonl.gz", "jsonl.zst", "parquet"]


def rich_documents() -> list[Document]:
    """Return documents with every field set, and some with none."""
    made = documents(Random("transfer"), 300)
    made[3] = replace(made[3], title='عنوان "نقل‌قول"\n', url="https://a.example/۱", labels={"desk": "اقتصاد", "": "x"})
    made[4] = replace(made[4], published_at=None, source="")
    made[5] = replace(made[5], text=f"{made[5].text}\x00\u200c\r\n{article(Random(5), 5)}")
    doubled = article(Random("doubled"), 60)
    made[6] = replace(made[6], text=f"{doubled}\n{doubled}")
    return made


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Path]]:
    """An engine at work, with a corpus of documents."""
    folder = tmp_path_factory.mktemp("live") / "data"
    with Engine.open(folder) as engine:
        engine.create_corpus("news")
        ingest(engine, rich_documents(), "news")
        ingest(engine, documents(Random("others"), 20, "x"))
        yield engine, folder


def stored(engine: Engine, corpus: str) -> list[StoredDocument]:
    """Return all documents of a corpus that the tests know of, without what an import makes anew."""
    found = [engine.get(document.id, corpus) for document in rich_documents()]
    return [replace(one, arrived_at=NOON, judgement=replace(one.judgement, corpus="")) for one in found]


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_travels_whole(live: tuple[Engine, Path], tmp_path: Path, form: str) -> None:
    """Exported while in use and imported elsewhere, every field, verdict and match is the same."""
    engine, folder = live
    out = tmp_path / f"news.{form}"
    assert export_corpus(folder, "news", out) == 300
    done = import_corpus(tmp_path / "new", "copy", out)
    assert (done.verdicts.total(), done.refused, done.replayed) == (300, [], 0)
    with Engine.open(tmp_path / "new") as other:
        assert stored(other, "copy") == stored(engine, "news")
        assert other.corpus_stats("copy").verdicts == engine.corpus_stats("news").verdicts
    again = import_corpus(tmp_path / "new", "copy", out)
    assert (again.verdicts.total(), again.replayed) == (0, 300)


def test_an_export_says_what_was_judged(live: tuple[Engine, Path], tmp_path: Path) -> None:
    """Records are in order of arrival, with the documented fields and nothing else."""
    engine, folder = live
    export_corpus(folder, "news", tmp_path / "news.jsonl")
    records = [json.loads(line) for line in (tmp_path / "news.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == [document.id for document in rich_documents()]
    assert all(list(record) == [*GIVEN, *JUDGED] for record in records)
    judgement = engine.get("d9", "news").judgement
    assert (records[9]["verdict"], records[9]["canonical_id"]) == (judgement.verdict.value, judgement.canonical_id)
    assert records[9]["canonical_id"] == "d8"
    assert records[6]["self_repetition_share"] > 0.4
    assert records[4]["published_at"] is None


def test_an_export_is_one_moment(live: tuple[Engine, Path], tmp_path: Path) -> None:
    """What is stored or deleted while it runs does not show."""
    engine, folder = live
    engine.create_corpus("moving")
    content = documents(Random("moving"), 200, "m")
    ingest(engine, content, "moving")
    touched: list[bool] = []

    def meanwhile(_: str, done: int, __: int) -> None:
        if done == 50:
            touched.append(engine.delete("m150", "moving"))
            engine.ingest(Document(id="late", text=article(Random(9))), "moving")

    assert export_corpus(folder, "moving", tmp_path / "m.jsonl", progress=meanwhile) == 200
    assert touched == [True]


def test_a_damaged_line_is_named_and_left_out(tmp_path: Path) -> None:
    """Each bad record is reported with its line and reason; all others are stored."""
    good = [{"id": f"g{i}", "text": article(Random(i)), "labels": None} for i in range(4)]
    bad = [
        "{not json",
        "[" * 200_000,
        "[1]",
        json.dumps({"id": "b"}),
        json.dumps({"id": "b", "text": "!!"}),
        json.dumps({"id": "b", "text": 5}),
        json.dumps({"id": "b", "text": "متن", "published": "2024-01-01"}),
        json.dumps({"id": "b", "text": "متن", "published_at": "yesterday"}),
        json.dumps({"id": "b", "text": "متن", "published_at": "2024-01-01T00:00:00"}),
        json.dumps({"id": "g0", "text": "متن دیگری با همان شناسه"}),
    ]
    lines = [json.dumps(good[0]), "", *bad, *map(json.dumps, good[1:])]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = import_corpus(tmp_path / "data", "news", tmp_path / "in.jsonl")
    assert done.verdicts == {"NEW": 4}
    reasons = dict(done.refused)
    assert sorted(reasons) == list(range(3, 3 + len(bad)))
    for line, expected in zip(
        range(3, 13),
        [
            "no JSON",
            "no JSON",
            "no JSON object",
            "text",
            "EMPTY_TEXT",
            "int instead of str",
            "published",
            "ISO 8601",
            "zone",
            "REUSED",
        ],
        strict=True,
    ):
        assert expected in reasons[line]
    assert import_corpus(tmp_path / "data", "news", tmp_path / "in.jsonl", replace=True).verdicts == {"NEW": 1}


def test_an_import_keeps_to_the_window(tmp_path: Path) -> None:
    """What lies outside the corpus's window is judged and not stored, as over gRPC."""
    with Engine.open(tmp_path / "data") as engine:
        engine.create_corpus("news", window_days=10)
    content = [("new", NOON), ("old", NOON - timedelta(days=11))]
    lines = [json.dumps({"id": i, "text": article(Random(i)), "published_at": t.isoformat()}) for i, t in content]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    done = import_corpus(tmp_path / "data", "news", tmp_path / "in.jsonl")
    assert (done.verdicts.total(), done.outside_window) == (1, 1)


def test_files_are_checked_before_anything_happens(
    live: tuple[Engine, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names without a form, files that exist, corpora that do not, and folders in use are refused with a reason."""
    _, folder = live
    with pytest.raises(InvalidArgument, match=r"\.parquet"):
        export_corpus(folder, "news", tmp_path / "news.csv")
    with pytest.raises(CorpusNotFound):
        export_corpus(folder, "nowhere", tmp_path / "n.jsonl")
    (tmp_path / "there.jsonl").touch()
    with pytest.raises(StoreError, match="exists already"):
        export_corpus(folder, "news", tmp_path / "there.jsonl")
    with pytest.raises(StoreError, match="holds no store"):
        export_corpus(tmp_path, "news", tmp_path / "n.jsonl")
    with pytest.raises(DataFolderInUse):
        import_corpus(folder, "news", tmp_path / "there.jsonl")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InvalidArgument, match=r"pip install 'baznashr-server\[bulk\]'"):
        export_corpus(folder, "news", tmp_path / "n.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.jsonl"]


@pytest.mark.parametrize("form", FORMS[1:])
def test_a_broken_file_is_an_error(tmp_path: Path, form: str) -> None:
    """A file that is not of its form, or is cut short, ends the import with a sentence."""
    path = tmp_path / f"in.{form}"
    path.write_bytes(b"no such form")
    with pytest.raises(InvalidArgument, match="in"):
        import_corpus(tmp_path / "data", "news", path)
    if form == "jsonl.gz":
        path.write_bytes(gzip.compress(json.dumps({"id": "a", "text": "متن"}).encode())[:-9])
        with pytest.raises(InvalidArgument):
            import_corpus(tmp_path / "data", "news", path)
