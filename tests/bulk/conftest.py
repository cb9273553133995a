"""Archives made up for bulk runs, and runs of the command in this process."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from baznashr_server.cli import app
from tests.support.texts import article, light_edit, word

Row = Mapping[str, Any]


def rows(seed: object, count: int) -> list[dict[str, Any]]:
    """Return rows in which every fourth is a copy or a light edit of one before, in no order of time."""
    rng = Random(repr(seed))
    made: list[dict[str, Any]] = []
    for number in range(count):
        text = article(rng)
        if number % 4 == 3:
            text = rng.choice(made)["text"]
            text = light_edit(rng, text) if rng.random() < 0.7 else text
        made.append(
            {
                "id": f"a{rng.randrange(10**9)}-{number}",
                "title": word(rng),
                "text": text,
                "source": rng.choice(["one.example", "two.example", "three.example"]),
                "published_at": f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}" if number % 5 else None,
            }
        )
    return made


def write_lines(path: Path, some: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some), "utf-8")
    return path


@pytest.fixture
def bulk(tmp_path: Path) -> Callable[..., Result]:
    """The command, quiet and without its report, in this process; paths are below the test's folder."""

    def run(*arguments: object, out: str = "out", **given: Any) -> Result:
        words = [str(argument) for argument in arguments]
        if "--report" not in words:
            words.append("--no-report")
        return CliRunner().invoke(app, ["bulk", *words, "--out", str(tmp_path / out), "--quiet"], **given)

    return run
