"""The options that say where the server is and how it is reached, and the client that they make."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, get_annotations, signature
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from baznashr import TLS, Client

LOCAL = "127.0.0.1:50051"

_File: TypeAlias = Path | None
_OPTIONS: dict[str, tuple[Any, Any, Any]] = {
    "server": (
        str,
        LOCAL,
        typer.Option("--server", "-s", envvar="BAZNASHR_SERVER", help="The server's address, HOST:PORT."),
    ),
    "timeout": (float, 5.0, typer.Option(min=0.001, help="Seconds that each call may take.")),
    "token": (
        str | None,
        None,
        typer.Option(
            envvar="BAZNASHR_TOKEN",
            show_envvar=True,
            help="Sent as a bearer token. Others on this machine can see the option; the variable or a file is better.",
        ),
    ),
    "token_file": (
        Path | None,
        None,
        typer.Option(envvar="BAZNASHR_TOKEN_FILE", show_envvar=True, help="A file that holds the token."),
    ),
    "token_in_clear": (
        bool,
        False,
        typer.Option("--token-in-clear", help="Send the token without TLS, where something else encrypts."),
    ),
    "tls": (bool, False, typer.Option("--tls", help="Encrypt, and trust the authorities that gRPC brings.")),
    "tls_ca": (
        Path | None,
        None,
        typer.Option(envvar="BAZNASHR_TLS_CA", show_envvar=True, help="Encrypt, and trust the authority in this file."),
    ),
    "tls_cert": (
        Path | None,
        None,
        typer.Option(envvar="BAZNASHR_TLS_CERT", show_envvar=True, help="The client's own certificate."),
    ),
    "tls_key": (
        Path | None,
        None,
        typer.Option(envvar="BAZNASHR_TLS_KEY", show_envvar=True, help="The key of --tls-cert."),
    ),
    "tls_name": (
        str | None,
        None,
        typer.Option(help="The name in the server's certificate, where it is not the address's host."),
    ),
}
"""By the name of the option: type, default, and what typer is told."""


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command*, as its first argument, the client that these options make; it closes when the command ends."""

    def run(**options: Any) -> None:
        given = {name: options.pop(name) for name in _OPTIONS}
        with _client(**given) as client:
            command(client, **options)

    # typing.get_type_hints would, on Python 3.10, hide from typer what is said of an option whose default is None.
    hints = get_annotations(command, eval_str=True)
    _, *own = signature(command).parameters.values()
    parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, (kind, default, option) in _OPTIONS.items()
    ]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _client(
    *,
    server: str,
    timeout: float,
    token: str | None,
    token_file: _File,
    token_in_clear: bool,
    tls: bool,
    tls_ca: _File,
    tls_cert: _File,
    tls_key: _File,
    tls_name: str | None,
) -> Client:
    if token is not None and token_file is not None:
        raise typer.BadParameter("Give the token or a file that holds it.", param_hint="--token-file")
    if token_file is not None:
        token = _read(token_file, "--token-file").decode("ascii", "replace").strip()
    for file, option in ((tls_ca, "--tls-ca"), (tls_cert, "--tls-cert"), (tls_key, "--tls-key")):
        if file is not None:
            _read(file, option)
    encrypts = tls or any((tls_ca, tls_cert, tls_key))
    if tls_name is not None and not encrypts:
        raise typer.BadParameter("There is no certificate without --tls or --tls-ca.", param_hint="--tls-name")
    try:
        encryption = TLS(tls_ca, tls_cert, tls_key, tls_name) if encrypts else None
        return Client(server, timeout=timeout, token=token, tls=encryption, token_in_clear=token_in_clear)
    except ValueError as error:
        hint = (
            str(error).replace("tls=TLS(...)", "--tls or --tls-ca").replace("token_in_clear=True", "--token-in-clear")
        )
        raise typer.BadParameter(hint) from None


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint=option) from None
