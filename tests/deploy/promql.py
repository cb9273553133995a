"""Reads the metric names out of PromQL."""

import re

WORDS = frozenset({"offset", "and", "or", "unless", "bool", "inf", "nan"})


def metric_names(expression: str) -> set[str]:
    """Return the names of the metrics that *expression* reads: words that are no function, keyword or label."""
    bare = re.sub(r'"(\\.|[^"\\])*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)
    return {word for word in words if word.lower() not in WORDS}
