"""The common form of the server's interceptors.

Each says what happens around one call of a method of the contract; health and reflection pass untouched, because they
must work when nothing else does. Methods are wrapped once, at their first call, not at every call.
"""

from __future__ import annotations

import abc
import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import grpc
import grpc.aio

from baznashr_server.rpc.methods import METHODS, Method

type Context = grpc.aio.ServicerContext[Any, Any]
type Handler = grpc.RpcMethodHandler[Any, Any]
type Behaviour = Callable[[Any, Context], Awaitable[Any]]
"""Answers one call: a unary one returns its response, a streaming one writes its responses to the context."""


class _Wrapping(grpc.aio.ServerInterceptor, abc.ABC):
    """Wraps the methods of the contract, each at its first call."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @abc.abstractmethod
    def wrapped(self, method: Method, handler: Handler) -> Handler:
        """Return the handler of a method with what is added around it."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        path = handler_call_details.method
        if path in self._handlers:
            return self._handlers[path]
        handler = await continuation(handler_call_details)
        method = METHODS.get(path)
        if handler is None or method is None:  # None: gRPC itself answers that there is no such method
            return handler
        self._handlers[path] = self.wrapped(method, handler)
        return self._handlers[path]


class Interceptor(_Wrapping):
    """One thing that happens around calls."""

    @abc.abstractmethod
    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Return *behaviour* with what this interceptor adds around it."""

    def wrapped(self, method: Method, handler: Handler) -> Handler:
        # The types are those of the synchronous stack; aio takes coroutine functions in both places.
        behaviour: Any
        if method.type == "unary":
            make, behaviour = grpc.unary_unary_rpc_method_handler, handler.unary_unary
        else:
            make, behaviour = grpc.stream_stream_rpc_method_handler, handler.stream_stream
        if inspect.isasyncgenfunction(behaviour):
            behaviour = _written(behaviour)
        wrapped: Any = self.wrap(method, behaviour)
        return make(wrapped, self.deserializer(handler), handler.response_serializer)

    def deserializer(self, handler: Handler) -> Callable[[bytes], Any]:
        """Return what turns bytes into requests, by default as before."""
        return cast("Callable[[bytes], Any]", handler.request_deserializer)


class Layers(_Wrapping):
    """Several interceptors as one, outermost first: gRPC asks each of its own anew at every call."""

    def __init__(self, *layers: Interceptor) -> None:
        super().__init__()
        self._layers = layers

    def wrapped(self, method: Method, handler: Handler) -> Handler:
        for layer in reversed(self._layers):
            handler = layer.wrapped(method, handler)
        return handler


def _written(generator: Callable[[Any, Context], AsyncGenerator[Any]]) -> Behaviour:
    """Return *generator* as a coroutine, so that what happens to a stream happens inside of it, cancelling too."""

    async def behaviour(requests: Any, context: Context) -> None:
        async with aclosing(generator(requests, context)) as responses:
            async for response in responses:
                try:
                    await context.write(response)
                except grpc.aio.InternalError:
                    # Nobody is there to write to; gRPC notices, a moment later, that the call is cancelled.
                    raise asyncio.CancelledError from None

    return behaviour
