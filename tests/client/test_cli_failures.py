"""The command where something beside the texts is wrong: a full disk, an odd address, a server in two places."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baznashr import types, wire
from baznashr.cli import EXIT_FAILED, EXIT_FILES, EXIT_UNREACHABLE, EXIT_USAGE
from baznashr.v1 import admin_service_pb2, corpus_service_pb2
from tests.client.stub import judge_batch

COMMAND = Path(sys.executable).with_name("baznashr")


@pytest.fixture
def run(address):
    """Run the command against the stub's server and return what it did."""

    def run(*arguments, stdin=b"", stdout=subprocess.PIPE):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
            env=os.environ | {"BAZNASHR_SERVER": address},
        )

    return run


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is always full")
@pytest.mark.parametrize("flags", [(), ("--json",), ("--quiet",)], ids=str)
def test_a_full_disk_is_one_line(run, stub, flags):
    """Answers that cannot be written are one line and an exit code of their own, not the one of refused inputs."""
    stub.answers["BatchCheckTexts"] = judge_batch
    with Path("/dev/full").open("wb") as full:
        result = run("check", *flags, stdin="خبر".encode(), stdout=full)
    assert result.stderr == b"baznashr: reading or writing failed: No space left on device\n"
    assert result.returncode == EXIT_FILES


def test_what_no_message_can_hold_is_refused_by_its_name(run, stub):
    """A text over the limit of a message is named by its input and not by its place in a batch."""
    shown = run("check", stdin=b"a" * (5 << 20)).stderr.decode()
    assert "MESSAGE_TOO_LARGE: " in shown
    told = json.loads(run("check", "--json", stdin=b"a" * (5 << 20)).stdout)
    assert (told["error"]["reason"], told["error"]["field"]) == ("MESSAGE_TOO_LARGE", "")


def test_fields_that_no_document_has_are_told_once(run, stub):
    """A misspelt field is named on standard error, not in each line, and its documents are stored; in bounds, too."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    records = [{"id": f"a{n}", "text": "خبر", "publised_at": "2024-05-01"} for n in range(3)]
    records[2] |= {"زبان": "fa", "\x1b[2J\ud800": 1}
    result = run("ingest", "--jsonl", "--json", stdin="\n".join(map(json.dumps, records)).encode())
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 3)
    assert result.stderr.decode().splitlines() == [
        "baznashr: warning: fields that no document has are left out: 'publised_at'",
        "baznashr: warning: fields that no document has are left out: '\\x1b[2J\\ud800', 'زبان'",
    ]
    stdin = b"\n".join(b'{"text": "a", "%s": 1}' % (str(number).encode() * 500) for number in range(100, 200))
    stub.answers["BatchCheckTexts"] = judge_batch
    assert 20 * 80 < len(run("check", "--jsonl", stdin=stdin).stderr) < 20 * 120


def test_a_failed_handshake_is_one_line(run):
    """No lines of gRPC's own about each attempt come before the command's."""
    result = run("check", "--tls", stdin="خبر".encode())
    assert result.returncode == EXIT_UNREACHABLE
    assert result.stderr.startswith(b"baznashr: UNREACHABLE")
    assert result.stderr.count(b"\n") == 1


STATUS = types.ServerStatus("0.1.0", "fa-1", datetime(2024, 5, 1, tzinfo=UTC), 1, 1234, 5 << 20)
STATS = types.CorpusStats("news", 1234, 1200, 7, {}, 0, 3 << 20, 1 << 20, 5 << 20, "fa-1")


@pytest.mark.parametrize("served", ["AdminService", "CorpusService"])
def test_each_of_two_addresses_tells_its_part(run, stub, served):
    """Where the AdminService has an address of its own, status shows what each serves and says that there is more."""
    ours = {
        "AdminService": {
            "GetServerStatus": admin_service_pb2.GetServerStatusResponse(status=wire.server_status_to_message(STATUS))
        },
        "CorpusService": {
            "ListCorpora": corpus_service_pb2.ListCorporaResponse(corpora=[{"name": "news"}]),
            "GetCorpusStats": corpus_service_pb2.GetCorpusStatsResponse(stats=wire.corpus_stats_to_message(STATS)),
        },
    }
    stub.answers |= {name: None for answers in ours.values() for name in answers}
    stub.answers |= {name: lambda _, answer=answer: answer for name, answer in ours[served].items()}
    result, machine = run("status"), run("status", "--json")
    assert (result.returncode, machine.returncode) == (0, 0)
    assert (b"0.1.0" in result.stdout, b"1,234" in result.stdout) == (
        served == "AdminService",
        served != "AdminService",
    )
    told = json.loads(machine.stdout)
    assert (told["server"] is None, told["corpora"] is None) == (served != "AdminService", served == "AdminService")
    assert result.stderr == machine.stderr
    assert result.stderr.count(b"AdminService") == result.stderr.count(b"elsewhere") == 1


def test_a_server_without_either_part_has_no_status(run, stub):
    """An address that serves neither service is a failed call."""
    stub.answers = {"GetServerStatus": None, "ListCorpora": None}
    result = run("status")
    assert result.returncode == EXIT_FAILED
    assert result.stderr.startswith(b"baznashr: UNIMPLEMENTED")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--timeout", "inf"), "The timeout is a number of seconds"),
        (("--timeout", "1e12"), "The timeout is a number of seconds"),
        (("--server", "http://127.0.0.1:50051"), "is no address of a server"),
        (("--server", "127.0.0.1"), "is no address of a server"),
        (("--tls-ca", __file__), "in the form of PEM"),
        (("--tls-name", "baznashr.internal"), "no certificate without --tls"),
    ],
)
def test_what_cannot_connect_is_wrong_usage(run, stub, options, told):
    """A timeout, an address or a file that no call can be made with is named before one is made."""
    result = run("status", *options)
    assert result.returncode == EXIT_USAGE
    assert told in " ".join(result.stderr.decode().split())
    assert not stub.asked
