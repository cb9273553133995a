"""The command ``doctor``, as it is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from baznashr_server.doctor.findings import Finding
    from baznashr_server.settings import Settings

WELL, NOT_EXAMINED, SOME_BROKEN, SOME_WARNINGS = 0, 1, 3, 4
"""Exit codes; 2 is wrong usage."""
_WORDS = ("ok", "note", "warning", "broken")


def doctor(
    data: Annotated[
        Path | None, typer.Argument(metavar="[DATA]", help="The data folder; a server may have it open.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The server's settings file; its folder is examined, too.")
    ] = None,
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="A running server to ask; its admin address.")] = "",
    metrics: Annotated[str, typer.Option(metavar="HOST:PORT", help="Its Prometheus endpoint.")] = "",
    token_file: Annotated[Path | None, typer.Option(help="File with a token of scope admin, for --server.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the authority to trust, for a --server with TLS.")
    ] = None,
    backup_days: Annotated[float, typer.Option(help="Age of the last backup from which to warn.", min=0)] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with all findings.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Print also what is well.")] = False,
) -> None:
    """Say what is wrong with a data folder or a running server, and what to do about it.

    Nothing is changed. A folder is read whether a server has it open or not: permissions, owner, disk, format and
    profile, checksums of some pages, clock, snapshots, age of the backup, kernels, limits of the process. For every
    page and row use verify, which needs the folder for itself.

    Examples:
        baznashr-server doctor /var/lib/baznashr

        baznashr-server doctor --config /etc/baznashr/server.toml --json

        baznashr-server doctor --server 127.0.0.1:50051 --metrics 127.0.0.1:9464

    Exit code 0: nothing needs to be done. 4: there are warnings. 3: something is broken. 1: nothing could be examined.
    """
    if not (data or config or server or metrics):
        print("baznashr-server: name a data folder, --config, --server or --metrics; see --help", file=sys.stderr)
        raise typer.Exit(2)
    findings = list(_findings(data, config, server, metrics, (token_file, ca), backup_days))
    worst = max((finding.level for finding in findings), default=0)
    if as_json:
        listed = [
            {"check": each.check, "level": _WORDS[each.level], "what": each.what, "do": each.do} for each in findings
        ]
        print(json.dumps({"worst": _WORDS[worst], "findings": listed}, ensure_ascii=False, indent=2))
    else:
        _print(findings, everything=everything)
    if all(finding.check == "folder" for finding in findings):
        raise typer.Exit(NOT_EXAMINED)
    raise typer.Exit({3: SOME_BROKEN, 2: SOME_WARNINGS}.get(worst, WELL))


def _print(findings: list[Finding], *, everything: bool) -> None:
    for finding in sorted(findings, key=lambda finding: -finding.level):
        if finding.level or everything:
            print(f"{_WORDS[finding.level]}: {finding.check}: {finding.what}")
            if finding.do:
                print(f"    -> {finding.do}")
    counts = {word: sum(finding.level == level for finding in findings) for level, word in enumerate(_WORDS)}
    print(", ".join(f"{count} {word}" for word, count in counts.items() if count))


def _findings(
    data: Path | None,
    config: Path | None,
    server: str,
    metrics: str,
    secrets: tuple[Path | None, Path | None],
    backup_days: float,
) -> Iterator[Finding]:
    from baznashr_server.doctor import configuration, findings  # noqa: PLC0415 - heavy, see cli
    from baznashr_server.settings import SettingsError, load  # noqa: PLC0415

    settings = None
    if config:
        try:
            settings = load({"data": data} if data else None, file=config)
        except SettingsError as error:
            for line in str(error).splitlines():
                yield findings.broken("settings", line, "docs/settings.md has every setting")
        else:
            yield from configuration.examine(settings)
            data = settings.data
    if data:
        yield from _of_folder(data, settings, backup_days)
    if server:
        yield from _of_server(server, *secrets)
    if metrics:
        from baznashr_server.doctor.server import examine_metrics  # noqa: PLC0415

        yield from examine_metrics(metrics, backup_days)


def _of_folder(data: Path, settings: Settings | None, backup_days: float) -> Iterator[Finding]:
    from baznashr_server.doctor import content, findings, folder, machine, process  # noqa: PLC0415
    from baznashr_server.store.folder import DATABASE  # noqa: PLC0415

    try:
        if not (data / DATABASE).is_file():
            what = "holds no store" if data.is_dir() else "is no folder"
            yield findings.broken("folder", f"{data} {what}", "name the folder that a server was given as data")
            return
        yield from folder.examine(data, backup_days, settings.backup_dir if settings else None)
        yield from content.examine(data)
        pid = folder.holder(data)
    except OSError as error:
        yield findings.broken("folder", f"{error.filename}: {error.strerror}", "run this as the user that serves")
        return
    yield from process.examine(pid) if pid and Path(f"/proc/{pid}").exists() else process.examine_limits()
    yield from machine.examine(settings.kernel_cache if settings else None)


def _of_server(address: str, token_file: Path | None, ca: Path | None) -> Iterator[Finding]:
    from baznashr import TLS, Client  # noqa: PLC0415
    from baznashr_server.doctor.findings import broken  # noqa: PLC0415
    from baznashr_server.doctor.server import examine_calls  # noqa: PLC0415

    with ExitStack() as stack:
        try:
            token = token_file.read_text(encoding="utf-8").strip() if token_file else None
            tls = TLS(ca_file=ca) if ca else None
            client = stack.enter_context(Client(address, timeout=10, token=token, tls=tls))
            yield from examine_calls(client)  # at whose first call the file of --ca is read
        except (OSError, ValueError) as error:
            yield broken("server", str(error), "check --server, --token-file and --ca")
