"""What make-secrets.sh makes: a server serves with it, whatever ended an earlier run, and none of it is taken away."""

import hashlib
import os
import shutil
import ssl
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from baznashr import TLS, Client
from baznashr.errors import PermissionDenied
from tests.support.server import serving

MAKE_SECRETS = str(Path(__file__).parents[2] / "deploy" / "make-secrets.sh")
SECRETS = {"ca.pem", "ca.key", "server.pem", "server.key", "tokens.toml", "pipeline.token", "operator.token"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on the PATH")


@needs_openssl
@pytest.mark.timeout(300)
def test_the_secrets_that_are_made_serve(tmp_path: Path) -> None:
    """A server serves with the files that the script makes, and clients get in with its tokens.

    The operator may do what the pipeline may not.
    """
    make = [MAKE_SECRETS, str(tmp_path), "baznashr.internal", "127.0.0.1", "::1"]
    subprocess.run(make, check=True, capture_output=True)
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert [file.name for file in tmp_path.iterdir() if file.stat().st_mode & 0o077] == []
    files = {"tls-certificate": "server.pem", "tls-private-key": "server.key", "tokens": "tokens.toml"}
    flags = [f"--{flag}={tmp_path / file}" for flag, file in files.items()]
    tls = TLS(tmp_path / "ca.pem")
    with serving(tmp_path / "data", *flags) as server:
        assert "secrets are exposed" not in server.log_text()
        with Client(server.listen, tls=tls, token=made["operator.token"].decode()) as operator:
            assert operator.list_corpora()
        with Client(server.listen, tls=tls, token=made["pipeline.token"].decode()) as pipeline:
            assert pipeline.check("خبر کوتاه").verdict
            with pytest.raises(PermissionDenied):
                pipeline.list_corpora()


@needs_openssl
def test_secrets_stay_as_they_are(tmp_path: Path) -> None:
    """A second run changes no file, its mode or its owner, which the guide gives to a group, nor a folder's mode."""

    def seen() -> dict[str, tuple[bytes, int, int]]:
        files = {file: file.stat() for file in tmp_path.iterdir()}
        return {file.name: (file.read_bytes(), status.st_mode, status.st_uid) for file, status in files.items()}

    make = [MAKE_SECRETS, str(tmp_path), "localhost"]
    subprocess.run(make, check=True, capture_output=True)
    for name in ("server.pem", "server.key", "tokens.toml"):
        os.chown(tmp_path / name, os.geteuid(), os.getegid())
        (tmp_path / name).chmod(0o640)
    tmp_path.chmod(0o755)
    made = seen()
    done = subprocess.run([*make[:2], "elsewhere"], check=True, capture_output=True, text=True)
    assert seen() == made
    assert "DNS:localhost" in done.stdout
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@needs_openssl
def test_secrets_are_made_whole(tmp_path: Path) -> None:
    """Whichever step fails, the next run makes the rest: two tokens, and a certificate that fits its key."""
    shim, left = tmp_path / "bin" / "openssl", tmp_path / "left"
    shim.parent.mkdir()
    shim.write_text(
        f"#!/bin/sh\nleft=$(($(cat {left}) - 1))\necho $left > {left}\n[ $left -ge 0 ] || exit 1\n"
        f'exec {shutil.which("openssl")} "$@"\n'
    )
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    for steps in range(20):
        folder = tmp_path / f"after-{steps}"
        left.write_text(str(steps))
        make = [MAKE_SECRETS, str(folder), "localhost"]
        failed = subprocess.run(make, capture_output=True, env={**os.environ, "PATH": path}, check=False).returncode
        subprocess.run(make, check=True, capture_output=True)
        assert {file.name for file in folder.iterdir()} == SECRETS
        digests = [entry["sha256"] for entry in tomllib.loads((folder / "tokens.toml").read_text())["token"]]
        tokens = [(folder / f"{name}.token").read_bytes() for name in ("pipeline", "operator")]
        assert digests == [hashlib.sha256(token).hexdigest() for token in tokens]
        ssl.create_default_context().load_cert_chain(folder / "server.pem", folder / "server.key")
        if not failed:
            break
    assert steps > 8


@pytest.mark.parametrize(
    "name", ["", "-x", "a,b", "a b", "https://news.internal", "10.0.0.5/24", "news.internal:50051"]
)
def test_secrets_are_for_names(tmp_path: Path, name: str) -> None:
    """What is neither a name nor an address is refused before anything is made."""
    done = subprocess.run([MAKE_SECRETS, tmp_path / "new", name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        f"{MAKE_SECRETS}: '{name}' is neither a host's name nor an IP address\n",
    )
    assert not (tmp_path / "new").exists()
