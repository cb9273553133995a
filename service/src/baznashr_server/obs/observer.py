"""Turns what the engine reports into metrics, and into what the call it was for spent its time on."""

from __future__ import annotations

from baznashr.types import Judgement, Verdict
from baznashr_server.engine.observer import STAGES, Written
from baznashr_server.obs import calls
from baznashr_server.obs.metrics import EngineMetrics


class MetricsObserver:
    """The engine's observer; called from the engine's threads, several times for each document."""

    def __init__(self, metrics: EngineMetrics) -> None:
        self._metrics = metrics
        # Looked up once: finding a series by its labels takes as long as changing it.
        self._stages = {name: metrics.stages.labels(name) for name in STAGES}
        self._verdicts = {verdict: metrics.verdicts.labels(verdict.value) for verdict in Verdict}

    def stage(self, name: str, seconds: float) -> None:
        self._stages[name].observe(seconds)
        calls.add(name, seconds)

    def judged(self, judgement: Judgement) -> None:
        self._verdicts[judgement.verdict].inc()
        if judgement.repeated:
            self._metrics.repeated.inc()
        if judgement.self_repetition.kinds:
            self._metrics.self_repeating.inc()

    def searched(self, candidates: int, verified: int) -> None:
        self._metrics.candidates.observe(candidates)
        self._metrics.verified.observe(verified)

    def committed(self, documents: int, seconds: float) -> None:
        self._metrics.writes.commits.observe(seconds)
        self._metrics.writes.commit_documents.observe(documents)

    def written(self, times: Written) -> None:
        self._metrics.writes.write_wait_seconds.observe(times.waited)
        calls.add_written(times)

    def limit_bit(self, limit: str) -> None:
        self._metrics.limits.labels(limit).inc()

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        self._metrics.shadow_differences.labels(first.value, second.value).inc()

    def expired(self, documents: int) -> None:
        self._metrics.upkeep.expired.inc(documents)
        self._metrics.upkeep.last_expiry.set_to_current_time()

    def snapshot(self, seconds: float, *, written: bool) -> None:
        self._metrics.upkeep.snapshot_seconds.observe(seconds)
        if not written:
            self._metrics.upkeep.snapshot_failures.inc()

    def backup(self, seconds: float, *, taken: bool) -> None:
        self._metrics.upkeep.backup_seconds.observe(seconds)
        if not taken:
            self._metrics.upkeep.backup_failures.inc()
