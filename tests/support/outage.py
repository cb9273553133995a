"""Servers that die and come back, and a connection that fails in every way a network can."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.server import launched


class MortalServer:
    """A server that can be killed, and then comes back at the same address with the same data."""

    def __init__(self, data: Path, *flags: str) -> None:
        self._data = data
        self._flags = flags
        self.address = "127.0.0.1:0"
        self.kills = 0
        self._start()

    def _start(self) -> None:
        """Start it, at the address it had."""
        self._running = launched(self._data, *self._flags, "--listen", self.address)
        self._server = self._running.__enter__().wait_until_ready()
        self.address = self._server.listen

    @property
    def pid(self) -> int:
        """Of the process that serves now."""
        return self._server.process.pid

    def kill_and_restart(self) -> None:
        """End the server without warning, and return when it serves again."""
        self.kills += 1
        self._running.__exit__(None, None, None)
        self._start()

    def stop(self) -> None:
        """End it for good."""
        self._running.__exit__(None, None, None)


class Proxy:
    """Passes bytes between clients and one server until ``fault`` says otherwise.

    Faults: ``"delay"`` passes them late; ``"cut"`` closes connections; ``"black hole"`` takes bytes and passes none;
    ``"drop answers"`` passes requests, and closes the connection in place of each answer.
    """

    def __init__(self, server: str) -> None:
        host, port = server.rsplit(":", 1)
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault: str | None = None
        self.bitten: dict[str, int] = {}
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @contextmanager
    def failing(self, fault: str, seconds: float) -> Iterator[None]:
        """Fail for at least *seconds*; connections that lost bytes are closed afterwards."""
        self.fault = fault
        if fault == "cut":
            self._close_all()
        started = time.monotonic()
        try:
            yield
            time.sleep(max(0.0, started + seconds - time.monotonic()))
        finally:
            self.fault = None
            if fault != "delay":
                self._close_all()

    def close(self) -> None:
        """Close all connections and end all threads."""
        self.fault = "cut"
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()
        for thread in self._threads:
            thread.join()

    def _close_all(self) -> None:
        """Close the connections there are."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        """Take connections until closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.fault == "cut":
                self._count()
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._open |= {client, server}
            for source, sink, answers in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._pump, args=(source, sink, answers))
                thread.start()
                self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        """Pass bytes one way until an end closes or a fault says so."""
        has_lost = False
        with suppress(OSError):
            while block := source.recv(1 << 16):
                fault = self.fault
                if fault is not None:
                    self._count()
                if fault == "delay":
                    time.sleep(0.2)
                elif fault == "black hole":
                    has_lost = True
                    continue
                if has_lost:
                    break  # no network passes what comes after lost bytes
                is_answer = answers and len(block) > 100  # less is HTTP/2's own talk
                if fault == "cut" or (fault == "drop answers" and is_answer):
                    break
                sink.sendall(block)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if answers:
            time.sleep(0.05)
            for end in (source, sink):
                self._open.discard(end)
                end.close()

    def _count(self) -> None:
        """Note that a fault was felt."""
        if self.fault is not None:
            self.bitten[self.fault] = self.bitten.get(self.fault, 0) + 1
