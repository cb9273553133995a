"""Policies as JSON, in the form of the wire contract's message Policy: what a person pastes into an update."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from baznashr.errors import BaznashrError
from baznashr.types import IndexPolicy, Policy, Thresholds, Verdict
from baznashr_server.engine.validation import check_policy
from baznashr_server.tune.data import TuneError

_VERDICT, _INDEX_POLICY = "VERDICT_", "INDEX_POLICY_"


def to_json(policy: Policy) -> str:
    value = {
        "thresholds": asdict(policy.thresholds),
        "repeated_verdicts": {"verdicts": [f"{_VERDICT}{verdict.name}" for verdict in policy.repeated_verdicts]},
        "index_policy": f"{_INDEX_POLICY}{policy.index_policy.name}",
        "source_ranks": list(policy.source_ranks),
    }
    return json.dumps(value, ensure_ascii=False, indent=2)


def _policy(value: dict[str, Any]) -> Policy:
    default = Policy()
    verdicts, index_policy = value.pop("repeated_verdicts", None), value.pop("index_policy", None)
    policy = Policy(
        thresholds=Thresholds(**value.pop("thresholds", {})),
        repeated_verdicts=default.repeated_verdicts
        if verdicts is None
        else tuple(Verdict[name.removeprefix(_VERDICT)] for name in verdicts["verdicts"]),
        index_policy=default.index_policy
        if index_policy is None
        else IndexPolicy[index_policy.removeprefix(_INDEX_POLICY)],
        source_ranks=tuple(value.pop("source_ranks", ())),
    )
    if value:
        raise KeyError(next(iter(value)))
    check_policy(policy)
    return policy


def read(path: Path) -> Policy:
    """Read a policy as `to_json` writes it; what is left out takes its default.

    Raises:
        TuneError: The file cannot be read, or holds no policy.
    """
    try:
        return _policy(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    except BaznashrError as error:
        raise TuneError(f"{path} holds no policy: {error.message}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TuneError(f"{path} holds no policy: {error}") from None


def describe_changes(old: Policy, new: Policy) -> str:
    """Name the thresholds that differ, as `covered 0.8 -> 0.75`."""
    pairs = [
        (field.name, getattr(old.thresholds, field.name), getattr(new.thresholds, field.name))
        for field in fields(Thresholds)
    ]
    return ", ".join(f"{name} {before:g} -> {after:g}" for name, before, after in pairs if before != after)
