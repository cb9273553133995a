"""The sample articles as labelled pairs, and as a corpus on disk."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from baznashr.types import Document
from baznashr_server.cli import app
from baznashr_server.engine import Engine
from baznashr_server.tune.data import Pair
from baznashr_server.tune.scoring import Compared, compare_pairs
from tests.articles import ROOT, samples

REPEATED = {"EXACT", "NEAR_DUPLICATE", "EXCERPT"}


def sample_documents() -> dict[str, Document]:
    """Return the samples as documents, by id."""
    return {
        sample["id"]: Document(sample["id"], sample["text"], title=sample["title"], source=sample["source"])
        for sample in samples()
    }


def sample_pairs() -> list[Pair]:
    """Return each sample with the one that it repeats, or is related to, as its editor saw it."""
    pairs = []
    for sample in samples():
        expect = sample["expect"]
        other = expect["canonical_id"] or expect["related_id"]
        if other is not None:
            pairs.append(Pair(other, sample["id"], True, expect["verdict"], expect["verdict"] in REPEATED))
    return pairs


@pytest.fixture(scope="session")
def compared() -> list[Compared]:
    """The pairs of the samples, compared."""
    found = [one for one in compare_pairs(sample_pairs(), sample_documents()) if isinstance(one, Compared)]
    assert len(found) == len(sample_pairs()) > 30
    return found


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The pairs and articles of the samples as files."""
    pairs = tmp_path / "pairs.jsonl"
    with pairs.open("w", encoding="utf-8") as out:
        for pair in sample_pairs():
            line = {"a": pair.a, "b": pair.b, "ordered": pair.ordered, "label": pair.label}
            out.write(json.dumps({**line, "repeated": "yes" if pair.repeated else "no"}) + "\n")
    return pairs, ROOT / "tests" / "samples" / "articles.jsonl"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that holds the samples."""
    folder = tmp_path / "data"
    with Engine.open(folder) as engine:
        engine.ingest_batch(list(sample_documents().values()))
    return folder


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command, in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run
