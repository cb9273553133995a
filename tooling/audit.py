"""Asks whether a vulnerability is known of any locked dependency of the two packages, their extras included.

Usage: python tooling/audit.py

Status 0: all were looked up, and nothing is known. 1: something is. 75: the sources could not be asked, of all or of
some, so nothing is known of those; try again where PyPI's JSON API (pypi.org/pypi/NAME/json) or OSV can be reached.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SOURCES = ("pypi", "osv")
"""In this order; the next is asked where one cannot be."""
WAIT_SECONDS = 300
CLEAN, VULNERABLE, NOT_ASKED = 0, 1, os.EX_TEMPFAIL


@dataclass
class Answer:
    """What a source said."""

    asked: int = 0
    known: list[str] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "requirements.txt"
        try:
            export(locked)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"audit: uv could not list the dependencies: {error}", file=sys.stderr)
            return NOT_ASKED
        for source in SOURCES:
            answer = ask(source, locked)
            if answer is not None:
                return tell(source, answer)
    print(
        f"audit: none of {', '.join(SOURCES)} could be asked: nothing is known of the dependencies. This is no pass.",
        file=sys.stderr,
    )
    return NOT_ASKED


def export(file: Path) -> None:
    """Write every locked dependency of the packages, with hashes, to *file*."""
    command = [os.environ.get("UV", str(ROOT / ".uv/uv")), "export", "--frozen", "--quiet", "--all-packages"]
    command += ["--all-extras", "--no-default-groups", "--no-emit-workspace", "--output-file", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def ask(source: str, locked: Path) -> Answer | None:
    """Return what *source* says of the dependencies; None where it cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--requirement", str(locked)]
    command += ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"audit: {source} did not answer within {WAIT_SECONDS} s.", file=sys.stderr)
        return None
    try:
        answer = read(json.loads(done.stdout))
    except (ValueError, KeyError):
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"audit: {source} could not be asked: {why:.200}", file=sys.stderr)
        return None
    if not answer.asked:
        print(f"audit: {source} knows none of the {len(answer.not_found)} packages: it is not there.", file=sys.stderr)
        return None
    return answer


def read(report: dict[str, Any]) -> Answer:
    """Read the JSON that pip-audit prints."""
    answer = Answer()
    for package in report["dependencies"]:
        if "skip_reason" in package:
            answer.not_found.append(package["name"])
            continue
        answer.asked += 1
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no release"
            answer.known.append(f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {fixed}")
    return answer


def tell(source: str, answer: Answer) -> int:
    """Print what was answered, and return the status."""
    for line in answer.known:
        print(line)
    print(f"{answer.asked} dependencies looked up at {source}, {len(answer.known)} known vulnerabilities")
    if answer.not_found:
        print(f"audit: not found there, so not looked up: {', '.join(answer.not_found)}", file=sys.stderr)
    if answer.known:
        return VULNERABLE
    return NOT_ASKED if answer.not_found else CLEAN


if __name__ == "__main__":
    raise SystemExit(main())
