"""The command ``baznashr-server``. Everything heavy is imported where it is used, so that help is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from baznashr.errors import BaznashrError
from baznashr_server import garbage
from baznashr_server.bulk.cli import bulk
from baznashr_server.cli import folder
from baznashr_server.cli.doctor import doctor
from baznashr_server.kernel_cache import cache_folder, fault_of
from baznashr_server.settings import Settings, SettingsError, load
from baznashr_server.tune import cli as tune

if TYPE_CHECKING:
    from baznashr_server.access.protection import Protection

app = typer.Typer(
    name="baznashr-server",
    help="Flags repeated and republished Persian text before it is stored.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[Path | None, typer.Option(help="TOML file of settings, named as the flags are, with '_' for '-'.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print the settings in force as TOML, and exit.")]


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        print(f"baznashr-server: {line}", file=sys.stderr)
    raise typer.Exit(code)


def _load(config: Path | None, flags: dict[str, Any]) -> Settings:
    try:
        return load({name: value for name, value in flags.items() if value is not None}, file=config)
    except SettingsError as error:
        _fail(str(error), 2)


def _protection(settings: Settings) -> Protection:
    """Read the files of certificates and tokens, or end the process with what is wrong with them."""
    from baznashr_server.access.files import AccessError  # noqa: PLC0415 - see below
    from baznashr_server.access.protection import Protection  # noqa: PLC0415

    try:
        return Protection.read(settings.secrets)
    except AccessError as error:
        _fail(str(error), 2)


def _with_a_flag_for_each_setting(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the command's ``**flags`` by the fields of ``Settings``, which alone says what can be set."""
    own = [p for p in Signature.from_callable(command, eval_str=True).parameters.values() if p.kind != p.VAR_KEYWORD]
    flags = []
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        is_switch = field.annotation is bool
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        shown = f" (default: {_shown(default)})" if default else ""
        option = typer.Option(f"{flag}/--no-{flag[2:]}" if is_switch else flag, help=f"{field.description}{shown}")
        kind: Any = bool | None if is_switch else str | None  # pydantic reads the string
        flags.append(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]))
    parameters = [*own, *flags]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _shown(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


@app.command()
@_with_a_flag_for_each_setting
def serve(config: Config = None, print_config: PrintConfig = False, **flags: str | bool | None) -> None:
    """Serve a data folder over gRPC until SIGTERM, and print one line with the addresses once calls are answered.

    Settings come from flags, else from the environment (BAZNASHR_ and the name in capitals), else from the file.
    """
    settings = _load(config, flags)
    if print_config:
        typer.echo(settings.to_toml(), nl=False)
        return
    if settings.kernel_cache:  # read where the kernels are compiled, which is when they are imported
        os.environ["BAZNASHR_KERNEL_CACHE"] = str(settings.kernel_cache)
    protection = _protection(settings)
    garbage.put_off()  # until calls are answered
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # or each stranger's handshake would be a line that is no JSON
    from baznashr_server import app as server  # noqa: PLC0415 - takes a second, which help need not wait for
    from baznashr_server.rpc.listening import ListenError  # noqa: PLC0415

    try:
        server.run(settings, protection, announce=typer.echo)
    except SettingsError as error:
        _fail(str(error), 2)
    except ListenError as error:
        _fail(str(error), 1)
    except BaznashrError as error:
        _fail(error.message, 1)


@app.command("check-config")
@_with_a_flag_for_each_setting
def check_config(config: Config = None, print_config: PrintConfig = False, **flags: str | bool | None) -> None:
    """Say whether the settings can be used, with the files of certificates and tokens that they name.

    Exit code 2 and the reasons where they cannot.
    """
    settings = _load(config, flags)
    try:
        if settings.data.exists() and not settings.data.is_dir():
            _fail(f"data: {settings.data} is no folder", 2)
    except OSError as error:
        _fail(f"data: {settings.data}: {error.strerror}", 2)
    if settings.traces:
        from baznashr_server.obs.watch import require_otel  # noqa: PLC0415 - see above

        try:
            require_otel()
        except SettingsError as error:
            _fail(str(error), 2)
    protection = _protection(settings)
    warnings = list(protection.warnings)
    if protection.tokens is not None and not protection.tokens.all:
        warnings.append(f"{settings.tokens} holds no token, so that no call will be allowed")
    if fault := fault_of(settings.kernel_cache or cache_folder()):
        warnings.append(f"{fault}: each start compiles for up to a minute")
    for warning in warnings:
        print(f"baznashr-server: warning: {warning}", file=sys.stderr)
    typer.echo(settings.to_toml() if print_config else "The settings can be used.", nl=not print_config)


@app.command("new-token")
def new_token(
    name: Annotated[str, typer.Argument(help="Of the caller, for logs.")],
    scopes: Annotated[
        str, typer.Option(help="What it may do: read, write, admin, separated by commas.")
    ] = "read,write",
) -> None:
    """Make a token: print it on standard error, and its entry for the file of tokens on standard output.

    The token is shown this once and kept nowhere; the entry holds its digest.
    """
    from baznashr_server.access.tokens import entry_for  # noqa: PLC0415 - see above

    try:
        token, entry = entry_for(name, scopes.split(","))
    except ValueError as error:
        _fail(str(error), 2)
    print(token, file=sys.stderr)
    typer.echo(entry, nl=False)


for command in (folder.verify, folder.backup, folder.restore, folder.export, folder.reindex):
    app.command()(command)
app.command("import")(folder.import_)
app.command()(bulk)
app.command()(doctor)
app.command()(tune.tune)
app.command()(tune.export_overrides)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"baznashr-server {version('baznashr-server')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; what it prints and nobody can be given ends it as other failures do."""
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # closed from the beginning
                sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:  # of a file that this user may not read, such as another's data folder
            print(f"baznashr-server: {error.filename}: {error.strerror}", file=sys.stderr)
            sys.exit(1)
        if _takes_output():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would tell of its own last try, too
        print(f"baznashr-server: the output cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _takes_output() -> bool:
    try:
        print(flush=True)
    except OSError:
        return False
    return True
