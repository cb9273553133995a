"""Every method of both clients against a server that remembers."""

import inspect
from datetime import UTC, datetime

import pytest
from google.protobuf.message_factory import GetMessageClass

from baznashr import AsyncClient, Client, errors, types, wire
from baznashr._rpc import RPCS
from baznashr.v1 import corpus_service_pb2, ingest_service_pb2
from tests.client.stub import JUDGEMENT, METHODS, judge_batch

DOCUMENT = types.Document(id="a1", text="خبر تازه", labels={"desk": "economy"})
NOW = datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
STORED = types.StoredDocument(document=DOCUMENT, judgement=JUDGEMENT, arrived_at=NOW)
CLUSTER = types.Cluster(cluster_id="c", canonical_id="a1", members=(), total=1)
OVERRIDE = types.Override(document_id="a2", kind=types.OverrideKind.REPEAT_OF, target_id="a1")
CORPUS = types.Corpus(name="news", window_days=30)
STATS = types.CorpusStats("news", 3, 2, 1, {"NEW": 2, "EXACT": 1}, 0, 300, 200, 100, "fa-1")
STATUS = types.ServerStatus("0.1.0", "fa-1", NOW, 1, 3, 100, "disk full")

CALLS = [
    # method, arguments, RPC, the answer's field and value
    ("check", ("خبر",), "CheckText", "judgement", JUDGEMENT),
    ("check", (DOCUMENT, "news"), "CheckText", "judgement", JUDGEMENT),
    ("compare", ("خبر", DOCUMENT), "CompareTexts", "judgement", JUDGEMENT),
    ("compare", (types.StoredId("a1"), "خبر", "news"), "CompareTexts", "judgement", JUDGEMENT),
    ("ingest", (DOCUMENT, "news", True), "IngestDocument", "judgement", JUDGEMENT),
    ("get", ("a1",), "GetDocument", "document", STORED),
    ("list_cluster", ("a1",), "ListCluster", "cluster", CLUSTER),
    ("override", (OVERRIDE,), "CreateOverride", "override", OVERRIDE),
    ("create_corpus", ("news",), "CreateCorpus", "corpus", CORPUS),
    ("get_corpus", (), "GetCorpus", "corpus", CORPUS),
    ("update_corpus", ("news",), "UpdateCorpus", "corpus", CORPUS),
    ("corpus_stats", ("news",), "GetCorpusStats", "stats", STATS),
    ("server_status", (), "GetServerStatus", "status", STATUS),
    ("backup", ("b.sqlite3",), "BackupStore", "backup", types.Backup("/backups/b.sqlite3", 8192)),
]
TO_MESSAGE = {
    types.Judgement: wire.judgement_to_message,
    types.StoredDocument: wire.stored_document_to_message,
    types.Cluster: wire.cluster_to_message,
    types.Override: wire.override_to_message,
    types.Corpus: wire.corpus_to_message,
    types.CorpusStats: wire.corpus_stats_to_message,
    types.ServerStatus: wire.server_status_to_message,
    types.Backup: wire.backup_to_message,
}
LISTS = [
    "delete",
    "delete_where",
    "delete_corpus",
    "list_corpora",
    "list_overrides",
    "shadow_differences",
    "list_boilerplate",
    "check_many",
    "ingest_many",
]


def response_class(rpc):
    """Return the message that an RPC answers with."""
    return next(GetMessageClass(method.output_type) for method in METHODS.values() if method.name == rpc)


@pytest.mark.parametrize(("method", "arguments", "rpc", "field", "value"), CALLS)
def test_methods_return_what_the_server_said(client, stub, method, arguments, rpc, field, value):
    """Every method sends its RPC once, with a deadline of at most five seconds, and returns the public type."""
    response = response_class(rpc)(**{field: TO_MESSAGE[type(value)](value)})
    stub.answers[rpc] = lambda _: response
    assert getattr(client, method)(*arguments) == value
    (asked,) = stub.asked
    assert asked.method == rpc
    assert 2 < asked.seconds_left < 5.5  # it travels rounded up
    assert "authorization" not in asked.metadata
    assert asked.metadata["user-agent"].startswith("baznashr-python/")


def test_every_method_is_tested():
    """The table and the tests below know every public method and every RPC."""
    methods = {name for name in vars(Client) if not name.startswith("_")} - {"close"}
    assert methods == {call[0] for call in CALLS} | set(LISTS)
    batches_and_lists = {"BatchCheckTexts", "BatchIngestDocuments", "DeleteDocument", "DeleteCorpus", "PurgeDocuments"}
    lists = {"ListCorpora", "ListOverrides", "ListShadowDifferences", "ListBoilerplate"}
    assert {rpc.method for rpc in RPCS} == {call[2] for call in CALLS} | batches_and_lists | lists


def test_both_clients_have_the_same_methods():
    """Names, parameters, defaults and documentation agree between the clients, asyncio's iterables aside."""
    sync = {name: member for name, member in vars(Client).items() if callable(member) and not name.startswith("_")}
    asynchronous = vars(AsyncClient)
    assert set(sync) == {name for name in asynchronous if not name.startswith("_")}
    for name, member in sync.items():
        ours, theirs = inspect.signature(member), inspect.signature(asynchronous[name])
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ]
        assert member.__doc__ == asynchronous[name].__doc__


def test_deletes(client, stub):
    """Deletion says whether there was something to delete, and the corpus it deletes is the one named."""
    stub.answers["DeleteDocument"] = lambda request: ingest_service_pb2.DeleteDocumentResponse(
        deleted=request.document_id == "a1" and request.allow_missing
    )
    stub.answers["DeleteCorpus"] = lambda _: corpus_service_pb2.DeleteCorpusResponse()
    assert client.delete("a1") is True
    assert client.delete("a2", "news") is False
    assert client.delete_corpus("news") is None
    assert [asked.seconds_left is not None for asked in stub.asked] == [True] * 3
    assert stub.asked[1].request.corpus == "news"
    assert stub.asked[2].request.name == "news"


def test_deletes_by_filter(client, stub):
    """What is given travels, what is not stays unset, and the count comes back."""
    stub.answers["PurgeDocuments"] = lambda _: corpus_service_pb2.PurgeDocumentsResponse(documents=7)
    assert client.delete_where("news", source="", dry_run=True) == 7
    assert client.delete_where("news", published_before=NOW, published_after=NOW) == 7
    by_source, by_time = (asked.request for asked in stub.asked)
    assert (by_source.HasField("source"), by_source.source, by_source.dry_run) == (True, "", True)
    assert not by_source.HasField("published_before")
    assert (by_time.HasField("source"), by_time.dry_run) == (False, False)
    assert wire.time_from_message(by_time, "published_before") == NOW
    assert wire.time_from_message(by_time, "published_after") == NOW


def test_lists_follow_their_pages(client, stub):
    """A list is read to its last page."""
    pages = {"": (["a", "b"], "2"), "2": (["c"], "3"), "3": ([], "")}

    def corpora(request):
        names, token = pages[request.page_token]
        return corpus_service_pb2.ListCorporaResponse(corpora=[{"name": name} for name in names], next_page_token=token)

    def overrides(request):
        ids, token = pages[request.page_token]
        words = [{"document_id": document_id, "kind": "OVERRIDE_KIND_NOT_REPEAT"} for document_id in ids]
        return ingest_service_pb2.ListOverridesResponse(overrides=words, next_page_token=token)

    stub.answers |= {"ListCorpora": corpora, "ListOverrides": overrides}
    assert [corpus.name for corpus in client.list_corpora()] == ["a", "b", "c"]
    assert [word.document_id for word in client.list_overrides("news")] == ["a", "b", "c"]
    assert stub.asked[-1].request.corpus == "news"


def test_shadow_differences_come_in_one_answer(client, stub):
    """The differences of the corpus asked for are returned in the server's order."""
    verdicts = {"verdict": types.Verdict.NEW, "repeated": False, "reason": "A"}
    shadow = {"shadow_verdict": types.Verdict.EXCERPT, "shadow_repeated": True, "shadow_reason": "B"}
    newest = types.ShadowDifference(document_id="a2", matched_id="a1", at=NOW, **verdicts, **shadow)
    oldest = types.ShadowDifference(document_id="", matched_id=None, at=NOW, **verdicts, **shadow)
    stub.answers["ListShadowDifferences"] = lambda _: response_class("ListShadowDifferences")(
        differences=map(wire.shadow_difference_to_message, [newest, oldest])
    )
    assert client.shadow_differences("news") == (newest, oldest)
    assert stub.asked[0].request.corpus == "news"


def test_boilerplate_comes_in_one_answer(client, stub):
    """What the corpus asked for has learned is returned in the server's order, as much as was asked for."""
    widely = types.Boilerplate("هم‌رسانی آزاد است", 50, "", "a1")
    rarely = types.Boilerplate("", 8, "example.ir", "a2")
    stub.answers["ListBoilerplate"] = lambda _: response_class("ListBoilerplate")(
        boilerplate=map(wire.boilerplate_to_message, [widely, rarely])
    )
    assert client.list_boilerplate("news", limit=2) == (widely, rarely)
    client.list_boilerplate()
    first, second = (asked.request for asked in stub.asked)
    assert (first.corpus, first.page_size) == ("news", 2)
    assert (second.corpus, second.page_size) == ("default", 100)


def test_unset_means_unchanged(client, stub):
    """Creating and updating a corpus send what was given and leave the rest unset."""
    response = corpus_service_pb2.CreateCorpusResponse(corpus={"name": "news"})
    stub.answers["CreateCorpus"] = lambda _: response
    stub.answers["UpdateCorpus"] = lambda _: corpus_service_pb2.UpdateCorpusResponse(corpus={"name": "news"})
    policy = types.Policy(repeated_verdicts=())
    client.create_corpus("news", keep_text=False, policy=policy)
    client.update_corpus("news", window_days=0)
    client.update_corpus("news", policy=policy)
    client.update_corpus("news", shadow_policy=policy)
    client.update_corpus("news", remove_shadow_policy=True)
    created, windowed, ruled, tried, ended = (asked.request for asked in stub.asked)
    assert (created.keep_text, wire.policy_from_message(created.policy)) == (False, policy)
    assert not created.HasField("shadow_policy")
    assert (tried.HasField("policy"), wire.policy_from_message(tried.shadow_policy)) == (False, policy)
    assert (ended.HasField("shadow_policy"), ended.remove_shadow_policy) == (False, True)
    assert (windowed.HasField("window_days"), windowed.HasField("policy")) == (True, False)
    assert (ruled.HasField("window_days"), wire.policy_from_message(ruled.policy)) == (False, policy)


def test_the_token_goes_with_every_call(connect, address, stub):
    """The token is a bearer token in the metadata of unary calls and batches."""
    stub.answers["BatchCheckTexts"] = judge_batch
    stub.answers["GetServerStatus"] = lambda _: response_class("GetServerStatus")(
        status=wire.server_status_to_message(STATUS)
    )
    with connect(address, token="s3cret") as client:
        client.server_status()
        list(client.check_many(["خبر"]))
    assert [asked.metadata["authorization"] for asked in stub.asked] == ["Bearer s3cret"] * 2


def test_the_timeout_is_the_callers(connect, address, stub):
    """A client's own timeout goes with its calls, and none at all is no choice."""
    stub.answers["CheckText"] = lambda _: response_class("CheckText")(judgement=wire.judgement_to_message(JUDGEMENT))
    with connect(address, timeout=60) as client:
        client.check("خبر")
    assert 55 < stub.asked[0].seconds_left < 61
    for timeout in (0, -1):
        with pytest.raises(ValueError, match="timeout"):
            connect(address, timeout=timeout)


@pytest.mark.parametrize(
    ("call", "error", "field"),
    [
        (lambda client: client.check("خبر\ud800"), errors.InvalidText, "text"),
        (lambda client: client.compare("خبر", "\ud800"), errors.InvalidText, "later.text"),
        (lambda client: client.check("خبر", "\ud800"), errors.InvalidCorpus, "corpus"),
        (lambda client: client.get("\ud800"), errors.InvalidDocument, "document_id"),
        (lambda client: client.create_corpus("a", window_days=1 << 31), errors.InvalidArgument, "window_days"),
        (
            lambda client: client.create_corpus("a", policy=types.Policy(source_ranks=("\ud800",))),
            errors.InvalidArgument,
            "source_ranks",
        ),
    ],
)
def test_what_cannot_travel_is_refused_before_the_call(client, stub, call, error, field):
    """A lone surrogate or a number out of range names its field and never reaches the server."""
    with pytest.raises(error) as caught:
        call(client)
    assert caught.value.field == field
    assert stub.asked == []


@pytest.mark.parametrize("limit", [0, -1])
def test_a_list_of_nothing_is_refused(client, stub, limit):
    """A limit below 1, which on the wire would ask for the default or be wrong, is an error that names it."""
    for call in (lambda: client.list_cluster("a", limit=limit), lambda: client.list_boilerplate(limit=limit)):
        with pytest.raises(ValueError, match=f"limit is at least 1, not {limit}"):
            call()
    assert not stub.asked
