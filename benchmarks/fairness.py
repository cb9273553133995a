"""Single calls beside a bulk load: how long does one caller wait while others fill the server with batches and streams?

`python -m benchmarks.fairness` prints a table for docs/promises.md.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from baznashr.types import Document
from baznashr.v1 import ingest_service_pb2 as pb
from baznashr.v1 import ingest_service_pb2_grpc
from baznashr.wire import document_to_message
from benchmarks import ending
from benchmarks.corpus import ArticleModel
from benchmarks.machine import describe
from benchmarks.rpc import serving

LOADERS = {"nothing": (0, 0), "8 loaders with batches of 256": (8, 0), "4 loaders with streams": (0, 4)}
"""How many callers send batches, and how many stream."""
PAUSE_SECONDS = 0.01
"""Between two single calls."""
WARMING_SECONDS = 2.0
"""Of the loaders, before anything is counted."""


class Load:
    """Callers of one server that go on until they are stopped."""

    def __init__(self, address: str, texts: list[str]) -> None:
        self._address = address
        self._texts = texts
        self._numbers = itertools.count()
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self.answered = 0
        self.threads: list[threading.Thread] = []

    def _messages(self) -> Iterator[pb.StreamIngestDocumentsRequest]:
        while not self._stopped.is_set():
            number = next(self._numbers)
            # A number of its own makes each text another one.
            text = f"{self._texts[number % len(self._texts)]} {number}"
            yield pb.StreamIngestDocumentsRequest(document=document_to_message(Document(f"bulk {number}", text)))

    def _stub(self) -> ingest_service_pb2_grpc.IngestServiceStub:
        options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)]
        return ingest_service_pb2_grpc.IngestServiceStub(grpc.insecure_channel(self._address, options=options))

    def batches(self) -> None:
        stub = self._stub()
        while not self._stopped.is_set():
            documents = [message.document for message in itertools.islice(self._messages(), 256)]
            stub.BatchIngestDocuments(pb.BatchIngestDocumentsRequest(documents=documents))
            self.count(len(documents))

    def stream(self) -> None:
        for answer in self._stub().StreamIngestDocuments(self._messages()):
            self.count(answer.HasField("item"))

    def count(self, documents: int) -> None:
        with self._counting:
            self.answered += documents

    def start(self, batches: int, streams: int) -> None:
        self.threads = [threading.Thread(target=self.batches) for _ in range(batches)]
        self.threads += [threading.Thread(target=self.stream) for _ in range(streams)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self.threads:
            thread.join()

    def singles(self, seconds: float) -> list[float]:
        """Return what each of a caller's single calls took, in seconds."""
        stub, taken = self._stub(), []
        end = time.perf_counter() + seconds
        for message in self._messages():
            if (begun := time.perf_counter()) > end:
                break
            stub.IngestDocument(pb.IngestDocumentRequest(document=message.document))
            taken.append(time.perf_counter() - begun)
            time.sleep(PAUSE_SECONDS)
        return taken


def measure(load: Load, batches: int, streams: int, seconds: float) -> tuple[float, list[float]]:
    """Return what was answered to the loaders a second, while single calls were made, and what each of those took."""
    load.start(batches, streams)
    time.sleep(WARMING_SECONDS)
    begun, before = time.perf_counter(), load.answered
    taken = load.singles(seconds)
    pace = (load.answered - before) / (time.perf_counter() - begun)
    load.stop()  # what is under way is still answered, and counts no more
    return pace, taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each load (10)")
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("--seconds must be above 0")
    ending.as_by_ctrl_c()
    texts = [article.text for article in itertools.islice(ArticleModel(1, mean_chars=2000).articles(), 2000)]
    print(
        "| beside | bulk, documents a second | single calls: median ms | p99 ms | longest ms |\n|---|--:|--:|--:|--:|"
    )
    for name, callers in LOADERS.items():
        with tempfile.TemporaryDirectory(prefix="baznashr-") as folder, serving(Path(folder)) as server:
            rate, taken = measure(Load(server.address, texts), *callers, options.seconds)
        taken.sort()
        at = (taken[len(taken) // 2], taken[int(len(taken) * 0.99)], taken[-1])
        print(f"| {name} | {rate:.0f} |", " | ".join(f"{1000 * value:.0f}" for value in at), "|", flush=True)
    machine = describe()
    print(f"\n{machine['processor']}, {machine['cores']} cores, load {machine['load before']}, {machine['measured']}")


if __name__ == "__main__":
    main()
