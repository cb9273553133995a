"""A running server, asked over gRPC, and by its metrics."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from baznashr import Client
from baznashr.errors import BaznashrError, NotImplementedByServer, PermissionDenied, Unauthenticated
from baznashr_server.doctor.findings import Findings, broken, duration, note, ok, size, warning
from baznashr_server.doctor.folder import LEAST_SHARE, LOW_SHARE
from baznashr_server.doctor.process import LEAST_FILES, NEARLY

WAIT_SECONDS = 10
FULL = 0.8
Series = Mapping[str, float]
"""The largest value of each metric, whatever its labels."""


def examine_calls(client: Client) -> Findings:
    """Yield what a server says of itself."""
    try:
        status = client.server_status()
    except (Unauthenticated, PermissionDenied) as error:
        yield note(
            "server", f"it answers, and does not say how it is: {error.message}", "give a token with scope admin"
        )
        return
    except NotImplementedByServer:
        yield note(
            "server", "it answers, and has no AdminService at this address", "name the address that admin is set to"
        )
        return
    except BaznashrError as error:
        yield broken("server", f"it does not answer: {error.message}", "is it running, and is this its address?")
        return
    running = duration(max(0.0, time.time() - status.started_at.timestamp()))
    yield ok("server", f"version {status.version}, {status.profile}, {status.documents:,} documents, up {running}")
    if status.read_only_reason:
        yield broken(
            "read-only",
            f"the store takes no writes: {status.read_only_reason}",
            "see docs/runbooks/BaznashrReadOnly.md: mend the disk, verify the folder, start again",
        )
    else:
        yield ok("read-only", "the store takes writes")


def examine_metrics(address: str, backup_days: float) -> Findings:
    """Yield what is to be said of a server's metrics, at HOST:PORT."""
    series: dict[str, float] = {}
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=WAIT_SECONDS) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series[sample.name] = max(sample.value, series.get(sample.name, sample.value))
    except OSError as error:
        yield broken("metrics", f"http://{address}/metrics does not answer: {error}", "is this its address?")
        return
    except (HTTPException, ValueError):  # another protocol, another encoding, another format
        series.clear()
    if "baznashr_build_info" not in series:
        yield broken("metrics", f"http://{address}/metrics is not that of Baznashr", "is this its address?")
        return
    if "baznashr_disk_bytes" not in series:  # which is read from the open store
        yield broken("serving", "the server is still starting", "see docs/runbooks/BaznashrNotServing.md")
        return
    for check in (_serving, _queues, _disk, _failures, _process):
        yield from check(series)
    yield from _backup(series, backup_days)


def _serving(series: Series) -> Findings:
    if series.get("baznashr_read_only"):
        yield broken("read-only", "the store takes no writes", "see docs/runbooks/BaznashrReadOnly.md")
    if not series.get("baznashr_serving"):
        yield broken("serving", "health says NOT_SERVING", "see docs/runbooks/BaznashrNotServing.md")
    else:
        yield ok("serving", "health says SERVING")


def _queues(series: Series) -> Findings:
    for name, what in (("calls", "calls wait for their turn"), ("writes", "changes wait for the writer")):
        waiting, most = series[f"baznashr_{name}_waiting"], series[f"baznashr_{name}_waiting_limit"]
        said = f"{waiting:,.0f} {what}, of {most:,.0f} that may"
        if most and waiting > FULL * most:
            yield warning("queues", said, "see docs/runbooks/BaznashrQueueFull.md")
        else:
            yield ok("queues", said)


def _disk(series: Series) -> Findings:
    free, whole = series["baznashr_disk_free_bytes"], series["baznashr_disk_bytes"]
    said = f"{size(free)} of {size(whole)} free"
    if free < LEAST_SHARE * whole:
        yield broken("disk", f"{said}: a write that fails turns the store read-only", "make room")
    elif free < LOW_SHARE * whole:
        yield warning("disk", said, "see docs/runbooks/BaznashrDiskLow.md")
    else:
        yield ok("disk", said)


def _failures(series: Series) -> Findings:
    for name, what in (("backup", "backups"), ("snapshot", "snapshots of the tables")):
        failed = series[f"baznashr_{name}_failures_total"]
        if failed:
            yield warning(name + "s", f"{failed:,.0f} {what} failed since the start", "the server's log says why")


def _process(series: Series) -> Findings:
    used, most = series.get("process_open_fds", 0), series.get("process_max_fds", LEAST_FILES)
    said = f"{used:,.0f} of {most:,.0f} files and connections are open"
    if used > NEARLY * most:
        yield broken("descriptors", f"{said}: new connections will fail", "raise LimitNOFILE= of its unit")
    elif most < LEAST_FILES:
        yield warning("descriptors", said, "raise LimitNOFILE= of its unit")
    else:
        yield ok("descriptors", said)


def _backup(series: Series, days: float) -> Findings:
    taken = series["baznashr_last_backup_timestamp_seconds"]
    if not taken:
        yield warning("backup", "no backup is known", "see docs/runbooks/BaznashrBackupOld.md")
    elif (age := time.time() - taken) > days * 86_400:
        yield warning("backup", f"the last backup known is {duration(age)} old", "baznashr-server backup FOLDER FILE")
    else:
        yield ok("backup", f"the last backup was taken {duration(max(0.0, age))} ago")
