"""What a corpus has learned to be boilerplate, and how it is told."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from baznashr.errors import CorpusNotFound
from baznashr.types import Document, Verdict
from baznashr_server.engine import Engine
from baznashr_server.engine.observer import Silence
from baznashr_server.index.corpus_index import MAX_PASSAGE_POSTINGS, MAX_SOURCE_POSTINGS
from baznashr_server.sketch.passages import SIZE, WINDOW
from baznashr_server.text.canonical import canonicalise

LETTERS = "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"
HEADER = (
    "روزنامه صبح استان؛ صدای مردم از سال ۱۳۵۲ تا امروز، هر بامداد در دکه‌ها و در تارنمای ما، با پیگیری خبرهای شهر شما."
)
FOOTER = (
    "هم‌رسانی این نوشته در شبکه‌های دیگر آزاد است، به شرط آن که نام روزنامه صبح استان آورده شود؛ "
    "برای پیشنهاد و انتقاد با دفتر ما در خیابان بهار، کوچه سوم، ساختمان آبی تماس بگیرید یا به نشانی ما نامه بنویسید."
)
MARGIN = SIZE + WINDOW
"""Letters at either end of a shared text that winnowing may choose no passage of."""


class Searches(Silence):
    """Notes what each judgement looked at."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def searched(self, candidates: int, verified: int) -> None:
        """Note candidates and verified ones."""
        self.seen.append((candidates, verified))


def body(rng: random.Random, letters: int = 500) -> str:
    """Return words in no order, which no other text has."""
    return " ".join("".join(rng.choices(LETTERS, k=rng.randrange(3, 8))) for _ in range(letters // 5))


def stories(rng: random.Random, count: int, source: str, *, first: int = 0) -> list[Document]:
    """Return stories of one source, each between its header and its footer."""
    return [
        Document(f"{source}-{n:03}", f"{HEADER}\n{body(rng)}\n{FOOTER}", source=source)
        for n in range(first, first + count)
    ]


@pytest.fixture
def rng() -> random.Random:
    """Return random numbers that are the same each time."""
    return random.Random(31)


@pytest.fixture
def observer() -> Searches:
    """Return what the engine below reports to."""
    return Searches()


@pytest.fixture
def engine(tmp_path: Path, observer: Searches) -> Iterator[Engine]:
    """Return an engine on an empty folder."""
    with Engine.open(tmp_path / "data", observer=observer) as opened:
        yield opened


def is_most_of(found: str, text: str) -> bool:
    """Whether *found* is a part of *text* as written there, and lacks no more of it than winnowing may."""
    return found in text and len(canonicalise(text).letters) - len(canonicalise(found).letters) <= 2 * MARGIN


def test_a_sources_header_and_footer_are_listed_with_their_text(engine: Engine, rng: random.Random) -> None:
    """From the eighth story on, each is one stretch, in the words of the first story, for its source alone."""
    engine.ingest_batch(stories(rng, MAX_SOURCE_POSTINGS - 1, "صبح"))
    assert engine.list_boilerplate() == ()
    engine.ingest_batch(stories(rng, 2, "صبح", first=MAX_SOURCE_POSTINGS))
    listed = engine.list_boilerplate()
    assert [(one.documents, one.source, one.document_id) for one in listed] == [(9, "صبح", "صبح-000")] * 2
    header, footer = sorted(listed, key=lambda one: len(one.text))
    assert is_most_of(header.text, HEADER)
    assert is_most_of(footer.text, FOOTER)
    assert engine.list_boilerplate(limit=1) == listed[:1]
    assert engine.sizes()["default"]["boilerplate_passages"] >= len(listed)


def test_what_all_sources_share_is_the_corpus_own(engine: Engine, rng: random.Random) -> None:
    """A passage of fifty stories, no source with eight, is listed without a source, before what fewer hold."""
    own = stories(rng, MAX_SOURCE_POSTINGS, "صبح")
    agency = [
        Document(f"a{n}", f"{body(rng)}\n{FOOTER[::-1]}", source=f"s{n % 10}") for n in range(MAX_PASSAGE_POSTINGS + 20)
    ]
    engine.ingest_batch(own)
    engine.ingest_batch(agency[:20])
    assert {one.source for one in engine.list_boilerplate()} == {"صبح"}
    engine.ingest_batch(agency[20:])
    first, *others = engine.list_boilerplate()
    assert (first.documents, first.source, first.document_id) == (MAX_PASSAGE_POSTINGS, "", "a0")
    assert is_most_of(first.text, FOOTER[::-1])
    assert {one.source for one in others} == {"صبح"}


def test_copies_of_one_story_teach_nothing(engine: Engine, rng: random.Random) -> None:
    """However often a story is republished by one source, its passages are no boilerplate."""
    words = body(rng, 900).split()
    for n in range(3 * MAX_SOURCE_POSTINGS):
        edited = words[:]
        edited[7 * n] = "دیگر"
        judgement = engine.ingest(Document(f"c{n}", " ".join(edited), source="صبح"))
        assert judgement.verdict is (Verdict.NEAR_DUPLICATE if n else Verdict.NEW)
    assert engine.list_boilerplate() == ()
    assert engine.sizes()["default"]["boilerplate_passages"] == 0


@pytest.mark.parametrize("keep_text", [True, False])
def test_it_is_the_same_after_a_restart(tmp_path: Path, rng: random.Random, keep_text: bool) -> None:
    """What was learned comes back with the tables; where no text is kept, it is told without one."""
    with Engine.open(tmp_path) as engine:
        engine.create_corpus("news", keep_text=keep_text)
        for source, count in (("صبح", 20), ("عصر", 15), ("", 9)):
            engine.ingest_batch(stories(rng, count, source), "news")
        agency = [Document(f"a{n}", f"{body(rng)}\n{FOOTER[::-1]}", source=f"s{n % 9}") for n in range(90)]
        engine.ingest_batch(agency, "news")
        assert engine.delete("صبح-000", "news")
        listed = engine.list_boilerplate("news")
        sizes = engine.sizes()["news"]
    assert {one.source for one in listed} >= {"صبح", "عصر", ""}
    assert all(bool(one.text) is keep_text for one in listed)
    with Engine.open(tmp_path) as engine:
        assert engine.list_boilerplate("news") == listed
        assert engine.sizes()["news"]["boilerplate_passages"] == sizes["boilerplate_passages"]


def test_the_list_is_bounded(engine: Engine, rng: random.Random) -> None:
    """No more stretches are listed than asked for, the most widely held first; what is unlearned is gone."""
    for n, count in enumerate((8, 12, 10, 9, 11)):
        line = body(rng, 300)
        documents = [Document(f"{n}-{k}", f"{body(rng)} {line}", source=f"s{n}") for k in range(count)]
        engine.ingest_batch(documents)
    assert [one.documents for one in engine.list_boilerplate(limit=3)] == [12, 11, 10]
    assert [one.documents for one in engine.list_boilerplate(limit=5000)] == [12, 11, 10, 9, 8]
    assert engine.list_boilerplate(limit=0) == ()
    engine.delete("1-0")
    engine.delete("0-0")
    assert [one.documents for one in engine.list_boilerplate()] == [11, 11, 10, 9]
    assert "1-0" not in {one.document_id for one in engine.list_boilerplate()}


def test_a_doubled_story_is_no_bridge(engine: Engine, rng: random.Random) -> None:
    """A stretch does not reach over the second copy of what lies between."""
    for document in stories(rng, MAX_SOURCE_POSTINGS, "صبح"):
        middle = body(rng)
        text = f"{middle}\n{HEADER}\n{middle}\n{FOOTER}"
        engine.ingest(Document(document.id, text, source="صبح"))
    texts = [one.text for one in engine.list_boilerplate()]
    assert len(texts) == 2
    assert all(text in HEADER or text in FOOTER for text in texts)


def test_an_unknown_corpus_is_refused(engine: Engine) -> None:
    """So it is everywhere."""
    with pytest.raises(CorpusNotFound):
        engine.list_boilerplate("nowhere")


def test_each_judgement_tells_what_it_looked_at(engine: Engine, observer: Searches, rng: random.Random) -> None:
    """A judgement is reported once with its candidates and the texts it was compared with; without texts, with none."""
    text = body(rng)
    edited = text.replace(text.split()[3], "دیگر", 1)
    engine.create_corpus("lean", keep_text=False)
    for corpus in ("default", "lean"):
        observer.seen.clear()
        engine.ingest(Document("a", text), corpus)
        engine.check(edited, corpus)
        engine.check(text, corpus)
        verified = 1 if corpus == "default" else 0
        assert observer.seen == [(0, 0), (1, verified), (1, verified)]
