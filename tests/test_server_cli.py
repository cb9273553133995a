"""The command ``baznashr-server``, as a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baznashr_server.bulk import start
from baznashr_server.settings import Settings

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("BAZNASHR_")}


def run(*arguments: str, env: dict[str, str] = CLEAN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "baznashr_server", *arguments]
    return subprocess.run(command, env={**env, "COLUMNS": "200"}, capture_output=True, text=True, check=False)


def test_help_lists_every_setting() -> None:
    """Each setting has a flag of its name."""
    text = run("serve", "--help").stdout
    assert [name for name in Settings.model_fields if f"--{name.replace('_', '-')}" not in text] == []


def test_help_tells_the_workers_of_this_machine() -> None:
    """A default that is counted where it runs is shown as the number."""
    workers = run("serve", "--help").stdout.split("--workers")[1].split("--group")[0]
    assert f"(default: {Settings.model_fields['workers'].get_default(call_default_factory=True)})" in workers


def test_help_does_not_wait_for_the_engine() -> None:
    """The command's module imports nothing that is slow to import."""
    slow = {"numba", "numpy", "grpc", "apsw", "hazm", "prometheus_client", "structlog"}
    code = "import sys, baznashr_server.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert slow & set(done.stdout.split()) == set()


def test_version() -> None:
    """The version is printed by name."""
    assert run("--version").stdout.startswith("baznashr-server 0.")


def test_bad_settings_end_with_a_sentence(tmp_path: Path) -> None:
    """Exit code 2 and one sentence a mistake; no traceback."""
    done = run("serve", "--data", str(tmp_path), "--workers", "none", "--max-streams", "0")
    assert done.returncode == 2
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["baznashr-server", "workers"],
        ["baznashr-server", "max_streams"],
    ]


def test_check_config_reads_file_and_environment(tmp_path: Path) -> None:
    """Settings can be checked and seen without serving."""
    file = tmp_path / "s.toml"
    file.write_text('data = "there"\nworkers = 3\n', encoding="utf-8")
    done = run(
        "check-config", "--config", str(file), "--insecure", "--print-config", env={**CLEAN, "BAZNASHR_WORKERS": "5"}
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert {'data = "there"', "workers = 5", "insecure = true"} <= set(printed)
    assert run("check-config", "--config", str(file)).stdout == "The settings can be used.\n"


def test_check_config_tells_what_serve_would(tmp_path: Path) -> None:
    """What would end a start is refused; what would make it of little use is a warning, and nothing is made."""
    (tmp_path / "file").touch(0o600)
    file, data = str(tmp_path / "file"), str(tmp_path / "data")
    for flags, sentence in (
        (("--data", file), f"data: {file} is no folder"),
        (("--data", data, "--profile", "fa-0"), "profile: there is no 'fa-0'; this release knows fa-1, fa-1b"),
        (("--data", data, "--metrics-corpora", "a,B"), "metrics_corpora: 'B' is no corpus name"),
    ):
        refused = run("check-config", *flags)
        assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", f"baznashr-server: {sentence}\n")
    for flags, sentence in (
        (("--tokens", file), f"{file} holds no token, so that no call will be allowed"),
        (("--kernel-cache", file), f"{file} is no folder: each start compiles for up to a minute"),
    ):
        warned = run("check-config", "--data", data, "--kernel-cache", str(tmp_path / "kernels"), *flags)
        assert (warned.returncode, warned.stdout) == (0, "The settings can be used.\n")
        assert warned.stderr == f"baznashr-server: warning: {sentence}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_extra_that_is_not_installed_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traces, asked for or checked, and a bulk run say in a line what is missing and which extra brings it."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    for command in ("serve", "check-config"):
        flags = ("--data", str(tmp_path / "data"), "--traces", "http://127.0.0.1:9", "--listen", "127.0.0.1:0")
        done = run(command, *flags, "--metrics", "", env={**CLEAN, "PYTHONPATH": path})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("baznashr-server: traces: needs opentelemetry.")
        assert done.stderr.endswith(": pip install 'baznashr-server[otel]'\n")
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(start, "find_spec", lambda name: None if name in {"pyarrow", "vl_convert"} else name)
    monkeypatch.setattr(sys, "argv", ["baznashr-server", "bulk", "in.jsonl", "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        start.main()
    needed = "pyarrow, vl_convert, not installed"
    assert ended.value.code == f"baznashr-server: bulk needs {needed}: pip install 'baznashr-server[bulk]'"


def test_serving_the_network_unprotected_must_be_asked_for(tmp_path: Path) -> None:
    """Another address than loopback is refused before anything is opened."""
    done = run("serve", "--data", str(tmp_path / "data"), "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "--insecure" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_new_token_is_shown_once(tmp_path: Path) -> None:
    """The entry goes to standard output and is taken by check-config; the token, to standard error, is not in it."""
    made = run("new-token", "crawler", "--scopes", "read,write")
    (token,) = made.stderr.splitlines()
    assert token.startswith("bzr_")
    assert token not in made.stdout
    file = tmp_path / "tokens.toml"
    file.write_text(made.stdout, encoding="utf-8")
    file.chmod(0o600)
    assert run("check-config", "--data", "d", "--tokens", str(file)).stdout == "The settings can be used.\n"
    for wrong in (("two words",), ("crawler", "--scopes", "all")):
        refused = run("new-token", *wrong)
        assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(
    "arguments", [["new-token", "abc"], ["doctor", ".", "--json"], ["serve", "--data", "d", "--print-config"], ["-h"]]
)
def test_output_that_cannot_be_written_ends_with_a_sentence(arguments: list[str]) -> None:
    """Where the disk of the output is full, a last line says so, without traceback, and the exit code is 1."""
    command = [sys.executable, "-m", "baznashr_server", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=CLEAN, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    *before, last = done.stderr.splitlines()
    assert last == "baznashr-server: the output cannot be written: No space left on device"
    assert len(before) == (arguments[0] == "new-token")  # whose token is told there


def test_output_that_is_closed_is_not_asked_for() -> None:
    """A supervisor may close it: what there is to do is done, and the exit code is that of it."""
    command = [sys.executable, "-m", "baznashr_server", "check-config", "--data", "d"]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(closed, env=CLEAN, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


LONG = "x" * 300
"""No file can be called so; to look for one fails as in a folder that only another user may enter."""


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["verify", LONG], 1, f"{LONG}/baznashr.sqlite3: "),
        (["restore", LONG, "data"], 1, f"{LONG}: "),
        (["tune", "--data", LONG], 1, f"{LONG}/baznashr.sqlite3: "),
        (["check-config", "--data", LONG], 2, f"data: {LONG}: "),
        (["check-config", "--data", "d", "--config", LONG], 2, f"config: {LONG}: "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_files_that_cannot_be_looked_at_end_with_a_sentence(arguments: list[str], code: int, sentence: str) -> None:
    """The file and the reason are told, without traceback; settings that name it are wrong usage."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"baznashr-server: {sentence}File name too long\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_is_at_hand(arguments: list[str]) -> None:
    """Without a command, or asked for help, the commands are listed."""
    done = run(*arguments)
    assert "serve" in done.stdout + done.stderr
