"""The dashboard, the rules and the alerts: they read what exists, say what they mean, and do what they say."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import yaml
from prometheus_client import generate_latest

from baznashr.errors import DeadlineExceeded, StoreDamaged, Unavailable
from baznashr.status import trailers_from_error
from baznashr_server.limits import MAX_SNAPSHOT_COPY_BYTES
from baznashr_server.obs.metrics import code_label
from tests.deploy.promql import metric_names

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
PAGE_WRITER = ROOT / "tooling" / "write_metrics_page.py"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "baznashr.json").read_text(encoding="utf-8"))
UNITS = {"short", "reqps", "ops", "s", "bytes", "percentunit"}
FROM_PROMETHEUS = {"up"}
promtool = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(promtool is None, reason="promtool is not on the PATH (Debian: prometheus)")


def rules(name: str) -> list[dict[str, Any]]:
    """Return the rules of a file, in its order."""
    read = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


RULES, ALERTS = rules("rules.yml"), rules("alerts.yml")
RECORDED = {rule["record"] for rule in RULES}
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
by_alert = pytest.mark.parametrize("alert", ALERTS, ids=[alert["alert"] for alert in ALERTS])


def exported() -> dict[str, set[str]]:
    """Return the series that a running server exports, by the family they belong to."""
    families = runpy.run_path(str(PAGE_WRITER))["families"]
    return {family.name: {sample.name for sample in family.samples} for family in families()}


def expressions() -> Iterator[str]:
    """Yield all PromQL of the dashboard, the rules and the alerts."""
    yield from QUERIES
    yield from (rule["expr"] for rule in (*RULES, *ALERTS))


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (a, b) (rate(x_total{c="d e", f=~"g.+"}[5m])) / (h:i:j > 0)', {"x_total", "h:i:j"}),
        ("up == 0 or absent(up) and x offset 5m", {"up", "x"}),
        ("histogram_quantile(0.99, sum by (le) (rate(y_bucket[$__rate_interval]))) * 1e3", {"y_bucket"}),
        ("a / on (b) group_left (c) d", {"a", "d"}),
    ],
)
def test_names_are_read(expression: str, names: set[str]) -> None:
    """Metrics are told from functions, keywords, labels, values and ranges."""
    assert metric_names(expression) == names


def test_everything_read_exists() -> None:
    """Each metric named in the dashboard, the rules and the alerts is exported or recorded."""
    known = set().union(*exported().values()) | RECORDED | FROM_PROMETHEUS
    assert {name for expression in expressions() for name in metric_names(expression)} - known == set()


def test_everything_of_ours_is_shown() -> None:
    """Each metric of the service is on the dashboard, itself or through a rule."""
    seen = {name for expression in expressions() for name in metric_names(expression)}
    ours = {family: names for family, names in exported().items() if family.startswith("baznashr_")}
    assert [family for family, names in ours.items() if not names & seen] == []


def test_every_metric_is_documented() -> None:
    """docs/metrics.md is what the registry gives now."""
    done = subprocess.run([sys.executable, str(PAGE_WRITER), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in exported() if f"`{name}" not in page] == []


def test_rules_are_named_for_what_they_are() -> None:
    """Recording rules are level:metric:operations, the metric's name without its suffix; each is read by something."""
    assert [name for name in RECORDED if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name)] == []
    read = {name for expression in expressions() for name in metric_names(expression)}
    assert RECORDED - read == set()


def test_alerts_are_those_of_the_plan() -> None:
    """Names share a prefix and are told once; the symptoms that callers feel page, and nothing else does."""
    names = [alert["alert"] for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"Baznashr([A-Z][a-z]+)+", name) for name in names)
    assert {alert["alert"] for alert in ALERTS if alert["labels"]["severity"] == "critical"} == {
        "BaznashrDown",
        "BaznashrNotServing",
        "BaznashrReadOnly",
        "BaznashrHighErrorRate",
    }


def test_tables_that_get_no_snapshot_raise_no_alert() -> None:
    """The alert about stale snapshots leaves out tables larger than those that are written while serving, no others."""
    (stale,) = [alert["expr"] for alert in ALERTS if alert["alert"] == "BaznashrSnapshotStale"]
    assert f"baznashr_index_memory_bytes <= {MAX_SNAPSHOT_COPY_BYTES}" in stale


@by_alert
def test_alerts_tell_what_to_do(alert: dict[str, Any]) -> None:
    """An alert waits, has a severity, a summary without values, a description with them, and a runbook that exists."""
    notes = alert["annotations"]
    assert re.fullmatch(r"\d+m", alert["for"])
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert "{{" not in notes["summary"]
    assert "$labels.instance" in notes["description"]
    assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    page = (ROOT / notes["runbook_url"]).read_text(encoding="utf-8")
    assert page.startswith(f"# {alert['alert']}\n")
    assert "**Look**" in page


def test_runbooks_have_alerts() -> None:
    """No runbook is left over from an alert that is gone, and their links lead somewhere."""
    pages = list((ROOT / "docs" / "runbooks").glob("*.md"))
    assert {page.stem for page in pages} == {alert["alert"] for alert in ALERTS}
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))]
    assert links
    assert [(page.name, link) for page, link in links if not (page.parent / link).is_file()] == []


def test_runbooks_say_what_is_seen() -> None:
    """Calls that fail end with the codes that their runbook lists; what runbooks quote is in the sources, or typed."""
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "runbooks").glob("*.md")}
    listed = re.findall(r"^\| `([A-Za-z]+)`", pages["BaznashrHighErrorRate"], re.MULTILINE)
    seen = [trailers_from_error(error("-"))[0] for error in (Unavailable, DeadlineExceeded, StoreDamaged)]
    assert set(listed) == {code_label(grpc.StatusCode[code]) for code in seen}
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "service" / "src").rglob("*.py"))
    quoted = {words for page in pages.values() for words in re.findall(r"`([^`]+)`", page) if " " in words}
    typed = re.compile("(baznashr-server|systemctl|kubectl|docker|curl|openssl|iostat|df|du) ")
    assert [words for words in quoted if words not in sources and not typed.match(words)] == []


@by_alert
def test_alerts_are_tested_both_ways(alert: dict[str, Any]) -> None:
    """The rule tests have a time at which the alert fires and one at which it does not."""
    cases = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text(encoding="utf-8"))["tests"]
    expected = [bool(t["exp_alerts"]) for c in cases for t in c["alert_rule_test"] if t["alertname"] == alert["alert"]]
    assert set(expected) == {True, False}


def run_promtool(*arguments: str | Path) -> str:
    """Run promtool, which must be content, and return what it prints.

    It is asked up to three times: on the same files it fails once in ten runs, more often on a busy machine, and what
    is wrong with them fails every time.
    """
    assert promtool is not None
    for _ in range(3):
        done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_accepts_the_metrics() -> None:
    """Names, types and help of everything exported follow the conventions that promtool knows."""
    registry = SimpleNamespace(collect=runpy.run_path(str(PAGE_WRITER))["families"])
    assert promtool is not None
    done = subprocess.run(
        [promtool, "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@needs_promtool
def test_promtool_accepts_config_and_rules() -> None:
    """The configuration of Prometheus and all rules are sound."""
    assert f"{len(ALERTS)} rules found" in run_promtool("check", "config", PROMETHEUS / "prometheus.yml")
    run_promtool("check", "rules", "--lint=all", "--lint-fatal", PROMETHEUS / "rules.yml", PROMETHEUS / "alerts.yml")


@needs_promtool
def test_promtool_proves_rules_and_alerts() -> None:
    """Rules give, and alerts do, what the rule tests say; each recording rule is among them."""
    files = sorted((PROMETHEUS / "tests").glob("*.yml"))
    run_promtool("test", "rules", *files)
    tested = (PROMETHEUS / "tests" / "rules.yml").read_text(encoding="utf-8")
    assert [name for name in RECORDED if name not in tested] == []


@needs_promtool
def test_promtool_reads_the_panels(tmp_path: Path) -> None:
    """Every query of the dashboard is PromQL."""
    filled = [
        query.replace("$__rate_interval", "5m").replace("$job", "baznashr").replace("$instance", ".+")
        for query in QUERIES
    ]
    assert not [query for query in filled if "$" in query]
    made = [{"record": f"panel:query:number_{place}", "expr": query} for place, query in enumerate(filled)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}), encoding="utf-8")
    run_promtool("check", "rules", file)


def test_the_dashboard_is_portable() -> None:
    """Its uid is fixed, and its data source, job and instances are chosen by the reader."""
    assert DASHBOARD["uid"] == "baznashr"
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "job", "instance"]
    sources = {panel["datasource"]["uid"] for panel in PANELS}
    sources |= {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]}
    assert sources == {"${datasource}"}


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_panels_explain_themselves(panel: dict[str, Any]) -> None:
    """A panel has a unit, a description and a legend, chooses by job, and takes rates over the interval of the view."""
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["description"].endswith(".")
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["legendFormat"]
        assert 'job="$job",instance=~"$instance"' in target["expr"]
        assert set(re.findall(r"\[([^\]]*)\]", re.sub(r'"[^"]*"', "", target["expr"]))) <= {"$__rate_interval"}


def test_panels_do_not_overlap() -> None:
    """Each place of the grid belongs to one panel at most."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + dx, grid["y"] + dy) for dx in range(grid["w"]) for dy in range(grid["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
