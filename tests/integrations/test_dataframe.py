"""The data frame helper, with pandas and with Polars."""

import pytest

from baznashr import Client

pytestmark = pytest.mark.packaging

ROWS = {
    "id": [1, 2, 3, 4],
    "text": [
        "کتابخانه ملی از امروز ساعت کار تالارهای خود را تا نیمه‌شب افزایش داد و عضویت دانشجویان رایگان شد.",
        "کتابخانه ملی از امروز ساعت کار تالارهای خود را تا نیمه شب افزایش داد و عضویت دانشجویان رایگان شد",
        None,
        "نمایشگاه گل و گیاه در بوستان گفت‌وگو آغاز شد و تا جمعه ادامه دارد.",
    ],
}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_verdicts_become_columns(library, baznashr_address, baznashr_corpus):
    """Each row gets its answer in its place, the refused one its reason, and the frame keeps what it had."""
    frame = pytest.importorskip(library, reason="the dependency group integrations is not installed").DataFrame(ROWS)
    from dataframe import add_verdicts

    with Client(baznashr_address, timeout=30) as client:
        judged = add_verdicts(frame, client, baznashr_corpus)
    assert type(judged) is type(frame)
    assert list(judged["id"]) == ROWS["id"]
    assert [verdict for verdict in judged["verdict"] if isinstance(verdict, str)] == ["NEW", "EXACT", "NEW"]
    assert list(judged["repeated"])[1] is True
    assert list(judged["canonical_id"])[1] == "1"
    assert list(judged["refused"])[2] == "EMPTY_TEXT"
