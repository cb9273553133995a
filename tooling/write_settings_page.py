"""Writes docs/settings.md from the settings model.

Usage: python tooling/write_settings_page.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from baznashr_server.settings import (
    ENV_PREFIX,
    AddressSetting,
    CorpusNames,
    Endpoint,
    Folder,
    Names,
    OptionalAddressSetting,
    OptionalFolder,
    ProfileName,
    Settings,
)

TARGET = Path(__file__).parent.parent / "docs/settings.md"

PREFACE = f"""# Settings

<!-- Written by tooling/write_settings_page.py; run it after a change of the settings. -->

What `baznashr-server serve` can be told. A setting called `max_streams` is the flag `--max-streams`, the variable
`{ENV_PREFIX}MAX_STREAMS`, or the line `max_streams = 256` of a TOML file given with `--config`; the first of the three
that has it wins, then the default. Nothing else is read, and a name that is no setting is an error, in each of them.

No setting holds a secret: keys and tokens are in files, which settings name. `baznashr-server check-config` takes the
same flags and says whether the settings can be used; `--print-config` prints those in force as such a file.

## All of them

| setting | default | takes | meaning |
|---|---|---|---|
"""
EXAMPLE = """
## A settings file

```toml
data = "/var/lib/baznashr"
listen = "0.0.0.0:50051"
tls_certificate = "/etc/baznashr/tls.crt"
tls_private_key = "/etc/baznashr/tls.key"
tokens = "/etc/baznashr/tokens.toml"
backup_dir = "/var/backups/baznashr"
metrics_corpora = "default,news"
slow_call_seconds = 0.5
```
"""
KINDS = {
    AddressSetting: "HOST:PORT",
    OptionalAddressSetting: "HOST:PORT, or empty",
    Folder: "a path",
    OptionalFolder: "a path, or empty",
    Names: "names, separated by commas",
    CorpusNames: "names of corpora, separated by commas",
    ProfileName: "the name of a profile, or empty",
    Endpoint: "http://HOST:PORT, https://HOST:PORT, or empty",
}


def rows() -> Iterator[str]:
    for (name, field), annotation in zip(Settings.model_fields.items(), annotations(), strict=True):
        described = " ".join((field.description or "").split())
        yield f"| `{name}` | {default(field)} | {takes(field, annotation)} | {described} |\n"


def annotations() -> Iterator[Any]:
    """Yield the types of the settings as they are written."""
    written = Settings.__annotations__
    module = sys.modules[Settings.__module__]
    for name in Settings.model_fields:
        yield eval(written[name], vars(module))  # noqa: S307 - our own source


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    if field.default_factory is not None:
        return "as many as cores"
    value = field.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value}`" if value not in {None, ""} else "empty"


def takes(field: FieldInfo, annotation: Any) -> str:
    if annotation in KINDS:
        return KINDS[annotation]
    if annotation is bool:
        return "a switch"
    if choices := get_args(annotation):
        return ", ".join(f"`{choice}`" for choice in choices)
    if annotation is str:
        return "text"
    least = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    most = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    kind = {int: "a whole number", float: "a number"}[annotation]
    return f"{kind}, {least} to {most}"


def page() -> str:
    return "".join((PREFACE, *rows(), EXAMPLE))


def main() -> int:
    fresh = page()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(fresh, encoding="utf-8")
        return 0
    if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != fresh:
        print(f"{TARGET.name} is stale: run tooling/write_settings_page.py and commit the result.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
