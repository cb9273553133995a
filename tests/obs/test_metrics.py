"""Metrics: names, zeros, and bounded series."""

import re
import time

import grpc
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from baznashr.status import REASONS
from baznashr.types import Judgement, RepetitionKind, SelfRepetition, Span, Verdict
from baznashr_server.engine.observer import LIMITS, STAGES, Written
from baznashr_server.obs.calls import CALL_STAGES
from baznashr_server.obs.metrics import LEVELS, OTHER_REASON, REFUSALS, START_PHASES, Metrics, code_label
from baznashr_server.obs.observer import MetricsObserver
from baznashr_server.obs.sizes import OTHERS, SizesCollector

OURS = re.compile(r"baznashr_[a-z_]+|grpc_server_[a-z_]+|process_[a-z_]+|python_info")


def size(documents: float = 0, largest_bucket: float = 0) -> dict[str, float]:
    return {
        "documents": documents,
        "indexed": documents,
        "memory_bytes": 1.0,
        "largest_bucket": largest_bucket,
        "dropped_postings": documents,
        "boilerplate_passages": documents,
        "snapshot_time": documents,
    }


def test_names_follow_the_conventions() -> None:
    """Own metrics are prefixed, and counters end in _total; nothing carries a creation time."""
    metrics = Metrics()
    for family in metrics.registry.collect():
        assert OURS.fullmatch(family.name), family.name
        if not family.name.startswith(("process_", "python_")):
            assert family.documentation.endswith("."), family.name
    assert "_created" not in generate_latest(metrics.registry).decode()


def test_two_servers_in_one_process_do_not_share_metrics() -> None:
    """Each has its own registry."""
    one, other = Metrics(), Metrics()
    one.calls.refused.inc()
    assert other.registry.get_sample_value("baznashr_calls_refused_total") == 0


def test_known_labels_exist_at_zero() -> None:
    """Every verdict, stage and limit has a series before it first occurs."""
    read = Metrics().registry.get_sample_value
    assert [read("baznashr_verdicts_total", {"verdict": verdict.value}) for verdict in Verdict] == [0] * len(Verdict)
    assert STAGES
    assert [read("baznashr_stage_duration_seconds_count", {"stage": stage}) for stage in STAGES] == [0] * len(STAGES)
    assert LIMITS
    assert [read("baznashr_limit_hits_total", {"limit": limit}) for limit in LIMITS] == [0] * len(LIMITS)
    assert [read(f"baznashr_candidates{of}_count") for of in ("", "_verified")] == [0, 0]
    assert [read("baznashr_calls_slow_total", {"stage": stage}) for stage in CALL_STAGES] == [0] * len(CALL_STAGES)
    assert [read("baznashr_refusals_total", {"reason": reason}) for reason in REFUSALS] == [0] * len(REFUSALS)
    assert [read("baznashr_log_lines_total", {"level": level}) for level in LEVELS] == [0] * len(LEVELS)
    assert [read("baznashr_start_seconds", {"phase": phase}) for phase in START_PHASES] == [0] * len(START_PHASES)


def test_refusals_have_the_reasons_of_the_contract() -> None:
    """Each reason with an exception of its own is counted by name where the server can give it; others are OTHER."""
    only_offline = {"MESSAGE_TOO_LARGE", "PROFILE_MISMATCH"}  # gRPC's own, and of a start that fails
    assert set(REASONS) - set(REFUSALS) == only_offline
    metrics = Metrics()
    metrics.calls.refuse("EMPTY_TEXT")
    metrics.calls.refuse("")
    metrics.calls.refuse("as a caller might invent")
    read = metrics.registry.get_sample_value
    assert read("baznashr_refusals_total", {"reason": "EMPTY_TEXT"}) == 1
    assert read("baznashr_refusals_total", {"reason": OTHER_REASON}) == 2


def test_codes_are_named_as_the_ecosystem_names_them() -> None:
    """The labels are those of grpc-go, which dashboards and rules use."""
    assert {code_label(code) for code in grpc.StatusCode} == {
        *("OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"),
        *("PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"),
        *("Internal", "Unavailable", "DataLoss", "Unauthenticated"),
    }


def test_what_the_engine_reports_is_counted() -> None:
    """Each report of the engine moves its own metric."""
    metrics = Metrics()
    observer = MetricsObserver(metrics.engine)
    doubled = SelfRepetition(0.5, (RepetitionKind.WHOLE_TEXT,), (Span(1, 2),))
    observer.judged(Judgement(Verdict.EXACT, repeated=True, reason="R", self_repetition=doubled))
    observer.judged(Judgement(Verdict.NEW, repeated=False, reason="R"))
    observer.committed(3, 0.01)
    observer.stage(STAGES[0], 0.001)
    observer.limit_bit(LIMITS[0])
    observer.searched(16, 3)
    observer.shadow_differed(Verdict.NEW, Verdict.OVERLAP)
    observer.written(Written(0.5, 0.1, 0.1, 0.1))
    observer.expired(7)
    observer.snapshot(0.2, written=True)
    observer.snapshot(0.1, written=False)
    observer.backup(2.0, taken=False)
    read = metrics.registry.get_sample_value
    assert read("baznashr_verdicts_total", {"verdict": "EXACT"}) == 1
    assert read("baznashr_verdicts_total", {"verdict": "NEW"}) == 1
    assert read("baznashr_repeated_total") == 1
    assert read("baznashr_self_repeating_total") == 1
    assert read("baznashr_commit_seconds_count") == 1
    assert read("baznashr_commit_documents_sum") == 3
    assert read("baznashr_stage_duration_seconds_count", {"stage": STAGES[0]}) == 1
    assert read("baznashr_limit_hits_total", {"limit": LIMITS[0]}) == 1
    assert (read("baznashr_candidates_count"), read("baznashr_candidates_sum")) == (1, 16)
    assert (read("baznashr_candidates_verified_count"), read("baznashr_candidates_verified_sum")) == (1, 3)
    assert read("baznashr_shadow_differences_total", {"verdict": "NEW", "shadow_verdict": "OVERLAP"}) == 1
    assert read("baznashr_shadow_differences_total", {"verdict": "OVERLAP", "shadow_verdict": "NEW"}) == 0
    assert read("baznashr_writes_wait_seconds_sum") == 0.5
    assert read("baznashr_expired_documents_total") == 7
    assert time.time() - (read("baznashr_last_expiry_timestamp_seconds") or 0) < 60
    assert (read("baznashr_snapshot_seconds_count"), read("baznashr_snapshot_failures_total")) == (2, 1)
    assert (read("baznashr_backup_seconds_sum"), read("baznashr_backup_failures_total")) == (2, 1)


@given(st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True), st.integers(0, 9), max_size=20))
def test_series_are_bounded_and_sum_up(documents: dict[str, int]) -> None:
    """However many corpora there are, only the named ones have series of their own, and nothing is lost."""
    registry = CollectorRegistry()
    sizes = {corpus: size(number, number) for corpus, number in documents.items()}
    registry.register(SizesCollector(lambda: sizes, ["default", "news"]))
    families = {family.name: family.samples for family in registry.collect()}
    labels = {sample.labels["corpus"] for sample in families["baznashr_index_documents"]}
    assert labels == {"default", "news", OTHERS}
    for name in ("documents", "dropped_postings", "boilerplate_passages"):
        assert sum(sample.value for sample in families[f"baznashr_index_{name}"]) == sum(documents.values())
    largest = max(sample.value for sample in families["baznashr_index_largest_bucket_entries"])
    assert largest == max(documents.values(), default=0)
    assert families["baznashr_corpora"][0].value == len(documents)
