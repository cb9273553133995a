"""Who calls, and whether they may: before anything of the request is read, and again with what it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from structlog.contextvars import bind_contextvars

from baznashr.errors import BaznashrError, PermissionDenied, QuotaExceeded, Unauthenticated, Unavailable
from baznashr_server.access.keeper import Caller, Keeper
from baznashr_server.obs.metrics import AccessMetrics
from baznashr_server.rpc.interception import Behaviour, Context, Handler, Interceptor
from baznashr_server.rpc.methods import METHODS, Method
from baznashr_server.rpc.scopes import DEMANDS, Demand

_UNREAD = object()
"""Stands for the request of a call that is refused before it is read."""
_ALTERNATIVE_NAMES = "x509_subject_alternative_name"


def _authorization(metadata: Any) -> bytes | None:
    """Return the first header of that name."""
    for key, value in metadata or ():
        if key == "authorization":
            return value.encode() if isinstance(value, str) else value
    return None


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """Stands in a stream for an item that its caller may not send; only that item fails."""

    sequence: int
    error: BaznashrError


class Guard:
    """The rules of one server, for all its calls."""

    def __init__(self, keeper: Keeper, client_names: tuple[str, ...], metrics: AccessMetrics) -> None:
        self._keeper = keeper
        self._client_names = frozenset(name.encode() for name in client_names)
        self._refused = metrics.refused

    def admits(self, demand: Demand, metadata: Any) -> bool:
        """Whether the caller has a token with the scope."""
        try:
            self._keeper.caller(_authorization(metadata)).require(demand.scope)
        except (Unauthenticated, PermissionDenied):
            return False
        return True

    def enter(self, demand: Demand, metadata: Any) -> Caller:
        """Return the caller, who has the scope; Unauthenticated or PermissionDenied, which are counted, otherwise."""
        authorization = _authorization(metadata)
        try:
            caller = self._keeper.caller(authorization)
        except Unauthenticated:
            self.count("no_token" if authorization is None else "unknown_token")
            raise
        if caller.name:
            bind_contextvars(caller=caller.name)
        try:
            caller.require(demand.scope)
        except PermissionDenied:
            self.count("scope")
            raise
        return caller

    def check_certificate(self, context: Context) -> None:
        """Raise PermissionDenied unless one of the names in the client's certificate may call."""
        if not self._client_names:
            return
        names = context.auth_context().get(_ALTERNATIVE_NAMES, ())
        if self._client_names.isdisjoint(names):
            self.count("certificate")
            raise PermissionDenied("None of the names in the client's certificate may call here.")

    def spend(self, caller: Caller, demand: Demand, request: Any) -> None:
        """Raise PermissionDenied or QuotaExceeded where the request is not within what the caller was given."""
        if caller.token is None:
            return
        try:
            caller.require_corpora(demand.corpora(request))
            caller.spend(demand.documents(request))
        except PermissionDenied:
            self.count("corpus")
            raise
        except QuotaExceeded:
            self.count("quota")
            raise

    def count(self, reason: str) -> None:
        self._refused.labels(reason).inc()


class Doorstep(grpc.aio.ServerInterceptor):
    """Turns away, before their request is read, calls that have no token with the right scope.

    It stands outermost and only changes how such a call is handled: as one that reads nothing. The others measure it,
    log it and, at `Access`, refuse it. Otherwise strangers could make the server hold megabytes for every call.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        method = METHODS.get(handler_call_details.method)
        if handler is None or method is None or handler.unary_unary is None:
            return handler
        admitted = self._guard.admits(DEMANDS[method.name], handler_call_details.invocation_metadata)
        return handler if admitted else _unread(handler)


def _unread(handler: Handler) -> Handler:
    behaviour: Any = handler.unary_unary

    async def refuse(_: Any, context: Context) -> None:
        await behaviour(_UNREAD, context)

    made: Any = grpc.stream_stream_rpc_method_handler
    return made(refuse, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]


class Access(Interceptor):
    """Lets calls through whose caller may make them, and the items of streams likewise."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        demand = DEMANDS[method.name]
        is_stream = method.type != "unary"

        async def allowed(request: Any, context: Context) -> Any:
            caller = self._guard.enter(demand, context.invocation_metadata())
            self._guard.check_certificate(context)
            if request is _UNREAD:  # the tokens changed since it was turned away
                raise Unavailable("The tokens have just changed.", metadata={"retry_after_ms": "0"})
            if is_stream:
                return await behaviour(self._items(request, demand, context), context)
            self._guard.spend(caller, demand, request)
            return await behaviour(request, context)

        return allowed

    async def _items(self, requests: AsyncIterator[Any], demand: Demand, context: Context) -> AsyncIterator[Any]:
        """Yield the items, each held against the tokens in force when it comes; a revoked token ends the stream."""
        async for request in requests:
            caller = self._guard.enter(demand, context.invocation_metadata())
            try:
                self._guard.spend(caller, demand, request)
            except (PermissionDenied, QuotaExceeded) as error:
                yield RefusedItem(request.sequence, error)
            else:
                yield request
