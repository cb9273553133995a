"""The page of settings: made from the model, and its example can be used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from baznashr_server.settings import Settings, SettingsError, load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_it_is_what_the_model_gives() -> None:
    """The committed page is fresh and has a row for each setting."""
    script = ROOT / "tooling" / "write_settings_page.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(Settings.model_fields)


def test_the_example_can_be_used(tmp_path: Path) -> None:
    """Its settings are settings, with values that are taken."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "server.toml"
    file.write_text(example, encoding="utf-8")
    assert load(file=file).slow_call_seconds == 0.5


def test_no_setting_holds_a_secret() -> None:
    """What is secret is in files, which settings name; so all of them may be printed."""
    suspicious = {name for name in Settings.model_fields if re.search("secret|password|token|key", name)}
    assert suspicious
    assert [name for name in suspicious if Settings.model_fields[name].annotation != (Path | None)] == []
    with pytest.raises(SettingsError, match="traces: holds a secret"):
        load({"data": "data", "traces": "https://name:word@collector:4317"})
