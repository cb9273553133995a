"""A client with no code of ours: the guide's commands, by reflection, as they stand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.secrets import Authority, entry, token_for, write_tokens
from tests.support.server import ServerProcess, serving

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
COMMANDS = [
    command.replace("\\\n", " ")
    for block in re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for command in re.findall(r"^\$ (buf curl .*?[^\\])$", block, re.DOTALL | re.MULTILINE)
]


def answers(folder: Path, server: ServerProcess, scheme: str) -> list[Any]:
    """Run the guide's commands for the scheme in *folder*, and return what they print."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    asked = [command for command in COMMANDS if f" {scheme}://" in command]
    done = [
        subprocess.run(
            ["sh", "-c", command.replace("127.0.0.1:50051", server.listen)],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        for command in asked
    ]
    assert [one.stderr for one in done if one.returncode] == []
    return [json.loads(one.stdout)["judgement"] for one in done]


def test_buf_ingests_and_checks(tmp_path: Path) -> None:
    """In clear on this machine, the article is new, and then known."""
    with serving(tmp_path / "data", "--reflection") as server:
        ingested, checked = answers(tmp_path, server, "http")
    assert (ingested["verdict"], ingested["stored"]) == ("VERDICT_NEW", True)
    assert (checked["verdict"], checked["canonicalId"]) == ("VERDICT_EXACT", "a1")


def test_buf_ingests_and_checks_with_tls_and_a_token(tmp_path: Path) -> None:
    """The same with an authority and a token; reflection needs none."""
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    certificate, key = authority.issue(tmp_path, "server", "127.0.0.1")
    (tmp_path / "pipeline.token").write_text(token_for("pipeline"), encoding="ascii")
    tokens = write_tokens(tmp_path / "tokens.toml", entry("pipeline", ["read", "write"]))
    flags = {"--tls-certificate": certificate, "--tls-private-key": key, "--tokens": tokens}
    with serving(tmp_path / "data", "--reflection", *(f"{flag}={file}" for flag, file in flags.items())) as server:
        ingested, checked = answers(tmp_path, server, "https")
    assert (ingested["verdict"], checked["verdict"]) == ("VERDICT_NEW", "VERDICT_EXACT")
