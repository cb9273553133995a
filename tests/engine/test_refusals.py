"""What the engine refuses: every message is a sentence that makes sense alone, and names the field to blame."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baznashr.errors import CorpusNotFound, InvalidArgument, Unavailable
from baznashr.types import Document, Override, OverrideKind, Policy, Thresholds
from baznashr_server import limits
from baznashr_server.engine import Engine
from baznashr_server.engine.validation import check_document

TEXT = "باران شدید دیشب رودخانه‌های استان را بالا آورد و راه دو روستا را بست، اما به کسی آسیبی نرسید."
SENTENCE = re.compile(r"(The|A) [a-z].*\.", re.DOTALL)


def document(**fields: Any) -> Document:
    """Return a good document but for what is given."""
    return Document(**{"id": "a", "text": TEXT, **fields})


def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    """Whatever is asked of it."""
    engine = Engine.open(tmp_path / "data")
    engine.ingest(document())
    engine.close()
    calls: list[Callable[[], object]] = [
        lambda: engine.check(TEXT),
        lambda: engine.get("a"),
        lambda: engine.list_cluster("a"),
        lambda: engine.ingest(document(id="b")),
        lambda: engine.delete("a"),
    ]
    for call in calls:
        with pytest.raises(Unavailable) as refused:
            call()
        assert refused.value.reason == "SHUTTING_DOWN"


REFUSED: dict[str, tuple[Callable[[Engine], object], str]] = {
    "no text": (lambda e: e.check(7), "text"),  # type: ignore[arg-type]
    "surrogate": (lambda e: e.check("\ud800"), "text"),
    "empty": (lambda e: e.check("..."), "text"),
    "too large": (lambda e: e.check("آب" * limits.MAX_TEXT_BYTES), "text"),
    "too many letters": (lambda e: e.check("\ufdfa" * (limits.MAX_TEXT_BYTES // 3)), "text"),
    "no id": (lambda e: e.ingest(document(id="")), "id"),
    "long id": (lambda e: e.ingest(document(id="i" * 257)), "id"),
    "control character": (lambda e: e.ingest(document(id="a\n")), "id"),
    "long title": (lambda e: e.ingest(document(title="t" * 4097)), "title"),
    "no datetime": (lambda e: e.ingest(document(published_at="1403")), "published_at"),
    "no zone": (lambda e: e.ingest(document(published_at=datetime(2026, 1, 1))), "published_at"),  # noqa: DTZ001
    "Jalali": (lambda e: e.ingest(document(published_at=datetime(1404, 1, 1, tzinfo=UTC))), "published_at"),
    "ahead": (lambda e: e.ingest(document(published_at=datetime.now(UTC) + timedelta(days=400))), "published_at"),
    "labels": (lambda e: e.ingest(document(labels={str(n): "" for n in range(33)})), "labels"),
    "empty batch": (lambda e: e.check_batch([]), "items"),
    "large batch": (lambda e: e.check_batch([TEXT] * 257), "items"),
    "same id": (lambda e: e.ingest_batch([document(), document()]), "documents[1].id"),
    "corpus name": (lambda e: e.create_corpus("News"), "name"),
    "window": (lambda e: e.create_corpus("news", window_days=-1), "window_days"),
    "ranks": (
        lambda e: e.create_corpus("news", policy=Policy(source_ranks=tuple(map(str, range(1001))))),
        "policy.source_ranks",
    ),
    "unnamed rank": (lambda e: e.create_corpus("news", policy=Policy(source_ranks=("",))), "policy.source_ranks"),
    "ranked twice": (lambda e: e.create_corpus("news", policy=Policy(source_ranks=("s",) * 2)), "policy.source_ranks"),
    "long rank": (lambda e: e.create_corpus("news", policy=Policy(source_ranks=("s" * 4097,))), "policy.source_ranks"),
    "threshold": (
        lambda e: e.create_corpus("news", policy=Policy(thresholds=Thresholds(covered=2))),
        "policy.thresholds.covered",
    ),
    "two wishes": (
        lambda e: e.update_corpus("default", shadow_policy=Policy(), remove_shadow_policy=True),
        "shadow_policy",
    ),
    "own target": (lambda e: e.override(Override("a", OverrideKind.REPEAT_OF, "a")), "target_id"),
    "target of a pin": (lambda e: e.override(Override("stored", OverrideKind.PIN_CANONICAL, "a")), "target_id"),
    "no target": (lambda e: e.override(Override("stored", OverrideKind.REPEAT_OF)), "target_id"),
    "no filter": (lambda e: e.delete_where(), "source"),
    "filter without zone": (lambda e: e.delete_where(published_before=datetime(2026, 1, 1)), "published_before"),  # noqa: DTZ001
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an engine with one document."""
    folder: Path = tmp_path_factory.mktemp("data")
    with Engine.open(folder) as opened:
        opened.ingest(document(id="stored"))
        yield opened


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_sentences_and_name_the_field(engine: Engine, name: str) -> None:
    """Each fault is an InvalidArgument with the field and a message that needs neither field nor reason to be read."""
    call, field = REFUSED[name]
    with pytest.raises(InvalidArgument) as refused:
        call(engine)
    assert refused.value.field == field
    assert SENTENCE.fullmatch(refused.value.message), refused.value.message
    assert engine.corpus_stats().documents == 1


def _told(document: Document) -> tuple[str, ...] | bytes:
    try:
        return check_document(document)
    except InvalidArgument as error:
        return type(error).__name__, error.field, error.reason, error.message


values = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        ["", "\ud800", "a\n", "ش\u200cب", TEXT, "t" * 4096, "ت" * 2049, "i" * 256, "ا" * 129, 7, None, b"b", []]
    ),
)


@given(values, values, values, values, values, st.sampled_from([None, "1403", datetime(2026, 1, 1, tzinfo=UTC)]))
def test_what_is_seen_at_a_glance_is_what_is_seen_field_by_field(
    id_: Any, text: Any, title: Any, source: Any, url: Any, published_at: Any
) -> None:
    """A document without labels, whose fields are looked at together, is told the same as one with a good label."""
    plain = Document(id=id_, text=text, title=title, source=source, url=url, published_at=published_at)
    assert _told(plain) == _told(replace(plain, labels={"desk": "news"}))


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.check(TEXT, "nowhere"),
        lambda e: e.check_batch([TEXT, TEXT], "nowhere"),
        lambda e: e.ingest_batch([document()], "nowhere"),
    ],
)
def test_an_unknown_corpus_is_no_fault_of_an_item(engine: Engine, call: Callable[[Engine], object]) -> None:
    """Whether one or many are asked for, the field that is to blame is the corpus."""
    with pytest.raises(CorpusNotFound) as refused:
        call(engine)
    assert refused.value.field == "corpus"
