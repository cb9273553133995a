"""What a call that fails is answered with: a status and reason from the contract, never the text of an exception."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import grpc.aio
import structlog

from baznashr.errors import BaznashrError, InternalError, StoreError
from baznashr.status import trailers_from_error
from baznashr_server.rpc.interception import Behaviour, Context, Interceptor
from baznashr_server.rpc.methods import Method

log = structlog.get_logger()

_TIMER_SECONDS = 0.01


def answerable(error: Exception) -> BaznashrError:
    """Return what the caller may know of *error*; what is unforeseen is logged under an incident id."""
    if isinstance(error, BaznashrError) and not isinstance(error, StoreError | InternalError):
        return error
    incident = uuid.uuid4().hex[:16]
    log.error("internal error", incident_id=incident, exc_info=error)
    return InternalError(
        "The server failed on this call; its log says why, under the incident id.", metadata={"incident_id": incident}
    )


def code_of(error: BaseException, context: Context) -> grpc.StatusCode:
    """Return the code that a call that raised *error* ends with."""
    match error:
        case BaznashrError():
            return grpc.StatusCode[trailers_from_error(error)[0]]
        case Exception():
            return grpc.StatusCode.INTERNAL
    # Cancelled: by the client, by a shutdown, or by the deadline, which gRPC's own timer may see a moment early.
    remaining: float | None = context.time_remaining()
    late = remaining is not None and remaining < _TIMER_SECONDS
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


class Errors(Interceptor):
    """Ends calls that raise with the status of what they raised."""

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:  # noqa: ARG002 - the same for every method
        async def answered(request: Any, context: Context) -> Any:
            try:
                return await behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - the last place before gRPC, which would send its text
                code, message, trailers = trailers_from_error(answerable(error))
                await context.abort(grpc.StatusCode[code], message, trailers)

        return answered
