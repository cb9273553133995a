"""Requests that cannot be decoded, which gRPC would answer with the text of a Python exception."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError

from baznashr.errors import InvalidArgument
from baznashr_server.rpc.interception import Behaviour, Context, Handler, Interceptor
from baznashr_server.rpc.methods import Method

_UNDECODABLE = object()


class Decoding(Interceptor):
    """Refuses requests whose bytes are no message of the contract, broken UTF-8 included."""

    def deserializer(self, handler: Handler) -> Callable[[bytes], Any]:
        decode = super().deserializer(handler)

        def deserialize(data: bytes) -> Any:
            try:
                return decode(data)
            except DecodeError:
                return _UNDECODABLE

        return deserialize

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        if method.type == "unary":

            async def decoded(request: Any, context: Context) -> Any:
                return await behaviour(_checked(request), context)
        else:

            async def decoded(request: Any, context: Context) -> Any:
                return await behaviour(_each_checked(request), context)

        return decoded


async def _each_checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)


def _checked(request: Any) -> Any:
    if request is _UNDECODABLE:
        raise InvalidArgument(
            "The request is no message of this method, or a string in it is not UTF-8.", reason="MALFORMED_MESSAGE"
        )
    return request
