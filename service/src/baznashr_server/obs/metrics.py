"""The Prometheus metrics of the server. RPC metrics have the ecosystem's names, so its dashboards and rules work.

Everything with a known set of labels exists at zero from the start, so that rates and alerts never miss a series.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version

import grpc
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from baznashr.types import Verdict
from baznashr_server.engine.observer import LIMITS, STAGES
from baznashr_server.limits import MAX_CANDIDATES
from baznashr_server.obs.calls import CALL_STAGES

_RPC_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STAGE_SECONDS = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 5.0)
_COMMIT_DOCUMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_CANDIDATES = (0, 1, 2, 4, 8, MAX_CANDIDATES)
_LONG_SECONDS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
_WAIT_SECONDS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)

LEVELS = ("debug", "info", "warning", "error", "critical")
REFUSALS = (
    "BACKUPS_OFF",
    "BACKUP_EXISTS",
    "BACKUP_FAILED",
    "BATCH_TOO_LARGE",
    "CORPUS_EXISTS",
    "CORPUS_NOT_FOUND",
    "DOCUMENT_ID_REUSED",
    "DOCUMENT_NOT_FOUND",
    "DUPLICATE_DOCUMENT_ID",
    "EMPTY_BATCH",
    "EMPTY_TEXT",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "INVALID_CORPUS_NAME",
    "INVALID_DOCUMENT_ID",
    "INVALID_FIELD",
    "INVALID_POLICY",
    "INVALID_PUBLISHED_AT",
    "INVALID_WINDOW",
    "LIMIT_REACHED",
    "MALFORMED_MESSAGE",
    "MALFORMED_TEXT",
    "OVERLOADED",
    "PERMISSION_DENIED",
    "QUOTA_EXCEEDED",
    "READ_ONLY",
    "SHUTTING_DOWN",
    "STARTING",
    "TEXT_NOT_KEPT",
    "TEXT_TOO_LARGE",
    "UNAUTHENTICATED",
)
"""Reasons of errors that the server answers with."""
OTHER_REASON = "OTHER"


LANES = ("single", "bulk")
"""Of single calls, and of batches and the items of streams."""
START_PHASES = ("recovery", "warm_up")


class Metrics:
    """All metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nothing here would read
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.rpc = RpcMetrics(self.registry)
        self.calls = CallMetrics(self.registry)
        self.access = AccessMetrics(self.registry)
        self.engine = EngineMetrics(self.registry)
        self.serving = Gauge(
            "baznashr_serving",
            "1 where health says SERVING, by gRPC service; the whole server is the service named server.",
            ["service"],
            registry=self.registry,
        )
        self.log_lines = Counter(
            "baznashr_log_lines_total", "Lines logged, by level.", ["level"], registry=self.registry
        )
        for level in LEVELS:
            self.log_lines.labels(level)
        self.start_seconds = Gauge(
            "baznashr_start_seconds",
            "Time of the start in seconds: recovery opens the store and fills the tables, warm_up readies the kernels.",
            ["phase"],
            registry=self.registry,
        )
        for phase in START_PHASES:
            self.start_seconds.labels(phase)
        self._build = Gauge(
            "baznashr_build_info",
            "Always 1; the profile is the store's, empty until it is open.",
            ["version", "python", "grpc", "profile"],
            registry=self.registry,
        )
        self.tell_profile("")

    def tell_profile(self, profile: str) -> None:
        """Name the profile of the store."""
        self._build.clear()
        self._build.labels(version("baznashr-server"), platform.python_version(), version("grpcio"), profile).set(1)

    def count_line(self, level: str) -> None:
        """Count a line of the log."""
        self.log_lines.labels(level if level in LEVELS else LEVELS[-1]).inc()


class RpcMetrics:
    """What go-grpc-middleware exports for a server."""

    _METHOD = ("grpc_type", "grpc_service", "grpc_method")

    def __init__(self, registry: CollectorRegistry) -> None:
        self.started = Counter("grpc_server_started_total", "RPCs started.", self._METHOD, registry=registry)
        self.handled = Counter(
            "grpc_server_handled_total", "RPCs completed, by code.", [*self._METHOD, "grpc_code"], registry=registry
        )
        self.received = Counter("grpc_server_msg_received_total", "Messages received.", self._METHOD, registry=registry)
        self.sent = Counter("grpc_server_msg_sent_total", "Messages sent.", self._METHOD, registry=registry)
        self.seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time from the arrival of an RPC until its answer, in seconds.",
            self._METHOD,
            buckets=_RPC_SECONDS,
            registry=registry,
        )

    def declare(self, methods: Iterable[tuple[str, str, str]]) -> None:
        """Create every series of *methods*, given as (type, service, method)."""
        for method in methods:
            for family in (self.started, self.received, self.sent, self.seconds):
                family.labels(*method)
            for code in grpc.StatusCode:
                self.handled.labels(*method, code_label(code))


def code_label(code: grpc.StatusCode) -> str:
    """Return the Go name of *code*, which the ecosystem's rules expect: ``NOT_FOUND`` is ``NotFound``."""
    return "OK" if code is grpc.StatusCode.OK else code.name.title().replace("_", "").replace("Cancelled", "Canceled")


class CallMetrics:
    """Admission and the threads that run the engine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.running = Gauge(
            "baznashr_calls_running", "Calls and stream items worked on, by lane.", ["lane"], registry=registry
        )
        self.running_limit = Gauge(
            "baznashr_calls_running_limit",
            "Most calls and stream items worked on at once; of them, bulk may be its own limit.",
            ["lane"],
            registry=registry,
        )
        self.waiting = Gauge(
            "baznashr_calls_waiting", "Calls and stream items that wait for a turn.", ["lane"], registry=registry
        )
        self.waiting_limit = Gauge(
            "baznashr_calls_waiting_limit", "Calls that may wait; the next is refused.", ["lane"], registry=registry
        )
        self.wait_seconds = Histogram(
            "baznashr_calls_wait_seconds",
            "Wait for a turn, in seconds.",
            ["lane"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        for family in (self.running, self.running_limit, self.waiting, self.waiting_limit, self.wait_seconds):
            for lane in LANES:
                family.labels(lane)
        self.refused = Counter(
            "baznashr_calls_refused_total", "Calls and streams refused by a full queue.", registry=registry
        )
        self.slow = Counter(
            "baznashr_calls_slow_total",
            "Calls and stream items over the slow-call threshold, by what took longest.",
            ["stage"],
            registry=registry,
        )
        self.streams = Gauge("baznashr_streams_open", "Streams open.", registry=registry)
        self.streams_limit = Gauge(
            "baznashr_streams_limit", "Streams that may be open; the next is refused.", registry=registry
        )
        self.workers = Gauge("baznashr_workers", "Threads that run the engine.", registry=registry)
        self.workers_busy = Gauge("baznashr_workers_busy", "Threads that are running it now.", registry=registry)
        self.workers_waiting = Gauge(
            "baznashr_workers_waiting", "Calls and stream items that wait for a thread.", registry=registry
        )
        self.worker_wait_seconds = Histogram(
            "baznashr_workers_wait_seconds", "Wait for a thread, in seconds.", buckets=_WAIT_SECONDS, registry=registry
        )
        for stage in CALL_STAGES:
            self.slow.labels(stage)
        self.refusals = Counter(
            "baznashr_refusals_total",
            "Calls and stream items that ended in an error, by its reason; those without one of ours are OTHER.",
            ["reason"],
            registry=registry,
        )
        self._reasons = {reason: self.refusals.labels(reason) for reason in (*REFUSALS, OTHER_REASON)}

    def refuse(self, reason: str) -> None:
        """Count a call that ended in an error for *reason*."""
        self._reasons.get(reason, self._reasons[OTHER_REASON]).inc()


class AccessMetrics:
    """Who was let in, and what protects the server."""

    REASONS = ("no_token", "unknown_token", "scope", "corpus", "quota", "certificate")

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "baznashr_access_refused_total",
            "Calls and stream items refused because of who called, by reason.",
            ["reason"],
            registry=registry,
        )
        self.tokens = Gauge("baznashr_tokens", "Tokens in force; 0 where none are asked for.", registry=registry)
        self.certificate_expiry = Gauge(
            "baznashr_certificate_expiry_timestamp_seconds",
            "When the server's certificate expires; 0 where it has none.",
            registry=registry,
        )
        self.unusable = Gauge(
            "baznashr_secrets_unusable",
            "1 while files that changed cannot be used, and what was in force before still is.",
            ["files"],
            registry=registry,
        )
        for reason in self.REASONS:
            self.refused.labels(reason)
        for files in ("tokens", "certificates"):
            self.unusable.labels(files)


class EngineMetrics:
    """What the engine reports to its observer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stages = Histogram(
            "baznashr_stage_duration_seconds",
            "Time of one stage for one document, in seconds.",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self.verdicts = Counter(
            "baznashr_verdicts_total",
            "Judgements of ingests and checks, by verdict; a check of a stored id makes none.",
            ["verdict"],
            registry=registry,
        )
        self.repeated = Counter(
            "baznashr_repeated_total", "Judgements that the policy treats as repeated content.", registry=registry
        )
        self.self_repeating = Counter(
            "baznashr_self_repeating_total", "Judged texts that repeat themselves.", registry=registry
        )
        self.candidates = Histogram(
            "baznashr_candidates",
            "Candidates that the tables gave for one judged text.",
            buckets=_CANDIDATES,
            registry=registry,
        )
        self.verified = Histogram(
            "baznashr_candidates_verified",
            "Candidates whose text one judged text was compared with.",
            buckets=_CANDIDATES,
            registry=registry,
        )
        self.writes = WriteMetrics(registry)
        self.limits = Counter(
            "baznashr_limit_hits_total",
            "Answers that a limit left something out of, by limit.",
            ["limit"],
            registry=registry,
        )
        self.upkeep = UpkeepMetrics(registry)
        self.shadow_differences = Counter(
            "baznashr_shadow_differences_total",
            "Judgements that a shadow policy would give otherwise; equal verdicts differ in what counts as repeated.",
            ["verdict", "shadow_verdict"],
            registry=registry,
        )
        self.read_only = Gauge(
            "baznashr_read_only", "1 while the store takes no writes because one failed.", registry=registry
        )
        for stage in STAGES:
            self.stages.labels(stage)
        for verdict in Verdict:
            self.verdicts.labels(verdict.value)
            for shadow in Verdict:
                self.shadow_differences.labels(verdict.value, shadow.value)
        for limit in LIMITS:
            self.limits.labels(limit)


class WriteMetrics:
    """Group commits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.commits = Histogram(
            "baznashr_commit_seconds",
            "Time of one durable group commit, in seconds.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self.commit_documents = Histogram(
            "baznashr_commit_documents",
            "Documents that shared one commit.",
            buckets=_COMMIT_DOCUMENTS,
            registry=registry,
        )
        self.write_wait_seconds = Histogram(
            "baznashr_writes_wait_seconds",
            "Wait of a change for the writer, in seconds.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )


class UpkeepMetrics:
    """What the store does beside its callers' work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.expired = Counter(
            "baznashr_expired_documents_total", "Documents deleted because they left their window.", registry=registry
        )
        self.last_expiry = Gauge(
            "baznashr_last_expiry_timestamp_seconds",
            "When expiry last deleted a document, since 1970; 0 where none was since the start.",
            registry=registry,
        )
        self.snapshot_seconds = Histogram(
            "baznashr_snapshot_seconds",
            "Time of writing the tables of one corpus to disk, in seconds.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )
        self.snapshot_failures = Counter(
            "baznashr_snapshot_failures_total", "Snapshots that could not be written.", registry=registry
        )
        self.backup_seconds = Histogram(
            "baznashr_backup_seconds",
            "Time of one backup taken by the server, in seconds.",
            buckets=_LONG_SECONDS,
            registry=registry,
        )
        self.backup_failures = Counter(
            "baznashr_backup_failures_total", "Backups that could not be taken by the server.", registry=registry
        )
