"""Writes docs/metrics.md from the metrics that the server exports.

Usage: python tooling/write_metrics_page.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from prometheus_client import Metric

from baznashr_server.obs.census import CensusCollector
from baznashr_server.obs.metrics import Metrics
from baznashr_server.obs.sizes import OTHERS, SizesCollector
from baznashr_server.obs.storage import StorageCollector
from baznashr_server.rpc.health import Health
from baznashr_server.rpc.methods import METHODS, SERVICES

TARGET = Path(__file__).parent.parent / "docs/metrics.md"

PREFACE = f"""# Metrics

<!-- Written by tooling/write_metrics_page.py; run it after a change of the metrics. -->

What the server exports at `http://METRICS/metrics` (`--metrics`, by default 127.0.0.1:9464, plain HTTP, no article text
and no document id). Every series with a known set of labels exists at zero from the start. Corpora are exported by name
where `--metrics-corpora` lists them; all others are one series, `{OTHERS}`. The sizes of the index appear once the
store is open. A histogram has `_bucket`, `_sum` and `_count`. [Operations](operations.md) says what to watch.
"""
SECTIONS = {
    "The service": "baznashr_",
    "Calls": "grpc_",
    "The process": ("process_", "python_"),
}


def families() -> list[Metric]:
    """Return every family that a running server exports."""
    metrics = Metrics()
    metrics.rpc.declare(METHODS.values())
    Health(SERVICES, metrics.serving)
    for collector in (
        SizesCollector(dict, ("default",)),
        StorageCollector(None),
        CensusCollector(dict, ("default",), 1),
    ):
        metrics.registry.register(collector)
    return sorted(metrics.registry.collect(), key=lambda family: family.name)


def exported_name(family: Metric) -> str:
    """Return the name as it is scraped: a counter's has its suffix."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels(family: Metric) -> list[str]:
    return list(dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le"))


def page() -> str:
    parts = [PREFACE]
    for title, prefix in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
        for family in families():
            if family.name.startswith(prefix):
                named = ", ".join(f"`{label}`" for label in labels(family))
                meaning = family.documentation.removesuffix(".")
                parts.append(f"| `{exported_name(family)}` | {family.type} | {named} | {meaning} |\n")
    return "".join(parts)


def main() -> int:
    fresh = page()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(fresh, encoding="utf-8")
        return 0
    if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != fresh:
        print(f"{TARGET.name} is stale: run tooling/write_metrics_page.py and commit the result.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
