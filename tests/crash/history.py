"""What the callers of a server were told, and what may therefore be stored.

A call that failed may or may not have happened: a document then has several possible versions until it is read again.
Members of a family are light edits of one text; exactly one of those stored is NEW, and the others repeat it.
"""

import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from baznashr.errors import DocumentNotFound
from baznashr.types import Document, Judgement, Verdict
from baznashr_server.engine import Engine
from tests.support.texts import article, light_edit


def told(answer: Judgement) -> tuple[object, ...]:
    """Return what every later answer for the same document repeats; figures are stored with six digits."""
    matches = tuple((match.document_id, round(match.similarity, 6), match.verdict) for match in answer.matches)
    share = round(answer.new_share, 6)
    ids = (answer.document_id, answer.canonical_id, answer.related_cluster_id)
    return (*ids, answer.verdict, answer.repeated, answer.reason, matches, share, answer.digest, answer.policy)


@dataclass(frozen=True)
class Version:
    text: str | None
    """None: not stored."""
    answer: Judgement | None = None
    """As the caller was told; None where no answer came."""


ABSENT = Version(None)


@dataclass
class History:
    """Of one data folder. Each document belongs to one caller, so its own calls follow one another."""

    rng: random.Random
    versions: dict[str, list[Version]] = field(default_factory=dict)
    family: dict[str, int] = field(default_factory=dict)
    batches: list[list[str]] = field(default_factory=list)
    """Unanswered ones: each is stored whole or not at all."""
    acknowledged: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.originals = [article(self.rng) for _ in range(8)]

    def new_document(self, rng: random.Random) -> Document:
        """Return a document with an id of its own: of a family, or of no family."""
        with self.lock:
            number = len(self.versions)
            name = f"d{number}"
            self.versions[name] = [ABSENT]
            if rng.random() < 0.5:
                self.family[name] = rng.randrange(len(self.originals))
        if name in self.family:
            return Document(name, light_edit(rng, self.originals[self.family[name]]))
        return Document(name, article(rng))

    def stored(self, most: int = 40) -> list[Document]:
        """Return some of the documents that are known to be stored."""
        known = [(name, version[0].text) for name, version in self.versions.items() if len(version) == 1]
        documents = [Document(name, text) for name, text in known if text is not None]
        return self.rng.sample(documents, min(most, len(documents)))

    def renew_families(self) -> None:
        """Let later documents belong to families that nothing is stored of yet."""
        self.originals += [article(self.rng) for _ in range(2)]

    def answered(self, document: Document, answer: Judgement) -> None:
        """Note an answer; it must not contradict one given before."""
        before = self.versions[document.id]
        known = [version for version in before if version.text == document.text and version.answer is not None]
        if answer.replayed:
            assert any(version.text == document.text for version in before), f"{document.id} was never sent before"
            assert all(told(version.answer) == told(answer) for version in known if version.answer), document.id
        else:
            assert ABSENT in before or not known, f"{document.id} was judged twice"
        assert answer.stored
        self.versions[document.id] = [Version(document.text, answer)]
        self.acknowledged += 1

    def unanswered(self, documents: Iterable[Document]) -> None:
        """Note a call that failed: it may have happened."""
        for document in documents:
            self.versions[document.id].append(Version(document.text))

    def deleted(self, name: str, *, answered: bool) -> None:
        if answered:
            self.versions[name] = [ABSENT]
        else:
            self.versions[name].append(ABSENT)

    def check(self, engine: Engine) -> None:
        """Compare with what is stored, which is then what is known."""
        for name, versions in self.versions.items():
            self.versions[name] = [self._check_document(engine, name, versions)]
        for batch in self.batches:
            assert len({self.versions[name][0].text is None for name in batch}) == 1, f"half a batch: {batch}"
        self.batches.clear()
        stored = {name for name, (version,) in self.versions.items() if version.text is not None}
        assert engine.corpus_stats().documents == len(stored)
        assert int(engine.sizes()["default"]["documents"]) == len(stored)
        self._check_families(stored)

    def _check_document(self, engine: Engine, name: str, versions: list[Version]) -> Version:
        try:
            found = engine.get(name)
        except DocumentNotFound:
            assert any(version.text is None for version in versions), f"{name} was acknowledged and is gone"
            return ABSENT
        possible = [version for version in versions if version.text == found.document.text]
        assert possible, f"{name} has a text that nobody sent, or that was replaced"
        for version in possible:
            assert version.answer is None or told(version.answer) == told(found.judgement), f"{name}: another answer"
        again = engine.ingest(found.document)
        assert again.replayed
        assert told(again) == told(found.judgement)
        return Version(found.document.text, found.judgement)

    def _check_families(self, stored: set[str]) -> None:
        members: dict[int, list[Judgement]] = {}
        for name in stored & self.family.keys():
            answer = self.versions[name][0].answer
            assert answer is not None
            members.setdefault(self.family[name], []).append(answer)
        for family, answers in members.items():
            (first,) = [answer.document_id for answer in answers if answer.verdict is Verdict.NEW]
            repeats = {answer.canonical_id for answer in answers if answer.verdict is not Verdict.NEW}
            assert repeats <= {first}, f"family {family}: {repeats} instead of {first}"
