"""What each method of the contract asks of its caller: a scope, and the corpora and documents that count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baznashr.types import DEFAULT_CORPUS
from baznashr_server.access.tokens import Scope

type Corpora = Callable[[Any], tuple[str, ...] | None]
"""The corpora that a request names; None where the method concerns them all."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a method asks."""

    scope: Scope
    corpora: Corpora
    documents: Callable[[Any], int] = lambda _: 1
    """How many texts a request has work for; fewer than one counts as one."""


def _corpus(request: Any) -> tuple[str, ...]:
    return (request.corpus or DEFAULT_CORPUS,)


def _name(request: Any) -> tuple[str, ...]:
    return (request.name or DEFAULT_CORPUS,)


def _compared(request: Any) -> tuple[str, ...]:
    """The corpus whose policy is used, where one is named, and those of the stored documents."""
    stored = [item.stored_id for item in (request.earlier, request.later) if item.HasField("stored_id")]
    return tuple(filter(None, [request.corpus, *(each.corpus or DEFAULT_CORPUS for each in stored)]))


def _all(_: Any) -> None:
    return None


DEMANDS = {
    "CheckText": Demand(Scope.READ, _corpus),
    "BatchCheckTexts": Demand(Scope.READ, _corpus, lambda request: len(request.items)),
    "StreamCheckTexts": Demand(Scope.READ, _corpus),
    "CompareTexts": Demand(Scope.READ, _compared),
    "IngestDocument": Demand(Scope.WRITE, _corpus),
    "BatchIngestDocuments": Demand(Scope.WRITE, _corpus, lambda request: len(request.documents)),
    "StreamIngestDocuments": Demand(Scope.WRITE, _corpus),
    "GetDocument": Demand(Scope.READ, _corpus),
    "DeleteDocument": Demand(Scope.WRITE, _corpus),
    "ListCluster": Demand(Scope.READ, _corpus),
    "CreateOverride": Demand(Scope.WRITE, _corpus),
    "ListOverrides": Demand(Scope.READ, _corpus),
    "CreateCorpus": Demand(Scope.ADMIN, _name),
    "GetCorpus": Demand(Scope.ADMIN, _name),
    "ListCorpora": Demand(Scope.ADMIN, _all),
    "UpdateCorpus": Demand(Scope.ADMIN, _name),
    "DeleteCorpus": Demand(Scope.ADMIN, _name),
    "PurgeDocuments": Demand(Scope.ADMIN, _corpus),
    "GetCorpusStats": Demand(Scope.ADMIN, _corpus),
    "ListShadowDifferences": Demand(Scope.ADMIN, _corpus),
    "ListBoilerplate": Demand(Scope.ADMIN, _corpus),
    "GetServerStatus": Demand(Scope.ADMIN, _all),
    "BackupStore": Demand(Scope.ADMIN, _all),
}
"""By the method's name; a method that is not here would be refused to everybody."""
