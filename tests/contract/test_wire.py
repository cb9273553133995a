"""Conversion between the public types and the messages of the contract."""

import copy
import dataclasses
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from baznashr import errors, types, wire
from baznashr.v1 import admin_service_pb2, check_service_pb2, cluster_pb2, corpus_pb2, document_pb2, judgement_pb2
from tests.contract import strategies

VALUES = {
    "document": strategies.documents,
    "check_item": strategies.texts | strategies.documents,
    "compare_item": strategies.texts | strategies.documents | strategies.stored_ids,
    "judgement": strategies.judgements,
    "stored_document": strategies.stored_documents,
    "cluster": strategies.clusters,
    "override": strategies.overrides,
    "policy": strategies.policies,
    "corpus": strategies.corpora,
    "boilerplate": strategies.boilerplate,
    "corpus_stats": strategies.corpus_stats,
    "shadow_difference": strategies.shadow_differences,
    "server_status": strategies.server_statuses,
    "backup": strategies.backups,
}


@pytest.mark.parametrize("name", VALUES)
@given(data=st.data())
def test_values_survive_the_wire(name, data):
    """Every value of every public type comes back equal from the bytes of its message."""
    value = data.draw(VALUES[name])
    message = getattr(wire, f"{name}_to_message")(value)
    received = type(message).FromString(message.SerializeToString())
    assert getattr(wire, f"{name}_from_message")(received) == value


@pytest.mark.parametrize(
    "message",
    [
        document_pb2.Document,
        document_pb2.StoredId,
        document_pb2.StoredDocument,
        judgement_pb2.Span,
        judgement_pb2.MatchedSpan,
        judgement_pb2.NumberChange,
        judgement_pb2.Match,
        judgement_pb2.SelfRepetition,
        judgement_pb2.Judgement,
        cluster_pb2.ClusterMember,
        cluster_pb2.Cluster,
        cluster_pb2.Override,
        corpus_pb2.Thresholds,
        corpus_pb2.Policy,
        corpus_pb2.Corpus,
        corpus_pb2.CorpusStats,
        corpus_pb2.Boilerplate,
        corpus_pb2.ShadowDifference,
        admin_service_pb2.ServerStatus,
    ],
    ids=lambda message: message.DESCRIPTOR.name,
)
def test_types_and_messages_have_the_same_fields(message):
    """A public type and its message hold fields of the same names."""
    kind = getattr(types, message.DESCRIPTOR.name)
    assert {field.name for field in dataclasses.fields(kind)} == set(message.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("labels", [{}, {"labels": {"desk": "sport"}}], ids=str)
def test_documents_go_where_values_go(labels):
    """A document, with labels or without, can be copied (as for another process), made a dictionary, put into a set."""
    document = types.Document("a", "خبر", **labels)
    assert copy.deepcopy(document) == document
    assert types.Document(**dataclasses.asdict(document)) == document
    assert {document} == {types.Document("a", "خبر", **labels)}


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (types.Verdict, judgement_pb2.Verdict, "VERDICT"),
        (types.RepetitionKind, judgement_pb2.RepetitionKind, "REPETITION_KIND"),
        (types.IndexPolicy, corpus_pb2.IndexPolicy, "INDEX_POLICY"),
        (types.OverrideKind, cluster_pb2.OverrideKind, "OVERRIDE_KIND"),
    ],
)
def test_enums_are_the_same_on_both_sides(ours, theirs, prefix):
    """Every member has its value in the contract in the same order, after UNSPECIFIED, and no other value exists."""
    assert theirs.keys() == [f"{prefix}_UNSPECIFIED", *(f"{prefix}_{member.name}" for member in ours)]
    assert list(theirs.values()) == list(range(len(ours) + 1))


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"text": "خبر\ud800"}, errors.InvalidText, "text"),
        ({"id": "\udfff"}, errors.InvalidDocument, "id"),
        ({"title": "\ud83d"}, errors.InvalidDocument, "title"),
        ({"source": "\ud83d"}, errors.InvalidDocument, "source"),
        ({"url": "\ud83d"}, errors.InvalidDocument, "url"),
        ({"labels": {"a": "\ud83d"}}, errors.InvalidDocument, "labels"),
        ({"labels": {"\ud83d": "a"}}, errors.InvalidDocument, "labels"),
        ({"published_at": datetime(2024, 5, 1)}, errors.InvalidDocument, "published_at"),  # noqa: DTZ001
    ],
)
def test_documents_that_cannot_travel_are_refused_by_field(values, error, field):
    """A lone surrogate or a naive time raises the public error that names the field."""
    document = types.Document(**({"id": "a", "text": "خبر"} | values))
    with pytest.raises(error) as caught:
        wire.document_to_message(document)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "error", "reason", "field", "found"),
    [
        ({"text": 5}, errors.InvalidText, "MALFORMED_TEXT", "text", "int"),
        ({"text": None}, errors.InvalidText, "MALFORMED_TEXT", "text", "NoneType"),
        ({"text": b"a"}, errors.InvalidText, "MALFORMED_TEXT", "text", "bytes"),
        ({"id": 7}, errors.InvalidDocument, "INVALID_DOCUMENT_ID", "id", "int"),
        ({"title": ["a"]}, errors.InvalidDocument, "INVALID_FIELD", "title", "list"),
        ({"source": 1.5}, errors.InvalidDocument, "INVALID_FIELD", "source", "float"),
        ({"url": True}, errors.InvalidDocument, "INVALID_FIELD", "url", "bool"),
        ({"labels": {"a": 5}}, errors.InvalidDocument, "INVALID_FIELD", "labels", "int"),
        ({"labels": {"a": None}}, errors.InvalidDocument, "INVALID_FIELD", "labels", "NoneType"),
        ({"labels": 5}, errors.InvalidDocument, "INVALID_FIELD", "labels", "int"),
        ({"labels": "abc"}, errors.InvalidDocument, "INVALID_FIELD", "labels", "str"),
        ({"labels": None}, errors.InvalidDocument, "INVALID_FIELD", "labels", "NoneType"),
        ({"published_at": "2024-05-01"}, errors.InvalidDocument, "INVALID_PUBLISHED_AT", "published_at", "str"),
        ({"published_at": 0}, errors.InvalidDocument, "INVALID_PUBLISHED_AT", "published_at", "int"),
    ],
)
def test_values_of_a_wrong_type_are_refused_by_field(values, error, reason, field, found):
    """What a field cannot carry raises the public error that names the field and the type that was found."""
    document = types.Document(**({"id": "a", "text": "خبر"} | values))
    for convert in (wire.document_to_message, wire.check_item_to_message):
        with pytest.raises(error, match=f"The value must be a .*, not {found}") as caught:
            convert(document)
        assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_surrogate_pair_in_two_code_points_is_no_character():
    """Two surrogates in a row do not pass as the character that they would make in UTF-16."""
    with pytest.raises(errors.InvalidText):
        wire.check_item_to_message("\ud83d\ude00")


@pytest.mark.parametrize(
    ("convert", "value", "field"),
    [
        (wire.override_to_message, types.Override("a1", 5), "kind"),
        (wire.override_to_message, types.Override("a1", []), "kind"),
        (wire.override_to_message, types.Override("a1", "REPEAT"), "kind"),
        (wire.policy_to_message, types.Policy(index_policy="SOME"), "index_policy"),
        (wire.policy_to_message, types.Policy(repeated_verdicts=("OTHER",)), "repeated_verdicts"),
    ],
)
def test_what_is_no_member_is_refused_by_field(convert, value, field):
    """A value that is no member of its field's enum raises the public error that names both."""
    with pytest.raises(errors.InvalidArgument, match=" is no ") as caught:
        convert(value)
    assert (caught.value.reason, caught.value.field) == ("INVALID_FIELD", field)


def test_a_threshold_that_is_no_number_is_refused_by_field():
    """The error names the threshold, the number that it asks for, and the type that was found."""
    policy = types.Policy(thresholds=types.Thresholds(covered="0.8"))
    with pytest.raises(errors.InvalidArgument, match="must be a number, not str") as caught:
        wire.policy_to_message(policy)
    assert (caught.value.reason, caught.value.field) == ("INVALID_FIELD", "covered")


def test_a_wrong_type_is_named():
    """What is neither a text nor a Document is a TypeError that says so."""
    with pytest.raises(TypeError, match="not int"):
        wire.check_item_to_message(5)
    with pytest.raises(TypeError, match="A Document is asked for, not str"):
        wire.document_to_message("خبر")


@pytest.mark.parametrize(
    ("seconds", "nanos", "what"),
    [
        (2**62, 0, "years 1 to 9999"),
        (-(2**62), 0, "years 1 to 9999"),
        (253_402_300_800, 0, "years 1 to 9999"),
        (0, -1, "nanoseconds"),
        (0, 1_000_000_000, "nanoseconds"),
    ],
)
def test_times_outside_the_calendar_are_refused(seconds, nanos, what):
    """A timestamp that no datetime can hold is an error that says what of it is wrong, never a Python OverflowError."""
    message = document_pb2.Document(id="a", text="خبر", published_at=Timestamp(seconds=seconds, nanos=nanos))
    with pytest.raises(errors.InvalidDocument, match=what) as caught:
        wire.document_from_message(message)
    assert (caught.value.reason, caught.value.field) == ("INVALID_PUBLISHED_AT", "published_at")


@given(st.datetimes(timezones=st.timezones()))
def test_times_travel_as_utc(time):
    """A time of any zone arrives as the same instant in UTC, to the microsecond, or is refused by name."""
    message = wire.document_to_message(types.Document(id="a", text="خبر", published_at=time))
    try:
        received = wire.document_from_message(message).published_at
    except errors.InvalidDocument:
        assert not 2 <= time.year <= 9998
    else:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        assert received - epoch == time - epoch
        assert received.tzinfo == UTC


@pytest.mark.parametrize(
    ("read", "message", "field"),
    [
        (wire.check_item_from_message, check_service_pb2.CheckItem(), ""),
        (wire.compare_item_from_message, check_service_pb2.CompareItem(), ""),
        (wire.override_from_message, cluster_pb2.Override(document_id="a"), "kind"),
        (wire.override_from_message, cluster_pb2.Override(document_id="a", kind=99), "kind"),
        (wire.policy_from_message, corpus_pb2.Policy(index_policy=99), "index_policy"),
        (
            wire.policy_from_message,
            corpus_pb2.Policy(repeated_verdicts=corpus_pb2.VerdictSet(verdicts=[99])),
            "repeated_verdicts",
        ),
        (wire.judgement_from_message, judgement_pb2.Judgement(), "verdict"),
        (wire.stored_document_from_message, document_pb2.StoredDocument(judgement={"verdict": 1}), "arrived_at"),
    ],
)
def test_what_no_release_sends_is_refused(read, message, field):
    """Missing content and enum values that nobody knows are errors with a reason and a field."""
    with pytest.raises(errors.InvalidArgument) as caught:
        read(message)
    assert (caught.value.reason, caught.value.field) == ("INVALID_FIELD", field)


def test_an_unset_policy_is_the_default_one():
    """What a caller leaves out of a policy takes its default, and an empty set of verdicts stays empty."""
    assert wire.policy_from_message(corpus_pb2.Policy()) == types.Policy()
    strict = corpus_pb2.Policy(thresholds=corpus_pb2.Thresholds(covered=1, template=0))
    assert wire.policy_from_message(strict) == types.Policy(thresholds=types.Thresholds(covered=1, template=0))
    none_repeated = corpus_pb2.Policy(repeated_verdicts=corpus_pb2.VerdictSet())
    assert wire.policy_from_message(none_repeated) == types.Policy(repeated_verdicts=())
    assert wire.corpus_name("") == types.DEFAULT_CORPUS
