"""Writes the table of the canonical form `fa-1`, one line a run of code points.

Usage: python tooling/build_canonical_table.py [--check]

Sources: the Unicode Character Database as unicodedata2 17.0 holds it (categories, NFKD, case folding by CPython's
tables applied to letters only), and hazm's translation tables, which the form must be invariant under. The table is
committed and belongs to the profile: a newer Unicode or hazm changes nothing until a new profile is made.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import unicodedata2 as ucd
from hazm import constants as hazm

TARGET = Path(__file__).parent.parent / "service/src/baznashr_server/text/fa1.tsv"

BASMALA = 0xFDFD
HANGUL = range(0xAC00, 0xD7A4)
"""Decomposed by arithmetic where the table is loaded (Unicode, section 3.12), not listed here."""

FOLDED = {
    **dict.fromkeys("آأإٱٲٳ", "ا"),
    **dict.fromkeys("يىېئےێۍ", "ی"),
    **dict.fromkeys("كڪګ", "ک"),
    **dict.fromkeys("ةۀەھۃہۂ", "ه"),
    **dict.fromkeys("ڃڄ", "ح"),  # hazm folds their presentation forms so, and a form must be what it shows
    "ؤ": "و",
}
DROPPED = set("ءٴـۥۦ") | {"\u08ad", "\ufdfa", "\ufdfb"}
"""Lone and high hamza, tatweel, small high letters, and the honorific marks."""


def _hazm_translations() -> dict[str, str]:
    pairs = zip(hazm.TRANSLATION_SRC, hazm.TRANSLATION_DST, strict=False)
    return {source: target for source, target in pairs if ucd.category(source)[0] == "L" and source != target}


TRANSLATED = _hazm_translations()


@cache
def canonical(char: str) -> str:
    """Return what *char* becomes: letters and digits that are their own canonical form, or nothing."""
    if char in DROPPED or "\ud800" <= char <= "\udfff":
        return ""
    if ord(char) == BASMALA:
        return "".join(map(canonical, dict(hazm.UNICODE_REPLACEMENTS)[char]))
    if char in FOLDED:
        return FOLDED[char]
    if char in TRANSLATED:
        return canonical(TRANSLATED[char])
    if ucd.category(char) == "Nd":
        return str(ucd.decimal(char))
    expanded = ucd.normalize("NFKD", ucd.normalize("NFKD", char).casefold())
    if expanded != char:
        return "".join(map(canonical, expanded))
    return char if ucd.category(char)[0] in "LN" else ""


def lines() -> list[str]:
    """One line a run `first last target`, hexadecimal; targets of a run go up in step, expansions stand alone."""
    runs: list[list[int]] = []
    expansions: list[str] = []
    for code in range(0x110000):
        target = "" if code in HANGUL else canonical(chr(code))
        if len(target) > 1:
            expansions.append(f"{code:X} {code:X} " + " ".join(f"{ord(c):X}" for c in target))
        elif target:
            if runs and runs[-1][1] == code - 1 and ord(target) - runs[-1][2] == code - runs[-1][0]:
                runs[-1][1] = code
            else:
                runs.append([code, code, ord(target)])
    return [f"{a:X} {b:X} {c:X}" for a, b, c in runs] + expansions


def main() -> int:
    text = "\n".join(
        [f"# canonical form fa-1: first last target..., from Unicode {ucd.unidata_version} and hazm", *lines(), ""]
    )
    if "--check" in sys.argv:
        if TARGET.read_text(encoding="ascii") != text:
            print(f"{TARGET.name} is stale: run `make gen`", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(text, encoding="ascii")
    print(f"{TARGET}: {text.count(chr(10)) - 1} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
