"""The command ``baznashr-server``. Everything heavy is imported where it is used, so that help is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from baznashr.errors import BaznashrError
from baznashr_server.cli import folder
from baznashr_server.settings import Settings, SettingsError, load
from baznashr_server.tune import cli as tune

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


def _with_a_flag_for_each_setting(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the command's ``**flags`` by the fields of ``Settings``, which alone says what can be set."""
    own = [p for p in Signature.from_callable(command, eval_str=True).parameters.values() if p.kind != p.VAR_KEYWORD]
    flags = []
    for name, field in Settings.model_fields.items():
        flag = "--" + name.replace("_", "-")
        is_switch = field.annotation is bool
        default = "" if field.is_required() or not field.default else f" (default: {_shown(field.default)})"
        option = typer.Option(f"{flag}/--no-{flag[2:]}" if is_switch else flag, help=f"{field.description}{default}")
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
    from baznashr_server import app as server  # noqa: PLC0415 - takes a second, which help need not wait for
    from baznashr_server.rpc.server import ListenError  # noqa: PLC0415

    try:
        server.run(settings, announce=typer.echo)
    except ListenError as error:
        _fail(str(error), 1)
    except BaznashrError as error:
        _fail(error.message, 1)


@app.command("check-config")
@_with_a_flag_for_each_setting
def check_config(config: Config = None, print_config: PrintConfig = False, **flags: str | bool | None) -> None:
    """Say whether the settings can be used; exit code 2 and the reasons where they cannot."""
    settings = _load(config, flags)
    typer.echo(settings.to_toml() if print_config else "The settings can be used.", nl=not print_config)


for command in (folder.verify, folder.backup, folder.restore, folder.export, folder.reindex):
    app.command()(command)
app.command("import")(folder.import_)
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
    app()
