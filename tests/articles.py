"""The articles that tests read: the project's samples, and real ones where the evaluation data is at hand."""

import gzip
import json
import os
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def evaluation_folder() -> Path:
    """Return the folder of evaluation data; skip the test where there is none."""
    folder = Path(os.environ.get("BAZNASHR_EVAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "articles.jsonl.gz").exists():
        pytest.skip(f"no evaluation data in {folder}: set BAZNASHR_EVAL_DATA")
    return folder


@cache
def real_articles() -> dict[str, str]:
    """Return the bodies of all real articles by id; skip the test where there are none."""
    with gzip.open(evaluation_folder() / "articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {article["id"]: article["body"] for article in map(json.loads, lines)}


def real_bodies(count: int, *, seed: int = 20) -> list[str]:
    """Return *count* bodies of real articles, drawn by *seed*."""
    return random.Random(seed).sample(list(real_articles().values()), count)


def seeds() -> list[str]:
    """Return the five articles as they arrive in practice, in order; skip the test where they are absent."""
    files = sorted((evaluation_folder().parent / "seeds").glob("00*.txt"))
    if len(files) != 5:
        pytest.skip("no seeds beside the evaluation data")
    return [file.read_text(encoding="utf-8") for file in files]


@cache
def samples() -> tuple[dict[str, Any], ...]:
    """Return the project's own sample articles."""
    lines = (ROOT / "tests" / "samples" / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)
