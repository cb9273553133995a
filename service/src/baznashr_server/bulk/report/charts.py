"""The figures, as SVG in the page's own colours, whose text stays text for the browser to shape."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import Any

import vl_convert
from markupsafe import Markup

from baznashr.types import Verdict
from baznashr_server.bulk.report.facts import BINS, Facts
from baznashr_server.bulk.report.words import OTHERS
from baznashr_server.index.bands import candidate_probability

WIDTH = 1000
MOST_SOURCES = 20
MATRIX = 12
"""Sources on each side of the matrix."""
DAYS, MONTHS = 92, 72
"""The longest time told by days; the most months told by months."""
ORDER = [verdict.value for verdict in Verdict]
INK, FAINT = "currentColor", "var(--line)"
Spec = dict[str, Any]
WHOLE: Spec = {"tickMinStep": 1}
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold: the library ends the whole process over a name with one of these."""

CONFIG: Spec = {
    "background": "transparent",
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": FAINT,
        "domainColor": FAINT,
        "tickColor": FAINT,
        "labelLimit": 220,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "orient": "bottom", "columns": 4},
    "text": {"color": INK, "fontSize": 12},
}
COLOUR: Spec = {
    "field": "verdict",
    "type": "nominal",
    "title": None,
    "scale": {"domain": ORDER, "range": [f"var(--{verdict.lower().replace('_', '-')})" for verdict in ORDER]},
}


def warm_up() -> None:
    """Start what draws, which takes a second of another thread's time and none of this one's."""
    bar: Spec = {"data": {"values": [{"x": 1}]}, "mark": "bar", "encoding": {"x": {"field": "x", "type": "nominal"}}}
    vl_convert.vegalite_to_svg(bar)


def _drawable(value: Any) -> Any:
    """Return the same with U+FFFD for characters that cannot be drawn."""
    if isinstance(value, str):
        return NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {name: _drawable(one) for name, one in value.items()}
    return [_drawable(one) for one in value] if isinstance(value, list) else value


def svg(spec: Spec) -> Markup:
    """Draw; the library escapes what the data hold."""
    drawn: str = vl_convert.vegalite_to_svg({**_drawable(spec), "config": CONFIG})
    return Markup(drawn)  # noqa: S704 - made by the library from numbers and escaped names


def _values(rows: list[Spec]) -> Spec:
    return {"values": rows}


def _present(facts: Facts) -> Spec:
    """Return the colours with a legend of the verdicts that occur."""
    found = [verdict for verdict in ORDER if facts.verdicts[verdict]]
    scale = COLOUR["scale"]
    colours = dict(zip(scale["domain"], scale["range"], strict=True))
    return {**COLOUR, "scale": {"domain": found, "range": [colours[verdict] for verdict in found]}}


def verdicts(facts: Facts) -> Markup:
    rows = [
        {"verdict": v, "articles": n, "told": f"{n:,} · {n / max(1, facts.articles):.1%}"}
        for v in ORDER
        if (n := facts.verdicts[v])
    ]
    y = {"field": "verdict", "type": "nominal", "sort": ORDER, "title": None}
    x = {"field": "articles", "type": "quantitative", "title": "articles", "axis": WHOLE}
    bars = {"mark": "bar", "encoding": {"x": x, "y": y, "color": {**_present(facts), "legend": None}}}
    told = {
        "mark": {"type": "text", "align": "left", "dx": 4},
        "encoding": {"x": x, "y": y, "text": {"field": "told"}},
    }
    return svg({"data": _values(rows), "width": WIDTH - 220, "height": {"step": 26}, "layer": [bars, told]})


def largest_sources(facts: Facts, most: int) -> list[tuple[str, int]]:
    """Return sources with their articles, the largest first."""
    totals: Counter[str] = Counter()
    for (source, _), count in facts.sources.items():
        totals[source] += count
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:most]


def sources(facts: Facts) -> Markup:
    named = [source for source, _ in largest_sources(facts, MOST_SOURCES)]
    rows: Counter[tuple[str, str]] = Counter()
    for (source, verdict), count in facts.sources.items():
        rows[source if source in named else OTHERS, verdict] += count
    order = [*named, OTHERS] if any(source == OTHERS for source, _ in rows) else named
    data = [
        {"source": source, "verdict": verdict, "place": ORDER.index(verdict), "articles": count}
        for (source, verdict), count in sorted(rows.items())
    ]
    return svg(
        {
            "data": _values(data),
            "width": WIDTH - 240,
            "height": {"step": 20},
            "mark": "bar",
            "encoding": {
                "x": {"field": "articles", "type": "quantitative", "title": "articles", "axis": WHOLE},
                "y": {"field": "source", "type": "nominal", "sort": order, "title": None},
                "color": _present(facts),
                "order": {"field": "place", "type": "quantitative"},
            },
        }
    )


def step_of(days: list[date]) -> str:
    """Return the length of the periods that a time is told by: day, month or year."""
    span = (max(days) - min(days)).days
    return "day" if span <= DAYS else "month" if span <= MONTHS * 31 else "year"


def over_time(facts: Facts, zone: str) -> Markup | None:
    if not facts.days:
        return None
    step = step_of([day for day, _ in facts.days])
    rows: Counter[tuple[date, str]] = Counter()
    for (day, verdict), count in facts.days.items():
        start = day if step == "day" else day.replace(day=1) if step == "month" else day.replace(month=1, day=1)
        rows[start, verdict] += count
    data = [
        {"from": start.isoformat(), "verdict": verdict, "place": ORDER.index(verdict), "articles": count}
        for (start, verdict), count in sorted(rows.items())
    ]
    unit = {"day": "yearmonthdate", "month": "yearmonth", "year": "year"}[step]
    return svg(
        {
            "data": _values(data),
            "width": WIDTH - 80,
            "height": 220,
            "mark": "bar",
            "encoding": {
                "x": {"field": "from", "type": "temporal", "timeUnit": f"utc{unit}", "title": f"by {step} ({zone})"},
                "y": {"field": "articles", "type": "quantitative", "title": "articles", "axis": WHOLE},
                "color": _present(facts),
                "order": {"field": "place", "type": "quantitative"},
            },
        }
    )


def similarity(facts: Facts) -> Markup | None:
    """Draw how similar the best matches are, and above it how likely the bands alone find such a pair."""
    if not facts.similarities:
        return None
    bars = [
        {"low": i / BINS, "high": (i + 1) / BINS, "verdict": v, "place": ORDER.index(v), "articles": int(count)}
        for v, counts in sorted(facts.similarities.items())
        for i, count in enumerate(counts)
        if count
    ]
    curve = [{"similarity": s / 100, "chance": candidate_probability(s / 100)} for s in range(101)]
    x: Spec = {"type": "quantitative", "title": "Jaccard similarity", "scale": {"domain": [0, 1]}}
    y: Spec = {"type": "quantitative"}
    histogram = {
        "data": _values(bars),
        "mark": "bar",
        "encoding": {
            "x": {**x, "field": "low", "bin": {"binned": True}},
            "x2": {"field": "high"},
            "y": {
                **y,
                "field": "articles",
                "title": "articles with a match",
                "scale": {"type": "symlog"},
                "stack": "zero",
            },
            "color": _present(facts),
            "order": {"field": "place", "type": "quantitative"},
        },
    }
    line = {
        "data": _values(curve),
        "mark": {"type": "line", "color": INK, "strokeDash": [5, 3]},
        "encoding": {
            "x": {**x, "field": "similarity"},
            "y": {**y, "field": "chance", "title": "chance that the bands find it (dashed)", "axis": {"format": "%"}},
        },
    }
    return svg(
        {"width": WIDTH - 120, "height": 240, "layer": [histogram, line], "resolve": {"scale": {"y": "independent"}}}
    )


def flow(facts: Facts) -> Markup | None:
    """Draw the matrix of who republishes whom, the busiest sources of either side."""
    if not facts.flows:
        return None
    takers: Counter[str] = Counter()
    givers: Counter[str] = Counter()
    for (source, origin), count in facts.flows.items():
        takers[source] += count
        givers[origin] += count

    def busiest(counted: Counter[str]) -> list[str]:
        return [name for name, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MATRIX]]

    rows, columns = busiest(takers), busiest(givers)
    cells: Counter[tuple[str, str]] = Counter()
    for (source, origin), articles in facts.flows.items():
        cells[source if source in rows else OTHERS, origin if origin in columns else OTHERS] += articles
    data = [{"by": source, "of": origin, "articles": articles} for (source, origin), articles in sorted(cells.items())]
    axis = {"labelAngle": -40, "orient": "top", "labelOverlap": False}
    x = {"field": "of", "type": "nominal", "sort": [*columns, OTHERS], "title": "first published by", "axis": axis}
    y = {"field": "by", "type": "nominal", "sort": [*rows, OTHERS], "title": "republished by"}
    shades = {"type": "sqrt", "range": [0.08, 0.7]}
    shade = {"field": "articles", "type": "quantitative", "scale": shades, "legend": None}
    cell = {"mark": {"type": "rect", "fill": "var(--accent)"}, "encoding": {"x": x, "y": y, "fillOpacity": shade}}
    told = {"mark": "text", "encoding": {"x": x, "y": y, "text": {"field": "articles", "format": ",d"}}}
    return svg({"data": _values(data), "width": {"step": 46}, "height": {"step": 26}, "layer": [cell, told]})
