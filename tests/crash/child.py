"""Forks servers, so that each is ready at once.

Each line of its input, "FOLDER POINT:ACTION", starts one server and is answered by two lines: "ready listen=…", and
"ended STATUS" when the server is gone. The server arms a failpoint whenever one is written to FOLDER.arm.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from baznashr_server import app, failpoints
from baznashr_server.access.protection import Protection
from baznashr_server.settings import Address, Settings


def obey(fifo: Path) -> None:
    while True:
        failpoints.armed = failpoints.Armed.parse(fifo.read_text().strip())


def serve(data: Path, failpoint: str) -> None:
    failpoints.armed = failpoints.Armed.parse(failpoint)
    fifo = data.with_suffix(".arm")
    if not fifo.exists():
        os.mkfifo(fifo)
    threading.Thread(target=obey, args=(fifo,), daemon=True).start()
    settings = Settings(data=data, listen=Address("127.0.0.1", 0), metrics=None, log_level="error")
    app.run(settings, Protection.read(settings.secrets), lambda line: print(line, flush=True))


def main() -> None:
    app.warm_up()
    for line in sys.stdin:
        data, _, failpoint = line.strip().partition(" ")
        child = os.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            serve(Path(data), failpoint)
            os._exit(0)
        Path(data).with_suffix(".pid").write_text(str(child))
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
