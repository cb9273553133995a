"""Policies as JSON."""

from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from baznashr import wire
from baznashr.types import IndexPolicy, Policy, Thresholds, Verdict
from baznashr.v1 import corpus_pb2
from baznashr_server.tune import policies
from baznashr_server.tune.data import TuneError

SHARES = st.floats(0, 1)
POLICIES = st.builds(
    Policy,
    thresholds=st.builds(
        Thresholds, SHARES, SHARES, SHARES, SHARES, SHARES, SHARES, passage_letters=st.integers(0, 10_000)
    ),
    repeated_verdicts=st.lists(st.sampled_from(Verdict), unique=True).map(tuple),
    index_policy=st.sampled_from(IndexPolicy),
    source_ranks=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=3, unique=True
    ).map(tuple),
)


@given(POLICIES)
def test_printed_policies_are_what_the_service_takes(policy: Policy) -> None:
    """What is printed parses as the contract's message and means the same policy."""
    message = json_format.Parse(policies.to_json(policy), corpus_pb2.Policy())
    assert wire.policy_from_message(message) == policy


@given(POLICIES)
def test_printed_policies_are_read_back(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> None:
    """A policy that was pasted into a file is the policy to start from."""
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_text(policies.to_json(policy), encoding="utf-8")
    assert policies.read(path) == policy


def test_what_is_left_out_takes_its_default(tmp_path: Path) -> None:
    """An empty policy is the default one, and one threshold alone changes nothing else."""
    path = tmp_path / "policy.json"
    path.write_text("{}", encoding="utf-8")
    assert policies.read(path) == Policy()
    path.write_text('{"thresholds": {"covered": 0.7}}', encoding="utf-8")
    assert policies.read(path) == Policy(thresholds=Thresholds(covered=0.7))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 200_000,
        "[]",
        '{"treshold": {}}',
        '{"thresholds": {"coverd": 1}}',
        '{"thresholds": {"covered": 2}}',
        '{"thresholds": {"covered": "much"}}',
        '{"repeated_verdicts": {"verdicts": ["SAME"]}}',
        '{"index_policy": 7}',
    ],
)
def test_what_is_no_policy_is_named(tmp_path: Path, text: str) -> None:
    """A slip in a policy is told with the file's name, never passed over."""
    path = tmp_path / "policy.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TuneError, match=f"{path} holds no policy: ."):
        policies.read(path)


def test_changes_are_named() -> None:
    """Only thresholds that differ are named."""
    assert policies.describe_changes(Policy(), Policy(thresholds=Thresholds(covered=0.75))) == "covered 0.8 -> 0.75"
    assert policies.describe_changes(Policy(), Policy(source_ranks=("a",))) == ""
