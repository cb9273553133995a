"""Files of pairs and articles."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr.types import Document
from baznashr_server.tune.data import ARTICLES, PAIRS, Pair, TuneError, read_articles, read_pairs, write
from tests.tune.conftest import sample_documents, sample_pairs

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.builds(Pair, TEXTS, TEXTS, st.booleans(), TEXTS, st.none() | st.booleans()), min_size=1))
def test_written_pairs_are_read_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[Pair]) -> None:
    """Pairs come back as they were written, whatever their ids and labels."""
    folder = tmp_path_factory.mktemp("pairs")
    write(folder, pairs, [])
    assert read_pairs(folder / PAIRS) == pairs


def test_written_articles_are_read_back(tmp_path: Path) -> None:
    """Articles come back as they were written, those that no pair names left aside; nothing half-written stays."""
    documents = sample_documents()
    write(tmp_path, sample_pairs(), documents.values())
    assert read_articles(tmp_path / ARTICLES, set(documents)) == documents
    assert set(read_articles(tmp_path / ARTICLES, {"metro"})) == {"metro"}
    assert {path.name for path in tmp_path.iterdir()} == {PAIRS, ARTICLES}


def test_articles_are_read_as_others_write_them(tmp_path: Path) -> None:
    """A gzipped file, `body` for `text`, an empty or Jalali time, fields nobody asked for: all are read."""
    path = tmp_path / "articles.jsonl.gz"
    lines = [
        {"id": "a", "body": "متن", "published_at": "", "category": 3},
        {"id": "b", "text": "متن", "published_at": "1395/02/29"},
        {"id": "c", "text": "متن", "published_at": "2024-05-01T10:00:00+03:30"},
    ]
    path.write_bytes(gzip.compress("\n\n".join(map(json.dumps, lines)).encode()))
    found = read_articles(path, {"a", "b", "c"})
    assert [found[name].text for name in "abc"] == ["متن"] * 3
    assert [found[name].published_at is not None for name in "abc"] == [False, False, True]
    assert found["a"] == Document("a", "متن")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"a": "1", "b": "2", "repeated": "maybe"}', ":1: repeated must be one of yes, no, unsure, not 'maybe'"),
        ('{"a": "1", "b": "2"}', ":1 has no repeated"),
        ('\n{"a": "1", "repeated": "no"}', ":2 has no b"),
        ("{", ":1 is no JSON"),
        ("[" * 200_000, ":1 is no JSON"),
        ("9" * 5000, ":1 is no JSON"),
        ("[]", ":1 is no JSON object"),
        ("", " holds no pairs"),
    ],
)
def test_bad_pairs_are_named_by_line(tmp_path: Path, lines: str, message: str) -> None:
    """What is no pair is refused with file, line and what is wrong."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(TuneError) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing file, one that is not UTF-8, one that is no gzip and a lacking article end in a sentence."""
    with pytest.raises(TuneError, match="No such file"):
        read_pairs(tmp_path / "none.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TuneError, match="not UTF-8"):
        read_pairs(tmp_path / "bytes.jsonl")
    (tmp_path / "plain.gz").write_bytes(b"{}")
    with pytest.raises(TuneError, match="cannot be read"):
        read_pairs(tmp_path / "plain.gz")
    write(tmp_path, [], sample_documents().values())
    with pytest.raises(TuneError, match="lacks 1 of the articles that the pairs name, such as stranger"):
        read_articles(tmp_path / ARTICLES, {"metro", "stranger"})
