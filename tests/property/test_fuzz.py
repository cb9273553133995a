"""Whatever bytes and values come: the decoder, the validators and the server answer with errors of the contract.

The short form runs the same examples each time; `make fuzz` seeks new ones for as long as it is told to.
"""

import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baznashr import types, wire
from baznashr.errors import BaznashrError, InvalidArgument
from baznashr.v1 import admin_service_pb2, check_service_pb2, cluster_pb2, corpus_pb2, document_pb2, judgement_pb2
from baznashr_server.engine.observer import Silence
from baznashr_server.engine.prepared import prepare_document
from baznashr_server.engine.validation import check_corpus_name, check_override, check_policy, check_window
from baznashr_server.rpc.methods import METHODS
from tests.contract import strategies
from tests.support.server import ServerProcess, serving

pytestmark = pytest.mark.timeout(3600)

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20000"))
"""Of each test in the long form."""
TEXT = "انبار مرکزی غله استان با ظرفیت سی هزار تن پس از دو سال کار ساختمانی آماده پذیرش گندم کشاورزان شد."
READERS: dict[type[Message], Callable[[Any], object]] = {
    document_pb2.Document: wire.document_from_message,
    document_pb2.StoredDocument: wire.stored_document_from_message,
    check_service_pb2.CheckItem: wire.check_item_from_message,
    check_service_pb2.CompareItem: wire.compare_item_from_message,
    admin_service_pb2.ServerStatus: wire.server_status_from_message,
    admin_service_pb2.Backup: wire.backup_from_message,
    cluster_pb2.Cluster: wire.cluster_from_message,
    cluster_pb2.Override: wire.override_from_message,
    corpus_pb2.Policy: wire.policy_from_message,
    corpus_pb2.Corpus: wire.corpus_from_message,
    corpus_pb2.CorpusStats: wire.corpus_stats_from_message,
    corpus_pb2.Boilerplate: wire.boilerplate_from_message,
    corpus_pb2.ShadowDifference: wire.shadow_difference_from_message,
    judgement_pb2.Judgement: wire.judgement_from_message,
}
odd_texts = st.text(max_size=400) | st.text(alphabet="آبپ\u200c\u200f\u0640\u064e ۱۲٫٬,.\0\n\ud800", max_size=200)
whole_documents = st.builds(
    types.Document,
    id=odd_texts,
    text=odd_texts | odd_texts.map(lambda text: text * 300),
    title=odd_texts,
    source=odd_texts,
    url=odd_texts,
    published_at=st.none() | st.datetimes() | strategies.times,
    labels=st.dictionaries(odd_texts, odd_texts, max_size=40),
)


def fuzz(test: Callable[[Any], None], examples: st.SearchStrategy[Any], *, long: bool, short: int) -> None:
    """Run *test* on many examples."""
    settings(
        max_examples=EXAMPLES if long else short,
        derandomize=not long,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(given(examples)(test))()


def refusal(function: Callable[[Any], object], value: object) -> BaznashrError | None:
    """Return the error of ours that the call ends with; None where it returns. Any other error is raised."""
    try:
        function(value)
    except BaznashrError as error:
        return error
    return None


def mutated(messages: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return bytes that are nearly a message: some are changed, taken out, doubled or put in."""

    def spoil(parts: tuple[bytes, int]) -> bytes:
        data, seed = bytearray(parts[0]), parts[1]
        rng = Random(seed)
        for _ in range(rng.randint(0, 4)):
            at = rng.randint(0, len(data))
            match rng.randrange(4):
                case 0:
                    data[at:at] = rng.randbytes(rng.randint(1, 4))
                case 1:
                    del data[at : at + rng.randint(1, 4)]
                case 2:
                    data[at : at + 1] = bytes([rng.randrange(256)])
                case _:
                    data[at:at] = data[: rng.randint(0, 8)]
        return bytes(data)

    return st.tuples(messages, st.integers(0, 2**32)).map(spoil)


nearly_documents = mutated(strategies.documents.map(lambda one: wire.document_to_message(one).SerializeToString()))
nearly_judgements = mutated(strategies.judgements.map(lambda one: wire.judgement_to_message(one).SerializeToString()))


def test_the_decoder_takes_any_bytes(long: bool) -> None:
    """Bytes are no message, or the message is read, or it is refused with an error of ours; nothing else happens."""

    def decode(data: bytes) -> None:
        for kind, read in READERS.items():
            try:
                message = kind.FromString(data)
            except DecodeError:
                continue
            refused = refusal(read, message)
            assert refused is None or refused.reason

    fuzz(decode, st.binary(max_size=200) | nearly_documents | nearly_judgements, long=long, short=150)


def test_validators_take_any_values(long: bool) -> None:
    """A document is prepared or refused as the caller's fault, by a field that it has."""

    def prepare(document: types.Document) -> None:
        refused = refusal(lambda one: prepare_document(one, Silence()).body, document)
        if refused is not None:
            assert isinstance(refused, InvalidArgument)
            assert refused.field.split("[")[0].split(".")[0] in {"", *types.Document.__dataclass_fields__}

    fuzz(prepare, whole_documents, long=long, short=100)


def test_validators_of_the_rest(long: bool) -> None:
    """Names, windows, policies and overrides too."""

    def check(values: tuple[str, int, types.Policy, types.Override]) -> None:
        name, days, policy, override = values
        for validate, value in (
            (check_corpus_name, name),
            (check_window, days),
            (check_policy, policy),
            (check_override, override),
        ):
            refused = refusal(validate, value)
            assert refused is None or (isinstance(refused, InvalidArgument) and refused.reason)

    rest = st.tuples(odd_texts, st.integers(-(2**70), 2**70), strategies.policies, strategies.overrides)
    fuzz(check, rest, long=long, short=50)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on an empty folder."""
    with serving(tmp_path_factory.mktemp("fuzzed") / "data") as running:
        yield running


def test_a_server_takes_any_bytes(server: ServerProcess, long: bool) -> None:
    """On every method: it refuses or answers, never by an error of its own, and serves as before afterwards."""
    unary = sorted(path for path, method in METHODS.items() if method.type == "unary")
    own = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS"}
    with grpc.insecure_channel(server.listen) as channel:
        calls = {path: channel.unary_unary(path) for path in unary}

        def send(parts: tuple[str, bytes, bool]) -> None:
            path, data, is_field = parts
            framed = b"\x12" + _varint(len(data)) + data if is_field else data
            answered = calls[path].future(framed, timeout=30)
            assert answered.code().name not in own, (path, framed, answered.details())

        anything = st.binary(max_size=300) | nearly_documents | nearly_judgements
        fuzz(send, st.tuples(st.sampled_from(unary), anything, st.booleans()), long=long, short=150)
        text = check_service_pb2.CheckItem(text=TEXT)
        calls["/baznashr.v1.CheckService/CheckText"](check_service_pb2.CheckTextRequest(item=text).SerializeToString())
    assert not [event for event in server.events() if event["event"] == "internal error"]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
