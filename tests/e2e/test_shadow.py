"""A policy on trial, over gRPC with the client."""

from baznashr import Client, Document, Policy, Verdict
from tests.articles import samples
from tests.support.server import ServerProcess

ONLY_EXACT = Policy(repeated_verdicts=(Verdict.EXACT,))


def test_a_trial_from_its_start_to_its_end(server: ServerProcess) -> None:
    """The shadow policy is set, seen, counted, listed and removed by the client, and changes no answer."""
    texts = {sample["id"]: sample["text"] for sample in samples() if sample["id"] in {"metro", "metro-shortened"}}
    verdicts = {"verdict": "NEAR_DUPLICATE", "shadow_verdict": "NEAR_DUPLICATE"}
    with Client(server.listen) as client:
        before = server.metric("baznashr_shadow_differences_total", **verdicts)
        assert client.create_corpus("trial", shadow_policy=ONLY_EXACT).shadow_policy == ONLY_EXACT
        answers = [client.ingest(Document(id=name, text=text), "trial") for name, text in texts.items()]
        assert [answer.repeated for answer in answers] == [False, True]
        (difference,) = client.shadow_differences("trial")
        assert (difference.document_id, difference.matched_id) == ("metro-shortened", "metro")
        assert (difference.repeated, difference.shadow_repeated) == (True, False)
        assert server.metric("baznashr_shadow_differences_total", **verdicts) == before + 1
        assert client.update_corpus("trial", remove_shadow_policy=True).shadow_policy is None
        assert client.shadow_differences("trial") == ()
        client.delete_corpus("trial")
