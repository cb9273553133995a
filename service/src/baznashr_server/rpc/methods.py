"""The services and methods of the contract, read from its descriptors."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.descriptor import ServiceDescriptor

from baznashr.v1 import admin_service_pb2, check_service_pb2, corpus_service_pb2, ingest_service_pb2


class Method(NamedTuple):
    """A method, as metrics and logs name it."""

    type: str
    """``unary`` or ``bidi_stream``."""
    service: str
    """With its package."""
    name: str

    @property
    def is_batch(self) -> bool:
        return self.name.startswith("Batch")


def _service(file: object, name: str) -> ServiceDescriptor:
    found: ServiceDescriptor = file.DESCRIPTOR.services_by_name[name]  # type: ignore[attr-defined]
    return found


_CHECK = _service(check_service_pb2, "CheckService")
_INGEST = _service(ingest_service_pb2, "IngestService")
_CORPUS = _service(corpus_service_pb2, "CorpusService")
_ADMIN = _service(admin_service_pb2, "AdminService")

CHECK_SERVICE: str = _CHECK.full_name
INGEST_SERVICE: str = _INGEST.full_name
CORPUS_SERVICE: str = _CORPUS.full_name
ADMIN_SERVICE: str = _ADMIN.full_name
SERVICES = (CHECK_SERVICE, INGEST_SERVICE, CORPUS_SERVICE, ADMIN_SERVICE)

METHODS = {
    f"/{service.full_name}/{method.name}": Method(
        "bidi_stream" if method.client_streaming else "unary", service.full_name, method.name
    )
    for service in (_CHECK, _INGEST, _CORPUS, _ADMIN)
    for method in service.methods
}
"""By the path under which gRPC calls them."""
