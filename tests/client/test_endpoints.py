"""Several servers behind one client, and calls that somebody else cancels."""

import asyncio
import threading

import pytest

from baznashr import AsyncClient, Client, errors
from baznashr._addresses import address
from baznashr.v1 import check_service_pb2
from baznashr.wire import judgement_to_message
from tests.client.stub import JUDGEMENT, Stub, serve

ANSWER = check_service_pb2.CheckTextResponse(judgement=judgement_to_message(JUDGEMENT))


def test_the_first_server_that_can_be_reached_is_used(connect):
    """A server that is down is passed over, and one that goes down is left for the next."""
    first, second = Stub(), Stub()
    first.answers["CheckText"] = second.answers["CheckText"] = lambda _: ANSWER
    (one, one_address), (two, two_address) = serve(first), serve(second)
    with connect(["127.0.0.1:1", one_address, two_address]) as client:
        assert client.check("خبر") == JUDGEMENT
        assert (first.count("CheckText"), second.count("CheckText")) == (1, 0)
        one.stop(0).wait()
        assert client.check("خبر") == JUDGEMENT
        assert second.count("CheckText") == 1
    two.stop(0).wait()


def test_addresses_are_checked_at_once():
    """Several targets are IP addresses of one family with ports."""
    assert address(["10.0.0.1:1", "10.0.0.2:2"]) == "ipv4:10.0.0.1:1,10.0.0.2:2"
    assert address(["[::1]:1", "[::2]:2"]) == "ipv6:[::1]:1,[::2]:2"
    with pytest.raises(ValueError, match="at least one"):
        address([])
    for wrong in (
        ["news.example:1", "10.0.0.1:1"],
        ["10.0.0.1"],
        ["10.0.0.1:a"],
        ["10.0.0.1:1", "[::1]:1"],
        ["10.0.0.1:1", "::1:1"],
    ):
        with pytest.raises(ValueError, match=r"address|port"):
            address(wrong)


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:50051",
        "news_1.example:1",
        "[::1]:65535",
        "[fe80::1%eth0]:1",
        "dns:///news.example:1",
        "dns:news.example:1",
        "dns://10.0.0.1/news.example:1",
        "ipv4:10.0.0.1:1,10.0.0.2:2",
        "ipv6:[::1]:1",
        "unix:/run/b.sock",
        "unix:///run/b.sock",
        "unix-abstract:b",
    ],
)
def test_one_address_is_given_to_grpc_as_it_is(target):
    """A host with a port, and the forms of gRPC that name both, a list of them, or a socket of this machine."""
    assert address(target) == target


@pytest.mark.parametrize("make", [Client, AsyncClient])
@pytest.mark.parametrize(
    "target",
    [
        "",
        " ",
        "127.0.0.1",
        "news.example",
        "127.0.0.1:99999",
        "127.0.0.1:0",
        "127.0.0.1:",
        "127.0.0.1:۵۰۰۵۱",
        ":50051",
        "::1:50051",
        "[::1]",
        "[news]:50051",
        "news example:50051",
        "http://127.0.0.1:50051",
        "dns:///news.example",
        "ipv4:news.example:1",
        "unix:",
        "127.0.0.1:50051\n",
    ],
)
def test_what_is_no_address_is_told_at_once(make, target):
    """A target without a host or a port is a ValueError, not a server that cannot be reached."""
    with pytest.raises(ValueError, match=r"address"):
        make(target)


def test_a_call_that_the_peer_cancels_may_be_retried(client, stub):
    """CANCELLED that nobody here asked for is Unavailable: a server or a proxy went away."""

    def cancelled(_request):
        raise errors.Cancelled("Going away.")

    stub.answers["CheckText"] = cancelled
    with pytest.raises(errors.Unavailable) as caught:
        client.check("خبر")
    assert (caught.value.reason, caught.value.retriable) == ("CANCELLED_BY_PEER", True)
    assert stub.count("CheckText") == 1


def test_closing_ends_what_other_tasks_wait_for(address, stub):
    """A call under way on an AsyncClient that is closed ends with Cancelled; a cancelled task is cancelled as ever."""
    release = threading.Event()

    def slow(_request):
        release.wait(5)
        return ANSWER

    stub.answers["CheckText"] = slow

    async def end(how):
        """Start a call, end it, and return what the task that made it got."""
        client = AsyncClient(address)
        task = asyncio.create_task(client.check("خبر"))
        await asyncio.sleep(0.1)
        await (client.close() if how == "close" else asyncio.sleep(0, task.cancel()))
        (got,) = await asyncio.gather(task, return_exceptions=True)
        await client.close()
        return type(got)

    assert asyncio.run(end("close")) is errors.Cancelled
    assert asyncio.run(end("cancel")) is asyncio.CancelledError
    release.set()


def test_an_async_client_stays_in_its_loop(address, stub):
    """A second event loop is told to make a client of its own, and the first goes on."""
    stub.answers["CheckText"] = lambda _: ANSWER
    with asyncio.Runner() as first, asyncio.Runner() as second:
        client = AsyncClient(address)
        assert first.run(client.check("خبر")) == JUDGEMENT
        with pytest.raises(RuntimeError, match="another event loop: make a client in each"):
            second.run(client.check("خبر"))
        assert first.run(client.check("خبر")) == JUDGEMENT
        first.run(client.close())


def test_closing_cancels_what_is_under_way(address, stub):
    """A call under way on a client that is closed ends with Cancelled, which is not to be retried."""
    entered, release = threading.Event(), threading.Event()

    def slow(_request):
        entered.set()
        release.wait(5)
        return ANSWER

    stub.answers["CheckText"] = slow
    client = Client(address)
    caught = []

    def ask():
        try:
            client.check("خبر")
        except errors.BaznashrError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    entered.wait(5)
    client.close()
    thread.join()
    release.set()
    assert [type(error) for error in caught] == [errors.Cancelled]
    assert not caught[0].retriable
