"""Rows to store in tests."""

from typing import Any

from hypothesis import strategies as st

from baznashr_server.store.rows import CorpusRow, DocumentRow

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def corpus_row(**changes: Any) -> CorpusRow:
    """Return a corpus to be stored, with some fields changed."""
    values = {
        "corpus": 0, "name": "news", "window_days": 30, "keep_text": True, "policy": "{}", "policy_revision": 1,
        "created": 5,
    }  # fmt: skip
    return CorpusRow(**values | changes)


def document_row(**changes: Any) -> DocumentRow:
    """Return a document to be stored, with some fields changed."""
    values = {
        "row": 0, "corpus": 1, "id": "a1", "digest": bytes(16), "arrived": 7, "published": None, "source": "s.example",
        "title": "", "url": "", "labels": "{}", "text": b"frame", "text_bytes": 9, "signature": bytes(512),
        "passages": b"", "letters": 4, "indexed": 1, "cluster": 1, "verdict": "NEW", "judgement": "{}",
    }  # fmt: skip
    return DocumentRow(**values | changes)


document_rows = st.builds(
    DocumentRow,
    row=st.just(0),
    corpus=st.integers(1, 3),
    id=TEXT,
    digest=st.binary(min_size=16, max_size=16),
    arrived=INT64,
    published=st.none() | INT64,
    source=TEXT,
    title=TEXT,
    url=TEXT,
    labels=TEXT,
    text=st.none() | st.binary(max_size=50),
    text_bytes=INT64,
    signature=st.binary(max_size=512),
    passages=st.binary(max_size=64),
    letters=st.integers(0, 2**31),
    indexed=st.integers(0, 2),
    cluster=INT64,
    verdict=TEXT,
    judgement=TEXT,
)
