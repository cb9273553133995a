"""TLS and client certificates, end to end, with an authority of the test's own."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from cryptography import x509

from baznashr import TLS, AsyncClient, Client
from baznashr.errors import Unavailable
from baznashr.v1 import check_service_pb2 as pb
from tests.support.secrets import Authority, bearer, entry, token_for, write_tokens
from tests.support.server import DEADLINE_SECONDS, ServerProcess, Stubs, environment, refusal, serving

REQUEST = pb.CheckTextRequest(item=pb.CheckItem(text="خبر کوتاه امروز"))
HOST = ("localhost", "127.0.0.1")


class Secured(NamedTuple):
    """A server with TLS, client certificates and tokens, and what its clients have."""

    server: ServerProcess
    folder: Path
    authority: Authority
    own: tuple[Path, Path]
    """The certificate and key of a client that may call."""

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    certificate, key = authority.issue(folder, "server", *HOST)
    tokens = write_tokens(folder / "tokens.toml", entry("crawler", ["read"]))
    flags = {
        "tls-certificate": certificate,
        "tls-private-key": key,
        "tls-client-ca": authority.write(folder / "ca.pem"),
        "tls-client-names": "crawler.internal,press.internal",
        "tokens": tokens,
        "admin": "127.0.0.1:0",
        "health": "127.0.0.1:0",
    }
    own = authority.issue(folder, "client", "crawler.internal")
    with serving(
        folder / "data", *(part for name, value in flags.items() for part in (f"--{name}", str(value)))
    ) as server:
        yield Secured(server, folder, authority, own)


def check(stubs: Stubs, **options: object) -> object:
    return stubs.check.CheckText(REQUEST, metadata=bearer("crawler"), timeout=DEADLINE_SECONDS, **options)


def shown(address: str, credentials: grpc.ChannelCredentials, deadline: float = DEADLINE_SECONDS) -> None:
    """Wait until a connection is made; raise what the call raised where none is."""
    with Stubs(address, credentials) as stubs:
        stubs.check.CheckText(REQUEST, metadata=bearer("crawler"), timeout=deadline)


def test_who_has_certificate_and_token_is_served(secured: Secured) -> None:
    """Calls are answered on both ports; the SDK does the same with its own options."""
    for address in (secured.server.listen, secured.server.admin):
        with Stubs(address, secured.authority.credentials(secured.own)) as stubs:
            assert stubs.is_serving()
    shown(secured.server.listen, secured.authority.credentials(secured.own))
    tls = TLS(ca_file=secured.ca, certificate_file=secured.own[0], key_file=secured.own[1])
    with Client(secured.server.listen, tls=tls, token=token_for("crawler")) as client:
        assert client.check("خبر کوتاه امروز").verdict

    async def awaited() -> None:
        async with AsyncClient(secured.server.listen, tls=tls, token=token_for("crawler")) as client:
            assert (await client.check("خبر کوتاه امروز")).verdict

    asyncio.run(awaited())


def test_strangers_cannot_connect(secured: Secured) -> None:
    """No certificate, an expired one, one of another authority, and no TLS at all end before any call is read."""
    expired = secured.authority.issue(secured.folder, "expired", "crawler.internal", days=-1)
    foreign = Authority().issue(secured.folder, "foreign", "crawler.internal")
    attempts = {
        "none": secured.authority.credentials(),
        "expired": secured.authority.credentials(expired),
        "foreign": secured.authority.credentials(foreign),
        "clear": None,
    }
    for address in (secured.server.listen, secured.server.admin):
        for attempt, credentials in attempts.items():
            with Stubs(address, credentials) as stubs:
                refused = refusal(lambda stubs=stubs: check(stubs))  # type: ignore[misc]
                assert refused.code == "UNAVAILABLE", attempt


def test_a_certificate_with_another_name_is_refused(secured: Secured) -> None:
    """A certificate of the right authority whose names are not listed connects and may call nothing, token or not."""
    other = secured.authority.issue(secured.folder, "other", "mail.internal", "10.1.2.3")
    with Stubs(secured.server.listen, secured.authority.credentials(other)) as stubs:
        assert refusal(lambda: check(stubs)).code == "PERMISSION_DENIED"
    assert secured.server.metric("baznashr_access_refused_total", reason="certificate") >= 1


def test_a_certificate_is_no_token(secured: Secured) -> None:
    """The certificate opens the door; what may be done is said by the token."""
    with Stubs(secured.server.listen, secured.authority.credentials(secured.own)) as stubs:
        assert refusal(lambda: stubs.check.CheckText(REQUEST)).code == "UNAUTHENTICATED"


def test_clients_refuse_another_server(secured: Secured) -> None:
    """A client that trusts another authority, or asks for another name, does not speak to the server."""
    foreign = Authority().write(secured.folder / "foreign-ca.pem")
    with Client(secured.server.listen, tls=TLS(ca_file=foreign), timeout=2) as client, pytest.raises(Unavailable):
        client.check("خبر")
    port = secured.server.listen.rpartition(":")[2]
    own = secured.authority.credentials(secured.own)
    with Stubs(f"127.0.0.2:{port}", own) as stubs:
        assert refusal(lambda: check(stubs)).code == "UNAVAILABLE"


def test_the_command_connects_with_its_options(secured: Secured, tmp_path: Path) -> None:
    """With authority, certificate and token by option or variable the command is served; without, it says why not."""
    token, text = tmp_path / "token", tmp_path / "text"
    token.write_text(token_for("crawler") + "\n", encoding="ascii")
    text.write_text("خبر کوتاه امروز", encoding="utf-8")
    flags = ["--tls-ca", secured.ca, "--tls-cert", secured.own[0], "--tls-key", secured.own[1], "--token-file", token]
    variables = {f"BAZNASHR_{str(flag)[2:].upper().replace('-', '_')}": str(file) for flag, file in batched(flags, 2)}

    def run(*options: object, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from baznashr.cli import main; main()", "check", text, *options]
        command += ["--server", secured.server.listen, "--timeout", "20"]
        return subprocess.run(
            list(map(str, command)), env=environment(**extra), capture_output=True, text=True, check=False
        )

    for done in (run(*flags), run(**variables)):
        assert done.returncode == 0, done.stderr
    refused = run(*flags[:-2], "--token", "is-not-known-here")
    assert (refused.returncode, refused.stderr[:26]) == (4, "baznashr: UNAUTHENTICATED:")


def test_health_answers_probes_in_clear_and_nothing_else(secured: Secured) -> None:
    """The port of its own needs neither certificate nor token, and offers health alone."""
    with Stubs(secured.server.health) as stubs:
        assert stubs.is_serving()
        assert refusal(lambda: check(stubs)).code == "UNIMPLEMENTED"


def replace(secured: Secured, *names: str, days: int = 30) -> float:
    """Issue the server another certificate over the one it shows, and return when it expires."""
    certificate, _ = secured.authority.issue(secured.folder, "server", *names, days=days)
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()


def wait_for_expiry(server: ServerProcess, expiry: float) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while server.metric("baznashr_certificate_expiry_timestamp_seconds") != expiry:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_replaced_certificate_is_shown_to_the_next_connection(secured: Secured) -> None:
    """Without a restart the new certificate is shown, on both ports, and connections that are open go on."""
    credentials = secured.authority.credentials(secured.own)
    with Stubs(secured.server.listen, credentials) as before:
        check(before)
        wait_for_expiry(secured.server, replace(secured, "renamed.internal", days=50))
        check(before)
        for address in (secured.server.listen, secured.server.admin):
            with Stubs(address, credentials) as after:
                assert refusal(after.is_serving).code == "UNAVAILABLE"  # not for 127.0.0.1 any more
        wait_for_expiry(secured.server, replace(secured, *HOST, days=40))
        shown(secured.server.listen, credentials)


def connects(secured: Secured, own: tuple[Path, Path]) -> bool:
    """Whether a client with this certificate gets an answer on a new connection."""
    with Stubs(secured.server.listen, secured.authority.credentials(own)) as stubs:
        try:
            check(stubs)
        except grpc.RpcError:
            return False
        return True


def test_a_replaced_client_authority_counts_for_the_next_connection(secured: Secured) -> None:
    """Clients of the old authority are shut out and those of the new one let in, without a restart; and back again."""
    new = Authority()
    theirs = new.issue(secured.folder, "new-client", "press.internal")
    assert connects(secured, secured.own)
    assert not connects(secured, theirs)
    for authority, inside, outside in ((new, theirs, secured.own), (secured.authority, secured.own, theirs)):
        authority.write(secured.ca)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not connects(secured, inside):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not connects(secured, outside)


def test_a_broken_replacement_leaves_the_certificate(secured: Secured) -> None:
    """A key that does not fit, or half a file, changes nothing, is told by a metric, and is mended by the next."""
    key = secured.folder / "server.key"
    good = key.read_bytes()
    key.write_bytes(good[: len(good) // 2])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not secured.server.metric("baznashr_secrets_unusable", files="certificates"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    shown(secured.server.listen, secured.authority.credentials(secured.own))
    key.write_bytes(good)
    while secured.server.metric("baznashr_secrets_unusable", files="certificates"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    reasons = [event["reason"] for event in secured.server.events() if event["level"] == "error"]
    assert len([reason for reason in reasons if "holds no private key" in reason]) == 1
