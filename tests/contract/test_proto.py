"""The proto files: style, documentation, compatibility, and the code generated from them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
BUF = Path(sys.executable).with_name("buf")


def buf(*arguments):
    """Run buf and return what it did."""
    return subprocess.run([BUF, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path):
    """A copy of the contract to damage."""
    return Path(shutil.copytree(PROTO, tmp_path / "proto"))


def replace_once(path, old, new):
    """Replace text that must be there exactly once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_contract_is_clean():
    """The contract passes buf's lint and is formatted."""
    for arguments in (("lint", PROTO), ("format", PROTO, "--diff", "--exit-code")):
        result = buf(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr


def test_nothing_broke_since_the_baseline():
    """Messages, fields and methods released before are still there as they were."""
    result = buf("breaking", PROTO, "--against", PROTO / "baseline.binpb")
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_is_undocumented_is_refused(copy):
    """Lint bites when a field, an enum value, a message or a method loses its comment."""
    replace_once(copy / "baznashr/v1/document.proto", "  // Its id in that corpus.\n", "")
    replace_once(copy / "baznashr/v1/judgement.proto", "  // Nothing comparable is stored.\n", "")
    replace_once(copy / "baznashr/v1/cluster.proto", "// A document of a cluster.\n", "")
    replace_once(copy / "baznashr/v1/check_service.proto", "  // Judges one text against a corpus.\n", "")
    result = buf("lint", copy)
    for name in ('"id"', '"VERDICT_NEW"', '"ClusterMember"', '"CheckText"'):
        assert f"{name} should have a non-empty comment" in result.stdout


def test_a_broken_field_is_caught(copy):
    """A renumbered, a retyped and a removed field are each named, one of the youngest too."""
    path = copy / "baznashr/v1/judgement.proto"
    replace_once(path, "string digest = 15;", "string digest = 16;")
    replace_once(path, "string policy = 14;", "bytes policy = 14;")
    replace_once(path, "  string reason = 10;\n", "")
    replace_once(copy / "baznashr/v1/corpus.proto", "  Policy shadow_policy = 7;\n", "")
    result = buf("breaking", copy, "--against", PROTO / "baseline.binpb")
    assert result.returncode != 0
    for name in ('"15" with name "digest"', '"policy"', '"10" with name "reason"', '"7" with name "shadow_policy"'):
        assert name in result.stdout


def test_no_unsigned_integers():
    """No field is unsigned: not every language has such a type."""
    unsigned = ("uint32", "uint64", "fixed32", "fixed64")
    for path in PROTO.rglob("*.proto"):
        words = path.read_text(encoding="utf-8").split()
        assert not set(unsigned) & set(words), path


def test_generated_code_imports_without_warnings():
    """The generated code loads without a warning beside google.rpc's own messages."""
    modules = sorted(path.stem for path in (ROOT / "client/src/baznashr/v1").glob("*_pb2*.py"))
    assert "check_service_pb2_grpc" in modules
    imports = "".join(f"import baznashr.v1.{module}\n" for module in modules)
    code = "from google.rpc import error_details_pb2, status_pb2\n" + imports
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_what_was_generated_outlives_a_failure(tmp_path):
    """Where the generator cannot be fetched, the code that was there stays."""
    code = tmp_path / "baznashr/v1/judgement_pb2.py"
    code.parent.mkdir(parents=True)
    code.touch()
    assert subprocess.run([ROOT / "tooling/gen.sh", tmp_path], env=os.environ | {"UV": "false"}, check=False).returncode
    assert code.exists()


@pytest.mark.packaging
def test_generated_code_is_current():
    """The committed code is what the generator makes of the contract."""
    local = ROOT / ".uv/uv"
    uv = os.environ.get("UV") or (str(local) if local.exists() else shutil.which("uv"))
    if uv is None:
        pytest.skip("uv is not installed; 'make generated' brings it and runs the same check")
    result = subprocess.run(
        [ROOT / "tooling/check_generated.sh"],
        env=os.environ | {"UV": uv, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if "error sending request" in result.stderr or "dns error" in result.stderr:
        pytest.skip("PyPI cannot be reached, so the generator cannot be fetched")
    assert result.returncode == 0, result.stdout + result.stderr
