"""The pages about the client: every Python example runs as it stands."""

import re
import textwrap
from pathlib import Path

import pytest

from baznashr import Client, Document

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "client/README.md", *sorted((ROOT / "docs/client").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(
        "\n" * page.read_text(encoding="utf-8")[: block.start(1)].count("\n") + textwrap.dedent(block[1]),
        page,
        id=f"{page.relative_to(ROOT)}-{number}",
    )
    for page in PAGES
    for number, block in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), start=1)
]
NEWS = [
    "مجلس ایران روز سه‌شنبه کلیات لایحه‌ی بودجه‌ی سال آینده را با رأی اکثریت تصویب کرد و به کمیسیون فرستاد.",
    "تیم ملی والیبال در دومین دیدار خود با نتیجه‌ی سه بر یک برنده شد و به مرحله‌ی بعد راه یافت؛ بازی بعدی پنج‌شنبه است.",
    "پژوهشگران دانشگاه شیراز ماده‌ای ساخته‌اند که آب شور را با نور خورشید شیرین می‌کند و هزینه‌ی آن بسیار کم است.",
]


@pytest.mark.parametrize(("code", "page"), EXAMPLES)
def test_examples_run(code, page, baznashr_address, tmp_path, monkeypatch):
    """An example runs against a real server, given nothing but a feed, a store and a place to keep a number."""
    monkeypatch.chdir(tmp_path)
    stored, positions = [], []
    documents = [Document(id=f"{tmp_path.name}-{place}", text=text) for place, text in enumerate(NEWS)]
    given = {
        "__name__": "__main__",
        "documents": documents,
        "store": stored.append,
        "load_position": lambda: 0,
        "save_position": positions.append,
    }
    code = code.replace("127.0.0.1:50051", baznashr_address).replace("127.0.0.1:50052", "127.0.0.1:1")
    exec(compile(code, str(page), "exec"), given)
    assert positions == ([1, 2, 3] if "save_position" in code else [])
    assert {document.id for document in stored} <= {document.id for document in documents}
    with Client(baznashr_address) as client:
        for document in documents:
            client.delete(document.id)


def test_examples_are_found():
    """No page that shows Python was missed for the way it is written."""
    assert len(EXAMPLES) == sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES)
    assert len(EXAMPLES) > 10
