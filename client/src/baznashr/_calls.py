"""The client's methods without their transport: which RPC, which request, and how its answer reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError

from baznashr import types, wire
from baznashr._rpc import Rpc, rpc
from baznashr.errors import InternalError, InvalidArgument
from baznashr.v1 import (
    admin_service_pb2,
    check_service_pb2,
    corpus_pb2,
    corpus_service_pb2,
    document_pb2,
    ingest_service_pb2,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call(Generic[_T]):
    """One unary call."""

    rpc: Rpc
    request: Any
    decode: Callable[[Any], _T]

    def read(self, answer: bytes) -> _T:
        """Turn the answer into the method's result.

        Raises:
            InternalError: UNREADABLE_ANSWER, as from a server of a newer release.
        """
        try:
            return self.decode(self.rpc.response.FromString(answer))
        except (DecodeError, InvalidArgument) as error:
            raise InternalError(f"The server's answer cannot be read: {error}", reason="UNREADABLE_ANSWER") from error


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """A part of a list."""

    items: tuple[_T, ...]
    next_token: str
    """Asks for the next page; empty on the last."""


def _judgement(response: Any) -> types.Judgement:
    return wire.judgement_from_message(response.judgement)


def check(item: str | types.Document, corpus: str) -> Call[types.Judgement]:
    message = wire.check_item_to_message(item)
    request = wire.build(check_service_pb2.CheckTextRequest, corpus=corpus, item=message)
    return Call(rpc("CheckText"), request, _judgement)


def compare(
    earlier: str | types.Document | types.StoredId, later: str | types.Document | types.StoredId, corpus: str | None
) -> Call[types.Judgement]:
    request = wire.build(
        check_service_pb2.CompareTextsRequest,
        corpus=corpus or "",
        earlier=_compare_item(earlier, "earlier"),
        later=_compare_item(later, "later"),
    )
    return Call(rpc("CompareTexts"), request, _judgement)


def _compare_item(item: str | types.Document | types.StoredId, field: str) -> check_service_pb2.CompareItem:
    try:
        return wire.compare_item_to_message(item)
    except InvalidArgument as error:
        raise error.at(field) from None


def ingest(document: types.Document, corpus: str, replace: bool) -> Call[types.Judgement]:
    message = wire.document_to_message(document)
    request = wire.build(ingest_service_pb2.IngestDocumentRequest, corpus=corpus, document=message, replace=replace)
    return Call(rpc("IngestDocument"), request, _judgement)


def check_messages(items: Sequence[check_service_pb2.CheckItem], corpus: str) -> Call[list[types.Judgement]]:
    request = wire.build(check_service_pb2.BatchCheckTextsRequest, corpus=corpus, items=items)
    return Call(rpc("BatchCheckTexts"), request, _as_many_as(items))


def ingest_messages(
    documents: Sequence[document_pb2.Document], corpus: str, replace: bool
) -> Call[list[types.Judgement]]:
    request = wire.build(
        ingest_service_pb2.BatchIngestDocumentsRequest, corpus=corpus, documents=documents, replace=replace
    )
    return Call(rpc("BatchIngestDocuments"), request, _as_many_as(documents))


def _as_many_as(items: Sequence[Any]) -> Callable[[Any], list[types.Judgement]]:
    def decode(response: Any) -> list[types.Judgement]:
        if len(response.judgements) != len(items):
            raise InvalidArgument(f"{len(items)} items were answered with {len(response.judgements)} judgements.")
        return [wire.judgement_from_message(judgement) for judgement in response.judgements]

    return decode


def get(document_id: str, corpus: str) -> Call[types.StoredDocument]:
    request = wire.build(ingest_service_pb2.GetDocumentRequest, corpus=corpus, document_id=document_id)
    return Call(rpc("GetDocument"), request, lambda response: wire.stored_document_from_message(response.document))


def delete(document_id: str, corpus: str) -> Call[bool]:
    request = wire.build(
        ingest_service_pb2.DeleteDocumentRequest, corpus=corpus, document_id=document_id, allow_missing=True
    )
    return Call(rpc("DeleteDocument"), request, lambda response: bool(response.deleted))


def _check_limit(limit: int) -> None:
    # On the wire 0 asks for the default.
    if limit < 1:
        raise ValueError(f"limit is at least 1, not {limit}.")


def list_cluster(document_id: str, corpus: str, limit: int) -> Call[types.Cluster]:
    _check_limit(limit)
    request = wire.build(ingest_service_pb2.ListClusterRequest, corpus=corpus, document_id=document_id, page_size=limit)
    return Call(rpc("ListCluster"), request, lambda response: wire.cluster_from_message(response.cluster))


def override(override: types.Override, corpus: str) -> Call[types.Override]:
    message = wire.override_to_message(override)
    request = wire.build(ingest_service_pb2.CreateOverrideRequest, corpus=corpus, override=message)
    return Call(rpc("CreateOverride"), request, lambda response: wire.override_from_message(response.override))


def list_overrides(corpus: str, page_token: str) -> Call[Page[types.Override]]:
    request = wire.build(ingest_service_pb2.ListOverridesRequest, corpus=corpus, page_token=page_token)

    def decode(response: ingest_service_pb2.ListOverridesResponse) -> Page[types.Override]:
        return Page(tuple(map(wire.override_from_message, response.overrides)), response.next_page_token)

    return Call(rpc("ListOverrides"), request, decode)


def _corpus(response: Any) -> types.Corpus:
    return wire.corpus_from_message(response.corpus)


def _policy(policy: types.Policy | None) -> corpus_pb2.Policy | None:
    return None if policy is None else wire.policy_to_message(policy)


def create_corpus(
    name: str, window_days: int, keep_text: bool, policy: types.Policy | None, shadow_policy: types.Policy | None
) -> Call[types.Corpus]:
    request = wire.build(
        corpus_service_pb2.CreateCorpusRequest,
        name=name,
        window_days=window_days,
        keep_text=keep_text,
        policy=_policy(policy),
        shadow_policy=_policy(shadow_policy),
    )
    return Call(rpc("CreateCorpus"), request, _corpus)


def get_corpus(name: str) -> Call[types.Corpus]:
    return Call(rpc("GetCorpus"), wire.build(corpus_service_pb2.GetCorpusRequest, name=name), _corpus)


def list_corpora(page_token: str) -> Call[Page[types.Corpus]]:
    request = wire.build(corpus_service_pb2.ListCorporaRequest, page_token=page_token)

    def decode(response: corpus_service_pb2.ListCorporaResponse) -> Page[types.Corpus]:
        return Page(tuple(map(wire.corpus_from_message, response.corpora)), response.next_page_token)

    return Call(rpc("ListCorpora"), request, decode)


def update_corpus(
    name: str,
    window_days: int | None,
    policy: types.Policy | None,
    shadow_policy: types.Policy | None,
    remove_shadow_policy: bool,
) -> Call[types.Corpus]:
    request = wire.build(
        corpus_service_pb2.UpdateCorpusRequest,
        name=name,
        window_days=window_days,
        policy=_policy(policy),
        shadow_policy=_policy(shadow_policy),
        remove_shadow_policy=remove_shadow_policy,
    )
    return Call(rpc("UpdateCorpus"), request, _corpus)


def delete_corpus(name: str) -> Call[None]:
    request = wire.build(corpus_service_pb2.DeleteCorpusRequest, name=name)
    return Call(rpc("DeleteCorpus"), request, lambda _: None)


def delete_where(
    corpus: str,
    source: str | None,
    published_before: datetime | None,
    published_after: datetime | None,
    dry_run: bool,
) -> Call[int]:
    request = wire.build(
        corpus_service_pb2.PurgeDocumentsRequest,
        corpus=corpus,
        source=source,
        published_before=wire.time_to_message(published_before, "published_before"),
        published_after=wire.time_to_message(published_after, "published_after"),
        dry_run=dry_run,
    )
    return Call(rpc("PurgeDocuments"), request, lambda response: int(response.documents))


def corpus_stats(name: str) -> Call[types.CorpusStats]:
    request = wire.build(corpus_service_pb2.GetCorpusStatsRequest, corpus=name)
    return Call(rpc("GetCorpusStats"), request, lambda response: wire.corpus_stats_from_message(response.stats))


def shadow_differences(name: str) -> Call[tuple[types.ShadowDifference, ...]]:
    request = wire.build(corpus_service_pb2.ListShadowDifferencesRequest, corpus=name)

    def decode(response: corpus_service_pb2.ListShadowDifferencesResponse) -> tuple[types.ShadowDifference, ...]:
        return tuple(map(wire.shadow_difference_from_message, response.differences))

    return Call(rpc("ListShadowDifferences"), request, decode)


def list_boilerplate(corpus: str, limit: int) -> Call[tuple[types.Boilerplate, ...]]:
    _check_limit(limit)
    request = wire.build(corpus_service_pb2.ListBoilerplateRequest, corpus=corpus, page_size=limit)

    def decode(response: corpus_service_pb2.ListBoilerplateResponse) -> tuple[types.Boilerplate, ...]:
        return tuple(map(wire.boilerplate_from_message, response.boilerplate))

    return Call(rpc("ListBoilerplate"), request, decode)


def server_status() -> Call[types.ServerStatus]:
    request = admin_service_pb2.GetServerStatusRequest()
    return Call(rpc("GetServerStatus"), request, lambda response: wire.server_status_from_message(response.status))


def backup(name: str) -> Call[types.Backup]:
    request = wire.build(admin_service_pb2.BackupStoreRequest, name=name)
    return Call(rpc("BackupStore"), request, lambda response: wire.backup_from_message(response.backup))
