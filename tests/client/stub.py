"""A real gRPC server that answers as a test tells it to, and remembers what it was asked."""

import asyncio
import inspect
import threading
from concurrent import futures
from dataclasses import dataclass

import grpc
from google.protobuf.message_factory import GetMessageClass

from baznashr import AsyncClient, status, types
from baznashr.v1 import admin_service_pb2, check_service_pb2, corpus_service_pb2, ingest_service_pb2
from baznashr.wire import judgement_to_message

JUDGEMENT = types.Judgement(verdict=types.Verdict.NEW, repeated=False, reason="NOTHING_COMPARABLE")
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in (check_service_pb2, ingest_service_pb2, corpus_service_pb2, admin_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming
}


@dataclass(frozen=True)
class Asked:
    """One attempt of one call, as the server saw it."""

    method: str
    request: object
    seconds_left: float | None
    metadata: dict


class Stub(grpc.GenericRpcHandler):
    """Answers calls from ``answers``: method to a function of the request, whose errors end the call."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.running = self.most_running = 0
        self._lock = threading.Lock()

    def service(self, handler_call_details):
        """Return the handler of a method, and none where the test removed its answer."""
        method = METHODS[handler_call_details.method]
        if self.answers.get(method.name, self) is None:
            return None

        def handle(request, context):
            with self._lock:
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                metadata = dict(context.invocation_metadata())
                self.asked.append(Asked(method.name, request, context.time_remaining(), metadata))
            try:
                return self.answers[method.name](request)
            except Exception as error:  # noqa: BLE001 - as a server turns every error into a status
                code, message, trailers = status.trailers_from_error(error)
                context.set_trailing_metadata(trailers)
                context.abort(grpc.StatusCode[code], message)
            finally:
                with self._lock:
                    self.running -= 1

        return grpc.unary_unary_rpc_method_handler(
            handle,
            GetMessageClass(method.input_type).FromString,
            lambda answer: answer if isinstance(answer, bytes) else answer.SerializeToString(),
        )

    def count(self, method):
        """Return how many attempts of a method came."""
        return sum(asked.method == method for asked in self.asked)


WORKERS = 8


def _pool(workers: int) -> futures.ThreadPoolExecutor:
    """Return a pool whose threads are all there: tests count threads, and one made later would look like a client's."""
    pool = futures.ThreadPoolExecutor(workers)
    started = threading.Barrier(workers + 1)
    for _ in range(workers):
        pool.submit(started.wait)
    started.wait()
    return pool


def serve(stub, credentials=None):
    """Start a server on a port of its own; return it and its address."""
    server = grpc.server(_pool(WORKERS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((stub,))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, f"127.0.0.1:{port}"


def judge_batch(request):
    """Answer a batch: the reason of each judgement names the text it is of."""
    items = getattr(request, "items", None) or request.documents
    texts = [
        item.text if item.DESCRIPTOR.name == "Document" or item.HasField("text") else item.document.text
        for item in items
    ]
    response = type(request).DESCRIPTOR.name.replace("Request", "Response")
    module = check_service_pb2 if hasattr(request, "items") else ingest_service_pb2
    judgements = [
        judgement_to_message(types.Judgement(verdict=types.Verdict.NEW, repeated=False, reason=text)) for text in texts
    ]
    return getattr(module, response)(judgements=judgements)


class Awaited:
    """An AsyncClient driven from a test that knows nothing of asyncio."""

    def __init__(self, *args, **kwargs):
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*args, **kwargs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self._runner.close()

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args, **kwargs):
            result = method(*args, **kwargs)
            return self._wait(result) if inspect.isawaitable(result) else self._iterate(result)

        return call

    def _wait(self, awaitable):
        """Run the loop until *awaitable* is done."""

        async def wait():
            """Make a coroutine of it, as a loop's runner wants."""
            return await awaitable

        return self._runner.run(wait())

    def _iterate(self, items):
        """Run the loop from item to item."""
        try:
            while True:
                try:
                    yield self._wait(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._wait(items.aclose())
