"""Completion, as a shell asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.executable).parent


@pytest.fixture
def bash(tmp_path):
    """Run a script in bash, with the command on the path and a home of its own; return what it printed."""

    def bash(script):
        path = f"{FOLDER}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\ntrue"],
            env=os.environ | {"PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    return bash


COMPLETE = """
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_baznashr_completion baznashr
echo "${{COMPREPLY[@]}}"
"""


def test_what_is_shown_completes(bash):
    """The script that --show-completion prints completes commands and options."""
    script = 'eval "$(baznashr --show-completion)"'
    script += COMPLETE.format(words="baznashr co") + COMPLETE.format(words="baznashr watch --po")
    assert bash(script).splitlines() == ["compare corpus", "--polling"]


def test_what_is_installed_is_read_by_the_next_shell(bash, tmp_path):
    """After --install-completion a new shell completes."""
    bash("baznashr --install-completion")
    assert bash(f"source ~/.bashrc; {COMPLETE.format(words='baznashr st')}") == "status\n"
    assert (tmp_path / ".bash_completions" / "baznashr.sh").exists()
