"""The unary methods of the contract, read from its descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message_factory import GetMessageClass

from baznashr.v1 import admin_service_pb2, check_service_pb2, corpus_service_pb2, ingest_service_pb2


@dataclass(frozen=True, slots=True)
class Rpc:
    """A unary method."""

    service: str
    """Its full name, such as ``baznashr.v1.CheckService``."""
    method: str
    request: type[Any]
    """The message that asks."""
    response: type[Any]
    """The message it answers with."""
    idempotent: bool
    """Whether a call that may have reached the server can be sent again."""

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"


def _read_contract() -> tuple[Rpc, ...]:
    files = (check_service_pb2, ingest_service_pb2, corpus_service_pb2, admin_service_pb2)
    return tuple(
        Rpc(
            service=service.full_name,
            method=method.name,
            request=GetMessageClass(method.input_type),
            response=GetMessageClass(method.output_type),
            idempotent=method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
        )
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.client_streaming
    )


RPCS = _read_contract()
_BY_METHOD = {rpc.method: rpc for rpc in RPCS}


def rpc(method: str) -> Rpc:
    """Return the method of this name; names are unique over all services."""
    return _BY_METHOD[method]
