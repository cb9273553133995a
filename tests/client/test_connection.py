"""Encryption, threads, and what the package costs to import."""

import shutil
import subprocess
import sys
import threading
import time

import grpc
import pytest

import baznashr
from baznashr import TLS, AsyncClient, Client, errors, types
from tests.client.stub import Stub, judge_batch, serve


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority and certificates for server and client, made by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and makes the certificates of this test")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-new", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


@pytest.fixture
def secure_address(certificates):
    """The address of an encrypted server that asks clients for a certificate."""
    stub = Stub()
    stub.answers["BatchCheckTexts"] = judge_batch
    pair = ((certificates / "server.key").read_bytes(), (certificates / "server.pem").read_bytes())
    authority = (certificates / "ca.pem").read_bytes()
    credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=True)
    server, address = serve(stub, credentials)
    yield address
    server.stop(0).wait()


def test_both_sides_prove_who_they_are(connect, secure_address, certificates):
    """With authority and certificate the client is served."""
    tls = TLS(certificates / "ca.pem", str(certificates / "client.pem"), certificates / "client.key")
    with connect(secure_address, tls=tls) as client:
        assert [judgement.reason for judgement in client.check_many(["خبر"])] == ["خبر"]


@pytest.mark.parametrize("missing", ["authority", "certificate", "encryption"])
def test_whoever_proves_nothing_is_refused(connect, secure_address, certificates, missing):
    """An unknown authority, a missing certificate or a plain connection is Unavailable."""
    own = {"certificate_file": certificates / "client.pem", "key_file": certificates / "client.key"}
    tls = {
        "authority": TLS(**own),
        "certificate": TLS(ca_file=certificates / "ca.pem"),
        "encryption": None,
    }[missing]
    with connect(secure_address, tls=tls, timeout=2) as client, pytest.raises(errors.Unavailable):
        list(client.check_many(["خبر"]))


def test_a_missing_file_is_named(connect, tmp_path):
    """A certificate that cannot be read is an OSError with its path, at the first use at the latest."""
    with (
        pytest.raises(FileNotFoundError, match=r"nowhere\.pem"),
        connect("127.0.0.1:1", tls=TLS(tmp_path / "nowhere.pem")) as c,
    ):
        c.check("خبر")


both = pytest.mark.parametrize("make", [Client, AsyncClient])
"""Neither connects before its first call."""


@both
@pytest.mark.parametrize(
    "target",
    ["10.0.0.1:1", "db.internal:1", "dns:///db.internal:1", "[2001:db8::1]:1", ["127.0.0.1:1", "10.0.0.1:1"]],
)
def test_a_token_is_not_sent_in_clear(make, target):
    """Over the network a token needs encryption, or the caller's word that something else encrypts."""
    with pytest.raises(ValueError, match="could read the token"):
        make(target, token="s3cret")
    make(target, token="s3cret", tls=TLS())
    make(target, token="s3cret", token_in_clear=True)
    make(target)


@both
@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:1", "localhost:1", "[::1]:1", "dns:///localhost:1", "unix:/run/b.sock", ["127.0.0.1:1", "127.0.0.2:1"]],
)
def test_a_token_stays_on_this_machine(make, target):
    """To this machine a token may be sent as it is."""
    make(target, token="s3cret")


@both
@pytest.mark.parametrize("token", ["", " ", "two\nlines", "نشان"])
def test_a_token_is_one_line_of_ascii(make, token):
    """What cannot be sent in a header is refused at once."""
    with pytest.raises(ValueError, match="A token is"):
        make("127.0.0.1:1", token=token)


def test_a_certificate_comes_with_its_key():
    """Half of the pair is a mistake that is told."""
    with pytest.raises(ValueError, match="together with its key"):
        TLS(certificate_file="client.pem")


@both
@pytest.mark.parametrize("wrong", ["ca", "certificate", "key", "pair", "password"])
def test_files_that_cannot_be_used_are_told_at_once(make, certificates, tmp_path, wrong):
    """A file that is no PEM, a key of another certificate or one with a password is no server out of reach."""
    other = tmp_path / "other"
    other.write_bytes(b"\x30\x82\x01\x0a")
    files = {name: certificates / f"client.{end}" for name, end in (("certificate_file", "pem"), ("key_file", "key"))}
    files["ca_file"] = certificates / "ca.pem"
    make("127.0.0.1:1", tls=TLS(**files))
    if wrong == "pair":
        files["key_file"] = certificates / "server.key"
    elif wrong == "password":
        files["key_file"] = other
        command = ["openssl", "pkcs8", "-topk8", "-in", certificates / "client.key", "-passout", "pass:s3cret"]
        subprocess.run([*command, "-out", other], check=True, capture_output=True)
    else:
        files[f"{wrong}_file"] = other
    with pytest.raises(ValueError, match=r"in the form of PEM|The key in .* is encrypted or not that of"):
        make("127.0.0.1:1", tls=TLS(**files))


@both
@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), 1e12])
def test_a_timeout_is_a_time_that_passes(make, timeout):
    """What gRPC would take for a deadline that has passed, or for none, is refused at once; a year is not."""
    with pytest.raises(ValueError, match="The timeout is"):
        make("127.0.0.1:1", timeout=timeout)
    make("127.0.0.1:1", timeout=365 * 24 * 3600)


def test_the_servers_name_may_be_given(connect, secure_address, certificates):
    """Where the address is not in the certificate, the name that is there is asked for, with several servers too."""
    own = {"certificate_file": certificates / "client.pem", "key_file": certificates / "client.key"}
    named = TLS(certificates / "ca.pem", **own, server_name="127.0.0.1")
    port = secure_address.rpartition(":")[2]
    with connect([f"127.0.0.1:{port}", "127.0.0.1:1"], tls=named) as client:
        assert [judgement.reason for judgement in client.check_many(["خبر"])] == ["خبر"]
    wrong = TLS(certificates / "ca.pem", **own, server_name="other.internal")
    with connect(secure_address, tls=wrong, timeout=2) as client, pytest.raises(errors.Unavailable):
        list(client.check_many(["خبر"]))


def test_closed_clients_leave_no_threads(connect, address, stub):
    """After many clients were used and closed, the threads are those from before."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    with connect(address) as client:
        list(client.ingest_many([types.Document(id="a", text="خبر")]))
    before = threading.active_count()
    for _ in range(10):
        with connect(address) as client:
            list(client.ingest_many([types.Document(id="a", text="خبر")]))
    give_up = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < give_up:
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_one_client_serves_many_threads(address, stub):
    """Calls of several threads over one client all get their own answers."""
    stub.answers["BatchCheckTexts"] = judge_batch
    answers = {}
    with baznashr.Client(address) as client:

        def ask(name):
            answers[name] = [j.reason for j in client.check_many(f"{name}-{place}" for place in range(100))]

        threads = [threading.Thread(target=ask, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {name: [f"{name}-{place}" for place in range(100)] for name in "abcd"}


PUBLIC = [
    "AsyncClient",
    "Backup",
    "BaznashrError",
    "Boilerplate",
    "Client",
    "Cluster",
    "ClusterMember",
    "Corpus",
    "CorpusStats",
    "DEFAULT_CORPUS",
    "Document",
    "IndexPolicy",
    "Judgement",
    "Match",
    "MatchedSpan",
    "NumberChange",
    "Override",
    "OverrideKind",
    "Policy",
    "RepetitionKind",
    "SelfRepetition",
    "ServerStatus",
    "ShadowDifference",
    "Span",
    "StoredDocument",
    "StoredId",
    "TLS",
    "Thresholds",
    "Verdict",
]


def test_the_public_names_are_these():
    """The package exports these names, each of them exists, and no other is found."""
    assert sorted(baznashr.__all__) == sorted(PUBLIC)
    assert all(getattr(baznashr, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(baznashr))
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = baznashr.nothing_here


def test_every_type_is_exported():
    """No public type is left out of the package."""
    own = {name for name, value in vars(types).items() if getattr(value, "__module__", "") == types.__name__}
    assert {name for name in own if not name.startswith("_")} | {"DEFAULT_CORPUS"} == set(PUBLIC) - {
        "AsyncClient",
        "BaznashrError",
        "Client",
        "TLS",
    }


def imported_by(code):
    """Return the top-level modules loaded after *code* in a fresh interpreter, and its seconds."""
    program = f"import sys, time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start, *sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    return {name.split(".")[0] for name in output[1:]}, float(output[0])


def test_types_cost_the_standard_library_alone():
    """Importing the package, its types and its errors loads neither grpc nor protobuf, in well under 150 ms."""
    runs = [imported_by("import baznashr, baznashr.errors; baznashr.Document") for _ in range(3)]
    assert not runs[0][0] & {"grpc", "google", "numpy", "typer"}
    assert min(seconds for _, seconds in runs) < 0.15


def test_the_client_loads_grpc_and_protobuf_alone():
    """Using the client loads no package of the service and none of the command."""
    modules, _ = imported_by("from baznashr import Client, AsyncClient, TLS")
    assert {"grpc", "google"} <= modules
    assert not modules & {"numpy", "numba", "apsw", "datasketch", "hazm", "typer", "rich", "baznashr_server"}


def test_wire_needs_no_grpc():
    """Conversion and status mapping load protobuf and not grpc."""
    modules, _ = imported_by("import baznashr.wire, baznashr.status")
    assert "grpc" not in modules
