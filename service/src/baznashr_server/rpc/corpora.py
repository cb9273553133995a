"""CorpusService: keeps the corpora."""

# ruff: noqa: ARG002, N802 - the names and arguments of the methods are gRPC's

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

from baznashr import wire
from baznashr.types import Policy
from baznashr.v1 import corpus_service_pb2 as pb
from baznashr.v1 import corpus_service_pb2_grpc
from baznashr_server.engine import Engine
from baznashr_server.limits import MAX_BOILERPLATE, MAX_MESSAGE_BYTES
from baznashr_server.rpc.fields import errors_at, fitting, page, page_size
from baznashr_server.rpc.interception import Context
from baznashr_server.rpc.runner import Runner

_CORPORA_PAGE = 100
_MAX_CORPORA_PAGE = 1000
_BOILERPLATE_PAGE = 100

_PolicyField = Literal["policy", "shadow_policy"]


def _named() -> AbstractContextManager[None]:
    """Call the corpus by the field that these requests have for it."""
    return errors_at("name", instead_of="corpus")


def _policy(request: pb.CreateCorpusRequest | pb.UpdateCorpusRequest, field: _PolicyField) -> Policy | None:
    with errors_at(field):
        return wire.policy_from_message(getattr(request, field)) if request.HasField(field) else None


def _create(engine: Engine, request: pb.CreateCorpusRequest) -> pb.CreateCorpusResponse:
    corpus = engine.create_corpus(
        request.name,
        window_days=request.window_days,
        keep_text=request.keep_text if request.HasField("keep_text") else True,
        policy=_policy(request, "policy"),
        shadow_policy=_policy(request, "shadow_policy"),
    )
    return pb.CreateCorpusResponse(corpus=wire.corpus_to_message(corpus))


def _get(engine: Engine, request: pb.GetCorpusRequest) -> pb.GetCorpusResponse:
    with _named():
        corpus = engine.get_corpus(wire.corpus_name(request.name))
    return pb.GetCorpusResponse(corpus=wire.corpus_to_message(corpus))


def _list(engine: Engine, request: pb.ListCorporaRequest) -> pb.ListCorporaResponse:
    size = page_size(request.page_size, default=_CORPORA_PAGE, most=_MAX_CORPORA_PAGE)
    corpora = sorted(engine.list_corpora(), key=lambda corpus: corpus.name)
    shown, token = page(corpora, request.page_token, size)
    messages = fitting(map(wire.corpus_to_message, shown), MAX_MESSAGE_BYTES)
    if len(messages) < len(shown):
        _, token = page(corpora, request.page_token, len(messages))
    return pb.ListCorporaResponse(corpora=messages, next_page_token=token)


def _update(engine: Engine, request: pb.UpdateCorpusRequest) -> pb.UpdateCorpusResponse:
    policy, shadow_policy = _policy(request, "policy"), _policy(request, "shadow_policy")
    with _named():
        corpus = engine.update_corpus(
            wire.corpus_name(request.name),
            window_days=request.window_days if request.HasField("window_days") else None,
            policy=policy,
            shadow_policy=shadow_policy,
            remove_shadow_policy=request.remove_shadow_policy,
        )
    return pb.UpdateCorpusResponse(corpus=wire.corpus_to_message(corpus))


def _delete(engine: Engine, request: pb.DeleteCorpusRequest) -> pb.DeleteCorpusResponse:
    with _named():
        engine.delete_corpus(request.name)
    return pb.DeleteCorpusResponse()


def _purge(engine: Engine, request: pb.PurgeDocumentsRequest) -> pb.PurgeDocumentsResponse:
    deleted = engine.delete_where(
        request.corpus,
        source=request.source if request.HasField("source") else None,
        published_before=wire.time_from_message(request, "published_before"),
        published_after=wire.time_from_message(request, "published_after"),
        dry_run=request.dry_run,
    )
    return pb.PurgeDocumentsResponse(documents=deleted)


def _stats(engine: Engine, request: pb.GetCorpusStatsRequest) -> pb.GetCorpusStatsResponse:
    stats = engine.corpus_stats(wire.corpus_name(request.corpus))
    return pb.GetCorpusStatsResponse(stats=wire.corpus_stats_to_message(stats))


def _shadow_differences(engine: Engine, request: pb.ListShadowDifferencesRequest) -> pb.ListShadowDifferencesResponse:
    differences = engine.shadow_differences(wire.corpus_name(request.corpus))
    return pb.ListShadowDifferencesResponse(differences=map(wire.shadow_difference_to_message, differences))


def _boilerplate(engine: Engine, request: pb.ListBoilerplateRequest) -> pb.ListBoilerplateResponse:
    limit = page_size(request.page_size, default=_BOILERPLATE_PAGE, most=MAX_BOILERPLATE)
    listed = engine.list_boilerplate(wire.corpus_name(request.corpus), limit=limit)
    return pb.ListBoilerplateResponse(boilerplate=map(wire.boilerplate_to_message, listed))


class CorpusServicer(corpus_service_pb2_grpc.CorpusServiceServicer):
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def CreateCorpus(self, request: pb.CreateCorpusRequest, context: Context) -> pb.CreateCorpusResponse:
        return await self._runner.run(_create, request)

    async def GetCorpus(self, request: pb.GetCorpusRequest, context: Context) -> pb.GetCorpusResponse:
        return await self._runner.run(_get, request)

    async def ListCorpora(self, request: pb.ListCorporaRequest, context: Context) -> pb.ListCorporaResponse:
        return await self._runner.run(_list, request)

    async def UpdateCorpus(self, request: pb.UpdateCorpusRequest, context: Context) -> pb.UpdateCorpusResponse:
        return await self._runner.run(_update, request)

    async def DeleteCorpus(self, request: pb.DeleteCorpusRequest, context: Context) -> pb.DeleteCorpusResponse:
        return await self._runner.run(_delete, request)

    async def PurgeDocuments(self, request: pb.PurgeDocumentsRequest, context: Context) -> pb.PurgeDocumentsResponse:
        return await self._runner.run(_purge, request)

    async def GetCorpusStats(self, request: pb.GetCorpusStatsRequest, context: Context) -> pb.GetCorpusStatsResponse:
        return await self._runner.run(_stats, request)

    async def ListShadowDifferences(
        self, request: pb.ListShadowDifferencesRequest, context: Context
    ) -> pb.ListShadowDifferencesResponse:
        return await self._runner.run(_shadow_differences, request)

    async def ListBoilerplate(self, request: pb.ListBoilerplateRequest, context: Context) -> pb.ListBoilerplateResponse:
        return await self._runner.run(_boilerplate, request)
