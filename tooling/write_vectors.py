"""Writes the known-answer vectors of the profile `fa-1`: what each stage makes of a few texts.

Usage: python tooling/write_vectors.py [--check]

The vectors hold the profile still: once released they never change, and another implementation can be tested by them.
A difference means that a new profile is needed, not that this file should be written again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from baznashr_server.index.bands import band_keys
from baznashr_server.profile import FA_1
from baznashr_server.sketch.fingerprint import fingerprint

TARGET = Path(__file__).parent.parent / "tests/vectors/fa-1.json"

STATION = (
    "ایستگاه تازهٔ هواشناسی در ارتفاعات شرقی شهرستان به کار افتاد و داده‌های باد، دما و بارش را هر ۱۰ دقیقه یک بار "
    "به مرکز می‌فرستد. کارشناسان می‌گویند با این ایستگاه، هشدار سیلاب دست‌کم ۳ ساعت زودتر به روستاهای پایین‌دست می‌رسد."
)
TEXTS = {
    "empty": "",
    "nothing canonical": " \u200c\u200f؟! ـ\u064e 😀",
    "one letter": "آ",
    "seven letters": "هفت حرفی",
    "eight letters": "هشت حرفند",
    "zwnj": "بچه‌ها کتاب‌هایشان را به مدرسه می‌برند.",
    "arabic letters and digits": "كشاورزان ٢٥ روستاي منطقة، يكشنبه آب گرفتند",
    "presentation forms": "ﺳﻼﻡ ﺑﺮ ﻫﻤﻪ، ﷲ ﻭ ۱۰۰۰﷼ و ﷺ",
    "digits and latin": "قیمت iPhone ۱۵ به ۷۲٫۵ میلیون تومان (1,240 $) رسید",
    "lone surrogates and astral letters": "متن \ud800شکسته\udfff و \U0001d400\U00010400 همراه آن",
    "other scripts": "Straße ΣΑΣ ﬁn 각 你好 हिन्दी",
    "paragraph": STATION,
    "doubled paragraph": f"{STATION}\n\n{STATION}",
}


def vector(text: str) -> dict[str, object]:
    """Return every stage's output; hashes in hexadecimal, the most significant digit first."""
    own = fingerprint(text)
    return {
        "text": text,
        "canonical": own.canonical,
        "offsets": " ".join(map(str, own.offsets.tolist())),
        "digest": own.digest,
        "shingles": " ".join(f"{value:08x}" for value in own.shingle_sequence.tolist()),
        "signature": " ".join(f"{value:08x}" for value in own.signature.tolist()),
        "band_keys": " ".join(f"{value:016x}" for value in band_keys(own.signature).tolist()),
        "passages": " ".join(f"{value:016x}" for value in own.passages.tolist()),
        "repeats_passages": own.repeats_passages,
    }


def main() -> int:
    """Write the file, or compare it with what would be written."""
    vectors = {name: vector(text) for name, text in TEXTS.items()}
    text = json.dumps({"profile": asdict(FA_1), "vectors": vectors}, indent=1) + "\n"
    if "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text(encoding="ascii") != text:
            print(f"{TARGET.name} differs from what the code computes: the profile's bits changed", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
