"""Files of certificates and keys: what is said of each mistake, at the command too."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from baznashr_server.access.certificates import read_certificates
from baznashr_server.access.files import AccessError
from tests.support.secrets import Authority, entry, write_tokens


@pytest.fixture
def authority() -> Authority:
    return Authority()


def test_good_files_are_taken(tmp_path: Path, authority: Authority) -> None:
    """A chain and its key are read, with the time when they expire and without the key in what is printed."""
    certificate, key = authority.issue(tmp_path, "server", "localhost")
    read = read_certificates(certificate, key, authority.write(tmp_path / "ca.pem"))
    assert read.client_ca is not None
    assert "PRIVATE" not in repr(read)


def test_mistakes_are_named(tmp_path: Path, authority: Authority) -> None:
    """Missing, unreadable, swapped, encrypted, expired and unrelated files are each told apart."""
    certificate, key = authority.issue(tmp_path, "server", "localhost")
    _, another = authority.issue(tmp_path, "another", "localhost")
    old, old_key = authority.issue(tmp_path, "old", "localhost", days=-1)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        )
    )
    missing, folder = tmp_path / "missing.pem", tmp_path
    for files, said in (
        ((missing, key, None), "missing.pem cannot be read: No such file"),
        ((folder, key, None), "cannot be read: Is a directory"),
        ((key, key, None), "server.key holds no certificate"),
        ((certificate, certificate, None), "server.pem holds no private key"),
        ((certificate, another, None), "another.key is not the key of the first certificate in"),
        ((certificate, locked, None), "locked.key is encrypted"),
        ((old, old_key, None), "old.pem expired on"),
        ((certificate, key, key), "server.key holds no certificate"),
    ):
        with pytest.raises(AccessError) as refused:
            read_certificates(*files)
        assert said in str(refused.value)


def self_signed(folder: Path, key: CertificateIssuerPrivateKeyTypes, *, starts_in: timedelta) -> tuple[Path, Path]:
    """Write a certificate of the key for itself, and the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.now(UTC) + starts_in
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    chain, file = folder / "self.pem", folder / "self.key"
    chain.write_bytes(builder.sign(key, algorithm).public_bytes(Encoding.PEM))
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, file


@pytest.mark.parametrize(
    ("key", "is_served"),
    [
        (ec.generate_private_key(ec.SECP256R1()), True),
        (ec.generate_private_key(ec.SECP384R1()), True),
        (ec.generate_private_key(ec.SECP521R1()), False),
        (ed25519.Ed25519PrivateKey.generate(), False),
        (rsa.generate_private_key(65537, 2048), True),
        (rsa.generate_private_key(65537, 1024), False),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA 2048", "RSA 1024"],
)
def test_keys_that_grpc_cannot_serve_with_are_refused(
    tmp_path: Path, key: CertificateIssuerPrivateKeyTypes, is_served: bool
) -> None:
    """With Ed25519 and P-521 gRPC would listen and fail every handshake; short RSA keys are no protection."""
    chain, file = self_signed(tmp_path, key, starts_in=timedelta(days=-1))
    if is_served:
        read_certificates(chain, file, None)
    else:
        with pytest.raises(AccessError, match=r"self\.key is of a kind that gRPC cannot serve with"):
            read_certificates(chain, file, None)


@pytest.mark.parametrize(
    ("key", "algorithm", "another", "said"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "2a8648ce3d0201", "2a8648ce3d0209", "is not the key"),
        (ec.generate_private_key(ec.SECP256R1()), "2a8648ce3d030107", "2a8648ce3d030177", "is not the key"),
        (rsa.generate_private_key(65537, 2048), "2a864886f70d0101010500", "2a864886f70d01010a3000", "cannot read it"),
    ],
    ids=["unknown kind", "unknown curve", "RSA-PSS"],
)
def test_certificates_that_grpc_cannot_read_are_refused(
    tmp_path: Path, key: CertificateIssuerPrivateKeyTypes, algorithm: str, another: str, said: str
) -> None:
    """A key in a form that is unknown, or that BoringSSL does not take, is told before gRPC fails to show it."""
    chain, file = self_signed(tmp_path, key, starts_in=timedelta(days=-1))
    plain = x509.load_pem_x509_certificate(chain.read_bytes()).public_bytes(Encoding.DER)
    changed = plain.replace(bytes.fromhex(algorithm), bytes.fromhex(another))
    chain.write_bytes(x509.load_der_x509_certificate(changed).public_bytes(Encoding.PEM))
    with pytest.raises(AccessError, match=said):
        read_certificates(chain, file, None)


def test_a_certificate_of_tomorrow_is_refused(tmp_path: Path) -> None:
    """Clients would refuse it, so it is told beforehand."""
    chain, file = self_signed(tmp_path, ec.generate_private_key(ec.SECP256R1()), starts_in=timedelta(days=1))
    with pytest.raises(AccessError, match=r"self\.pem is valid only from"):
        read_certificates(chain, file, None)


def check_config(*flags: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "baznashr_server", "check-config", "--data", "d", *map(str, flags)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BAZNASHR_")}
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=False)


def test_check_config_reads_the_files(tmp_path: Path, authority: Authority) -> None:
    """The command names every file that cannot be used, warns of exposed ones, and prints no secret."""
    certificate, key = authority.issue(tmp_path, "server", "localhost")
    tokens = write_tokens(tmp_path / "tokens.toml", entry("crawler"))
    flags = ["--tls-certificate", certificate, "--tls-private-key", key, "--tokens", tokens]
    beyond = [*flags, "--listen", "0.0.0.0:50051"]
    assert check_config(*beyond).stdout == "The settings can be used.\n"
    key.chmod(0o644)
    warned = check_config(*beyond, "--print-config")
    assert warned.returncode == 0
    assert warned.stderr.startswith(f"baznashr-server: warning: {key} holds secrets and has mode 0644")
    assert f'tokens = "{tokens}"' in warned.stdout
    assert "sha256" not in warned.stdout
    key.write_text("nothing", encoding="ascii")
    tokens.write_text("nothing", encoding="ascii")
    refused = check_config(*beyond)
    assert refused.returncode == 2
    assert [line.split(" ")[1] for line in refused.stderr.splitlines()] == [str(key), str(tokens)]
