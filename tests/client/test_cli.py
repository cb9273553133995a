"""The command, run as people run it, against a server that answers as told."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from baznashr import errors, types, wire
from baznashr.cli import EXIT_FAILED, EXIT_REFUSED, EXIT_REPEATED, EXIT_UNREACHABLE, EXIT_USAGE
from baznashr.cli._app import app
from baznashr.cli._for_people import isolated
from baznashr.v1 import admin_service_pb2, check_service_pb2, corpus_service_pb2
from tests.client.stub import judge_batch

COMMAND = Path(sys.executable).with_name("baznashr")
FSI, PDI = "\u2068", "\u2069"

LATER = "بانک مرکزی نرخ سود را ۳٫۵ درصد اعلام کرد. پایان خبر."
REPEATED = types.Judgement(
    verdict=types.Verdict.NEAR_DUPLICATE,
    repeated=True,
    reason="HIGH_SIMILARITY",
    document_id="b1",
    canonical_id="خبر-۱",
    matches=(
        types.Match(
            document_id="خبر-۱",
            similarity=0.934,
            containment=0.95,
            reverse_containment=0.98,
            covered=0.9,
            numbers_changed=(types.NumberChange(old="۳", new="۳٫۵", context="نرخ سود را"),),
            spans=(types.MatchedSpan(0, 11, 5, 16), types.MatchedSpan(12, 14, 17, 19)),
            verdict=types.Verdict.NEAR_DUPLICATE,
            reason="HIGH_SIMILARITY",
        ),
    ),
    new_share=0.1,
    self_repetition=types.SelfRepetition(0.25, (types.RepetitionKind.HEADLINE,), (types.Span(42, 51),)),
)


@pytest.fixture
def run(address):
    """Run the command against the stub's server and return what it did."""

    def run(*arguments, stdin=b"", **environment):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=30,
            env=os.environ | {"BAZNASHR_SERVER": address} | environment,
        )

    return run


def lines(result):
    """Read the JSON objects that the command printed."""
    return [json.loads(line) for line in result.stdout.decode().splitlines()]


def texts(asked):
    """Return the texts of a batch that the server was sent."""
    return [item.text or item.document.text for item in asked.request.items]


def test_files_and_standard_input_are_texts(run, stub, tmp_path):
    """Each file is a text, - is standard input and so is no file at all; answers name what they are about."""
    stub.answers["BatchCheckTexts"] = judge_batch
    (tmp_path / "یک.txt").write_text("خبر یک\n", encoding="utf-8")
    (tmp_path / "bom.txt").write_text("خبر دو", encoding="utf-8-sig")
    result = run("check", "--json", tmp_path / "یک.txt", tmp_path / "bom.txt", "-", stdin="خبر سه".encode())
    assert (result.returncode, result.stderr) == (0, b"")
    assert texts(stub.asked[0]) == ["خبر یک\n", "خبر دو", "خبر سه"]
    assert [line["input"] for line in lines(result)] == [str(tmp_path / "یک.txt"), str(tmp_path / "bom.txt"), "-"]
    assert run("check", stdin="خبر چهار".encode()).returncode == 0
    assert texts(stub.asked[1]) == ["خبر چهار"]


def test_lines_of_json_are_texts_and_documents(run, stub):
    """A line without an id is a bare text, one with an id a document with all its fields; blank lines are nothing."""
    stub.answers["BatchCheckTexts"] = judge_batch
    document = {
        "id": "a1",
        "text": "خبر",
        "title": "تیتر",
        "source": "خبرگزاری",
        "url": "https://example.com/1",
        "published_at": "2024-05-01T12:30:00Z",
        "labels": {"desk": "اقتصاد"},
        "unknown": 1,
    }
    stdin = "\n\n".join(json.dumps(record) for record in ({"text": "متن"}, document)).encode()
    result = run("check", "--jsonl", "--json", "--corpus", "news", stdin=stdin)
    assert result.returncode == 0, result.stderr
    request = stub.asked[0].request
    assert (request.corpus, request.items[0].text) == ("news", "متن")
    published_at = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    expected = {name: value for name, value in document.items() if name != "unknown"} | {"published_at": published_at}
    assert wire.check_item_from_message(request.items[1]) == types.Document(**expected)
    assert [line["input"] for line in lines(result)] == ["-:1", "-:3"]


def test_what_is_refused_stays_in_its_place(run, stub, tmp_path):
    """Bad lines, and texts the server refuses, are reported in order among the answers, and the exit code says so."""

    def answer(request):
        for place, item in enumerate(request.items):
            if item.text == "؟":
                raise errors.InvalidText("No letter.", reason="EMPTY_TEXT", field=f"items[{place}].text")
        return judge_batch(request)

    stub.answers["BatchCheckTexts"] = answer
    bad = [b"{", b"[]", b'{"text": 5}', b'{"id": "a", "text": "a", "published_at": "1403/02/12"}', b"\xff", b"{}"]
    bad += [b"[" * 200_000, b'{"text": ' * 100_000]
    bad += [b'{"id": "a", "text": "a", "labels": {"a": 1}}', b'{"text": "\\ud800"}', '{"text": "؟"}'.encode()]
    stdin = b"\n".join([b'{"text": "one"}', *bad, b'{"text": "two"}'])
    result = run("check", "--jsonl", "--json", stdin=stdin)
    assert result.returncode == EXIT_REFUSED
    answers = lines(result)
    assert [line["input"] for line in answers] == [f"-:{number}" for number in range(1, len(bad) + 3)]
    reasons = [line["error"]["reason"] if "error" in line else line["reason"] for line in answers]
    assert reasons == [
        "one",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INVALID_PUBLISHED_AT",
        "MALFORMED_TEXT",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "INVALID_FIELD",
        "MALFORMED_TEXT",
        "EMPTY_TEXT",
        "two",
    ]
    shown = run("check", "--jsonl", stdin=stdin)
    assert shown.stderr.decode().count("refused") == len(bad)


def test_ingest_names_documents_by_file_or_option(run, stub, tmp_path):
    """A document's id is its file's name, or the one given; replace and corpus reach the server."""
    stub.answers["BatchIngestDocuments"] = judge_batch
    (tmp_path / "a1.txt").write_text("خبر", encoding="utf-8")
    assert run("ingest", tmp_path / "a1.txt", "-c", "news", "--replace").returncode == 0
    assert run("ingest", "--id", "a2", stdin="خبر".encode()).returncode == 0
    assert run("ingest", "--jsonl", stdin=b'{"id": "a3", "text": "a"}\n').returncode == 0
    run("ingest", "--id", "", tmp_path / "a1.txt")  # as of a variable that is not set: the server refuses it
    requests = [asked.request for asked in stub.asked]
    assert [request.documents[0].id for request in requests] == ["a1.txt", "a2", "a3", ""]
    assert (requests[0].corpus, requests[0].replace, requests[1].replace) == ("news", True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest",),
        ("ingest", "--id", "a", "--jsonl"),
        ("check", "nowhere.txt"),
        ("compare", "nowhere", "-"),
        ("compare", "-", "-"),
        ("check", "-", "-"),
        ("ingest", "--jsonl", "-", "-"),
        ("fly",),
    ],
)
def test_wrong_usage_has_its_own_exit_code(run, arguments):
    """A missing id, an id for many, a missing file, an input given twice and an unknown command end with 2."""
    result = run(*arguments)
    assert result.returncode == EXIT_USAGE
    assert b"Traceback" not in result.stderr
    assert result.stderr.strip()


def test_people_see_the_evidence(run, stub):
    """The human form shows verdict, canonical, match, changed number, shared passage and repetition."""
    response = check_service_pb2.CompareTextsResponse(judgement=wire.judgement_to_message(REPEATED))
    stub.answers["CompareTexts"] = lambda _: response
    result = run(
        "compare", "stored:خبر-۱", "-", "--exit-code", stdin=LATER.encode(), PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert result.returncode == EXIT_REPEATED
    assert stub.asked[0].request.earlier.stored_id.id == "خبر-۱"
    shown = result.stdout.decode()
    for part in (
        "NEAR_DUPLICATE  repeated  HIGH_SIMILARITY",
        f"repeats    {FSI}خبر-۱{PDI}",
        f"{FSI}خبر-۱{PDI}  NEAR_DUPLICATE  similarity 0.93  contained 0.95/0.98",
        f"{FSI}۳{PDI} → {FSI}۳٫۵{PDI}  {FSI}نرخ سود را{PDI}",
        f"{FSI}{LATER[:11].strip()}{PDI}",
        "HEADLINE 25%",
        f"{FSI}{LATER[42:51].strip()}{PDI}",
    ):
        assert part in shown
    assert "\x1b" not in shown


def test_programs_see_everything(run, stub):
    """The JSON form holds every field of the judgement."""
    response = check_service_pb2.CompareTextsResponse(judgement=wire.judgement_to_message(REPEATED))
    stub.answers["CompareTexts"] = lambda _: response
    (shown,) = lines(run("compare", "-", "stored:b", "--json", stdin=LATER.encode()))
    assert shown["matches"][0]["numbers_changed"] == [{"old": "۳", "new": "۳٫۵", "context": "نرخ سود را"}]
    assert shown["self_repetition"]["kinds"] == ["HEADLINE"]
    assert set(shown) == {"input", *types.Judgement.__dataclass_fields__}


def test_status_shows_server_and_corpora(run, stub):
    """Status shows the release, the profile, why nothing is written, and a row for each corpus."""
    status = types.ServerStatus("0.1.0", "fa-1", datetime(2024, 5, 1, tzinfo=UTC), 1, 1234, 5 << 20, "disk full")
    stats = types.CorpusStats("news", 1234, 1200, 7, {}, 0, 3 << 20, 1 << 20, 5 << 20, "fa-1")
    stub.answers["GetServerStatus"] = lambda _: admin_service_pb2.GetServerStatusResponse(
        status=wire.server_status_to_message(status)
    )
    stub.answers["ListCorpora"] = lambda _: corpus_service_pb2.ListCorporaResponse(corpora=[{"name": "news"}])
    stub.answers["GetCorpusStats"] = lambda _: corpus_service_pb2.GetCorpusStatsResponse(
        stats=wire.corpus_stats_to_message(stats)
    )
    shown = run("status").stdout.decode()
    for part in ("0.1.0", "fa-1", "read-only: disk full", "news", "1,234", "1,200", "5.0 MiB"):
        assert part in shown
    (machine,) = lines(run("status", "--json"))
    assert machine["server"]["read_only_reason"] == "disk full"
    assert machine["corpora"][0]["documents"] == 1234


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unavailable("later", reason="SHUTTING_DOWN", metadata={"retry_after_ms": "-1"}), EXIT_UNREACHABLE),
        (errors.ReadOnly("disk full"), EXIT_FAILED),
        (errors.CorpusNotFound("no such corpus"), EXIT_FAILED),
    ],
)
def test_failures_of_the_call_are_one_line(run, stub, error, code):
    """What the server cannot do is one line on standard error and an exit code of its own."""

    def answer(_request):
        raise error

    stub.answers["BatchCheckTexts"] = answer
    result = run("check", stdin="خبر".encode())
    assert result.returncode == code
    assert result.stderr.decode() == f"baznashr: {error.reason}: {error.message}\n"


def test_corpora_are_made_and_removed(run, stub):
    """The corpus commands reach the server; nothing is deleted unasked where nobody can be asked."""
    corpus = types.Corpus("news", window_days=30, keep_text=False, created_at=datetime(2024, 5, 1, tzinfo=UTC))
    message = wire.corpus_to_message(corpus)
    stats = types.CorpusStats("news", 1234, 1200, 7, {}, 0, 3 << 20, 1 << 20, 5 << 20, "fa-1")
    stub.answers["CreateCorpus"] = lambda _: corpus_service_pb2.CreateCorpusResponse(corpus=message)
    stub.answers["ListCorpora"] = lambda _: corpus_service_pb2.ListCorporaResponse(corpora=[message])
    stub.answers["DeleteCorpus"] = lambda _: corpus_service_pb2.DeleteCorpusResponse()
    stub.answers["GetCorpusStats"] = lambda _: corpus_service_pb2.GetCorpusStatsResponse(
        stats=wire.corpus_stats_to_message(stats)
    )
    assert run("corpus", "create", "news", "--window-days", "30", "--no-keep-text").returncode == 0
    request = stub.asked[0].request
    assert (request.name, request.window_days, request.keep_text) == ("news", 30, False)
    shown = run("corpus", "list").stdout.decode()
    for part in ("news", "30 days", "not kept", "2024-05-01"):
        assert part in shown
    (machine,) = lines(run("corpus", "list", "--json"))
    assert (machine["name"], machine["window_days"]) == ("news", 30)
    unasked = run("corpus", "delete", "news")
    assert unasked.returncode == EXIT_USAGE
    assert b"1,234 documents" in unasked.stderr
    assert stub.count("DeleteCorpus") == 0
    assert run("corpus", "delete", "news", "--yes").returncode == 0
    assert stub.count("DeleteCorpus") == 1


def test_quiet_shows_sums_and_what_was_refused(run, stub):
    """With --quiet answers are only counted, and refused inputs are still shown."""
    stub.answers["BatchCheckTexts"] = judge_batch
    stdin = b'{"text": "a"}\n' * 3 + b"{}\n"
    result = run("check", "--jsonl", "--quiet", stdin=stdin)
    assert result.returncode == EXIT_REFUSED
    assert [line.split() for line in result.stdout.decode().splitlines()] == [
        ["3", "NEW"],
        ["3", "answered,", "0", "of", "them", "repeated"],
        ["1", "refused"],
    ]
    assert result.stderr.decode().count("refused") == 1
    assert lines(run("check", "--jsonl", "--quiet", "--json", stdin=stdin))[-1] == {
        "verdicts": {"NEW": 3},
        "repeated": 0,
        "refused": 1,
    }


def test_pipes_without_a_name_are_files(stub, address, tmp_path):
    """What a shell's process substitution gives is read as a file is."""
    stub.answers["BatchCheckTexts"] = judge_batch
    command = f"'{COMMAND}' check --json -s {address} <(printf one) <(printf two)"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=30)
    assert [line["reason"] for line in lines(result)] == ["one", "two"], result.stderr


@pytest.mark.parametrize("stdin", [b"\xff", "؟".encode()], ids=["not UTF-8", "no letter"])
def test_a_comparison_that_is_refused(run, stub, stdin, tmp_path):
    """A text that cannot be compared is refused as any other input is."""

    def answer(_request):
        raise errors.InvalidText("No letter.", reason="EMPTY_TEXT", field="earlier.text")

    stub.answers["CompareTexts"] = answer
    (tmp_path / "b.txt").write_text("b")
    result = run("compare", "-", tmp_path / "b.txt", stdin=stdin)
    assert (result.returncode, result.stdout) == (EXIT_REFUSED, b"")
    assert b"refused" in result.stderr


COMMANDS = [[], ["check"], ["ingest"], ["compare"], ["watch"], ["status"], ["corpus"], ["corpus", "create"]]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_help_tells_the_exit_codes(command):
    """Every command's help names the exit codes, and is the same for both options that ask for it."""
    asked, too = (CliRunner().invoke(app, [*command, option]).stdout for option in ("--help", "-h"))
    assert asked == too
    shown = " ".join(asked.split())
    assert "Exit codes: 0 all was answered" in shown
    assert f"{EXIT_REPEATED} with --exit-code" in shown


def test_version(run):
    """The version is printed by name, whatever else is asked for."""
    result = run("--version", "fly")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"baznashr 0.")


def test_a_closed_pipe_is_no_crash(stub, address):
    """A reader that has seen enough ends the command without a traceback."""
    stub.answers["BatchCheckTexts"] = judge_batch
    feed = b'{"text": "a"}\n' * 20_000
    command = f"'{COMMAND}' check --jsonl --json -s {address} | head -n 1"
    result = subprocess.run(["bash", "-c", command], input=feed, capture_output=True, check=False, timeout=30)
    assert result.stdout.count(b"\n") == 1
    assert result.stderr == b""


def test_an_interrupt_ends_cleanly(stub, address):
    """Ctrl-C in the middle of a call ends with 130, without a traceback."""
    arrived, release = threading.Event(), threading.Event()

    def answer(_request):
        arrived.set()
        release.wait(20)

    stub.answers["BatchCheckTexts"] = answer
    process = subprocess.Popen(
        [COMMAND, "check", "-s", address, "--timeout", "20"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        process.stdin.write(b"a")
        process.stdin.close()
        process.stdin = None
        assert arrived.wait(20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        release.set()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_snippets_cannot_reach_out_of_their_place():
    """Snippets lose line breaks, terminal escapes and direction overrides, keep joiners, and are cut and isolated."""
    assert isolated("می\u200cرود\n\tخانه") == f"{FSI}می\u200cرود خانه{PDI}"
    assert isolated("\x1b[31mسرخ\u202e\u2069\x07") == f"{FSI}[31mسرخ{PDI}"
    assert isolated("ب" * 100, 10) == f"{FSI}{'ب' * 9}…{PDI}"
    assert isolated("") == isolated("\u202e") == ""
    assert isolated("a\udcff.txt") == f"{FSI}a\\udcff.txt{PDI}"  # a file's name that is not UTF-8
