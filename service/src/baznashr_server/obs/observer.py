"""Turns what the engine reports into metrics."""

from __future__ import annotations

from baznashr.types import Judgement, Verdict
from baznashr_server.obs.metrics import EngineMetrics


class MetricsObserver:
    """The engine's observer; called from the engine's threads."""

    def __init__(self, metrics: EngineMetrics) -> None:
        self._metrics = metrics

    def stage(self, name: str, seconds: float) -> None:
        self._metrics.stages.labels(name).observe(seconds)

    def judged(self, judgement: Judgement) -> None:
        self._metrics.verdicts.labels(judgement.verdict.value).inc()
        if judgement.repeated:
            self._metrics.repeated.inc()
        if judgement.self_repetition.kinds:
            self._metrics.self_repeating.inc()

    def searched(self, candidates: int, verified: int) -> None:
        self._metrics.candidates.observe(candidates)
        self._metrics.verified.observe(verified)

    def committed(self, documents: int, seconds: float) -> None:
        self._metrics.commits.observe(seconds)
        self._metrics.commit_documents.observe(documents)

    def limit_bit(self, limit: str) -> None:
        self._metrics.limits.labels(limit).inc()

    def shadow_differed(self, first: Verdict, second: Verdict) -> None:
        self._metrics.shadow_differences.labels(first.value, second.value).inc()
