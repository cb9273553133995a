"""Client of Baznashr, the service that flags repeated and republished Persian text.

    from baznashr import Client, Document

    with Client("127.0.0.1:50051") as client:
        judgement = client.ingest(Document(id="a1", text=text))
        if judgement.repeated:
            print(judgement.verdict, judgement.canonical_id)

``AsyncClient`` has the same methods, awaited. The exceptions are in ``baznashr.errors``. Names are imported when they
are first used, so that the types cost nothing but the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baznashr._aio import AsyncClient
    from baznashr._client import Client
    from baznashr._tls import TLS
    from baznashr.errors import BaznashrError
    from baznashr.types import (
        DEFAULT_CORPUS,
        Backup,
        Boilerplate,
        Cluster,
        ClusterMember,
        Corpus,
        CorpusStats,
        Document,
        IndexPolicy,
        Judgement,
        Match,
        MatchedSpan,
        NumberChange,
        Override,
        OverrideKind,
        Policy,
        RepetitionKind,
        SelfRepetition,
        ServerStatus,
        ShadowDifference,
        Span,
        StoredDocument,
        StoredId,
        Thresholds,
        Verdict,
    )

_HOMES = {
    "AsyncClient": "baznashr._aio",
    "BaznashrError": "baznashr.errors",
    "Client": "baznashr._client",
    "TLS": "baznashr._tls",
}

__all__ = [
    "DEFAULT_CORPUS",
    "TLS",
    "AsyncClient",
    "Backup",
    "BaznashrError",
    "Boilerplate",
    "Client",
    "Cluster",
    "ClusterMember",
    "Corpus",
    "CorpusStats",
    "Document",
    "IndexPolicy",
    "Judgement",
    "Match",
    "MatchedSpan",
    "NumberChange",
    "Override",
    "OverrideKind",
    "Policy",
    "RepetitionKind",
    "SelfRepetition",
    "ServerStatus",
    "ShadowDifference",
    "Span",
    "StoredDocument",
    "StoredId",
    "Thresholds",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "baznashr.types")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
