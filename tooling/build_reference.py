"""Writes docs/client/reference.md from the docstrings of the client.

Usage: python tooling/build_reference.py [--check]
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import baznashr
from baznashr import errors, pipeline, testing, types

TARGET = Path(__file__).parent.parent / "docs/client/reference.md"

HEAD = """# Reference

Made from the docstrings by `make gen`. `AsyncClient` and `AsyncRepeatGuard` have the methods of `Client` and
`RepeatGuard`, awaited; where those give an iterator, they give an asynchronous one.
"""


def _text(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").replace("``", "`")


def _sections(doc: str) -> str:
    """Turn Google's sections into lists."""
    lines = []
    in_section = False
    for line in doc.splitlines():
        if line in {"Args:", "Raises:", "Attributes:", "Returns:"}:
            in_section = True
            lines.append(f"{line}\n")
        elif in_section and line.startswith("    ") and not line.startswith("     "):
            name, colon, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}" if colon else f"- {line.strip()}")
        else:
            lines.append(f"  {line.strip()}" if in_section and line else line)
    return "\n".join(lines)


def _unquoted(signature: str) -> str:
    """Take the quotes off the annotations, which are strings, and leave those of the defaults."""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    written = _unquoted(str(signature.replace(parameters=kept)))
    if len(written) + len(name) <= 100:
        return f"{name}{written}"
    parts = [_unquoted(str(parameter)) for parameter in kept]
    star = next((place for place, each in enumerate(kept) if each.kind is each.KEYWORD_ONLY), None)
    if star is not None:
        parts.insert(star, "*")
    arrow = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){arrow}"


def _function(level: str, title: str, function: Any) -> Iterator[str]:
    yield f"{level} `{title}`"
    yield f"```text\n{_signature(title.rpartition('.')[2], function)}\n```"
    if function.__doc__:
        yield _sections(_text(function))


def _class(kind: type) -> Iterator[str]:
    yield f"### `{kind.__name__}`"
    yield f"```text\n{_signature(kind.__name__, kind.__init__).removesuffix(' -> None')}\n```"
    yield _sections(_text(kind))
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"#### `{kind.__name__}.{name}`"
            yield _text(member)
        elif inspect.isfunction(member):
            yield from _function("####", f"{kind.__name__}.{name}", member)


def _notes(kind: type) -> dict[str, str]:
    """Return the string below each field or member, by name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    notes = {}
    for field, note in pairwise(body):
        target = field.target if isinstance(field, ast.AnnAssign) else getattr(field, "targets", [None])[0]
        if isinstance(target, ast.Name) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            notes[target.id] = " ".join(str(note.value.value).split()).replace("``", "`")
    return notes


def _value(kind: type) -> Iterator[str]:
    """Describe a dataclass or an enumeration by its fields or members."""
    yield f"### `{kind.__name__}`"
    if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
        yield _text(kind)
    notes = _notes(kind)
    if is_dataclass(kind):
        rows = [(f"`{each.name}: {each.type}`".replace("|", "\\|"), notes.get(each.name, "")) for each in fields(kind)]
        rows += [(f"`{name}`", _text(each)) for name, each in vars(kind).items() if isinstance(each, property)]
    else:
        rows = [(f"`{member}`", notes.get(member, "")) for member in kind.__members__]  # type: ignore[attr-defined]
    yield "| | |\n|---|---|\n" + "\n".join(f"| {name} | {note} |" for name, note in rows)


def reference() -> str:
    """Return the page."""
    public = [getattr(baznashr, name) for name in baznashr.__all__]
    values = [kind for kind in public if isinstance(kind, type) and kind.__module__ == types.__name__]
    parts = [HEAD.strip(), "## Clients", *_class(baznashr.Client), *_value(baznashr.TLS)]
    parts += ["## Pipelines", *_function("###", "only_new", pipeline.only_new), *_class(pipeline.RepeatGuard)]
    parts += [*_value(pipeline.Admission), *_value(pipeline.State)]
    parts += ["## Errors", f"```text\n{_text(errors).partition(chr(10))[2].strip()}\n```"]
    parts += _class(errors.BaznashrError)
    parts += ["## Testing", *_class(testing.StubServer), *_function("###", "real_server", testing.real_server)]
    parts += ["## Types", _text(types).partition("\n\n")[2]]
    for kind in sorted(values, key=lambda kind: (issubclass(kind, Enum), kind.__name__)):
        parts += _value(kind)
    return "\n\n".join(parts) + "\n"


def main() -> None:
    page = reference()
    if "--check" not in sys.argv:
        TARGET.write_text(page, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != page:
        sys.exit(f"{TARGET.name} is out of date: run make gen")


if __name__ == "__main__":
    main()
