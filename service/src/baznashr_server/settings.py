"""The settings of the server: flags over environment over a TOML file over defaults."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from baznashr_server.access.files import Files
from baznashr_server.limits import CORPUS_NAME
from baznashr_server.profile import PROFILE_OF

ENV_PREFIX = "BAZNASHR_"
_NOT_OURS = re.compile(
    r"EVAL_DATA|FAILPOINT|SEED"  # read by the tests and at failpoints
    r"|SERVER|TOKEN|TOKEN_FILE|TLS_CA|TLS_CERT|TLS_KEY"  # read by the client's command
    r"|(SERVER_)?(SERVICE_.*|PORT(_.*)?)"  # set by Kubernetes beside a Service named "baznashr" or "baznashr-server"
)


class SettingsError(ValueError):
    """The settings cannot be used; each line of the message says which one and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: ``HOST:PORT``, ``[IPV6]:PORT``; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read *text*; ValueError says what is wrong with it."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise ValueError(f"{text!r} is no HOST:PORT")
        try:
            host.encode("idna")  # as whoever looks it up does, with an error that no caller expects
        except UnicodeError:
            raise ValueError(f"{host!r} is no name of a host") from None
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def with_port(self, port: int) -> Address:
        return Address(self.host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> Address | None:
    if value is None or isinstance(value, Address):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string, HOST:PORT")  # noqa: TRY004 - pydantic reports ValueError as a violation, TypeError as a bug
    return Address.parse(value) if value else None


def _folder(value: object) -> object:
    if value == "":  # which would be the folder that the process happens to be started in
        raise ValueError("must name a folder")
    return value


def _names(value: object) -> object:
    return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


def _corpora(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not re.fullmatch(CORPUS_NAME, name):
            raise ValueError(f"{name!r} is no corpus name")
    return names


def _profile(name: str) -> str:
    if name and name not in PROFILE_OF:
        raise ValueError(f"there is no {name!r}; this release knows {', '.join(PROFILE_OF)}")
    return name


def _endpoint(value: str) -> str:
    scheme, _, address = value.partition("://")
    if value and scheme not in {"http", "https"}:
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
    if "@" in address:
        raise ValueError("holds a secret, which no setting does; send it by OTEL_EXPORTER_OTLP_HEADERS")
    if value:
        Address.parse(address)
    return value


_Text = PlainSerializer(lambda value: "" if value is None else str(value), return_type=str)
AddressSetting = Annotated[Address, BeforeValidator(_address), _Text]
OptionalAddressSetting = Annotated[Address | None, BeforeValidator(_address), _Text]
Folder = Annotated[Path, BeforeValidator(_folder), _Text]
OptionalFolder = Annotated[Path | None, BeforeValidator(lambda value: value or None), _Text]
OptionalFile = OptionalFolder
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
CorpusNames = Annotated[Names, AfterValidator(_corpora)]
ProfileName = Annotated[str, AfterValidator(_profile)]


class Settings(BaseSettings):
    """Every setting of ``baznashr-server serve``."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True, enable_decoding=False
    )

    data: Folder
    """Folder of the store; made if it is missing. One server or engine owns it at a time."""
    listen: AddressSetting = Address("127.0.0.1", 50051)
    """HOST:PORT of the gRPC server; port 0 takes a free one and names it in the ready line."""
    insecure: bool = False
    """Serve without TLS, or without tokens and client certificates, on an address that other machines can reach."""
    tls_certificate: OptionalFile = None
    """PEM file of the server's certificate and what links it to its authority; read again when it changes."""
    tls_private_key: OptionalFile = None
    """PEM file of the certificate's key, without a password."""
    tls_client_ca: OptionalFile = None
    """PEM file of the authority whose certificates clients must show (mTLS); empty asks for none."""
    tls_client_names: Names = ()
    """Of those certificates, the subject alternative names that may call, separated by commas; empty takes all."""
    tokens: OptionalFile = None
    """TOML file of the tokens, one of which callers must send; read again when it changes; empty asks for none."""
    health: OptionalAddressSetting = None
    """HOST:PORT that answers health alone, in clear, for probes that speak no TLS; empty has none."""
    admin: OptionalAddressSetting = None
    """HOST:PORT of the AdminService; empty serves it beside the other services."""
    metrics: OptionalAddressSetting = Address("127.0.0.1", 9464)
    """HOST:PORT of the Prometheus endpoint, plain HTTP; empty turns it off."""
    metrics_corpora: CorpusNames = ("default",)
    """Corpora whose sizes are exported under their own name, separated by commas; the others are summed up."""
    workers: int = Field(default_factory=lambda: max(2, os.cpu_count() or 1), ge=1, le=256)
    """Threads for single calls, and half as many for batches and streams; more than the cores there are do not help."""
    group_commit_max_documents: int = Field(512, ge=1, le=65_536)
    """Most documents that share one durable commit."""
    group_commit_wait_ms: float = Field(0.0, ge=0, le=1000)
    """How long a commit waits for company, in milliseconds; whatever arrives during a commit shares the next."""
    snapshot_seconds: float = Field(600.0, ge=1, le=86_400)
    """Least time between two snapshots of the tables in memory, which speed the start after a crash."""
    profile: ProfileName = ""
    """Profile to bring the store under: made in the background, taken at a later start; empty leaves it as it is."""
    backup_dir: OptionalFolder = None
    """Folder that BackupStore writes to, made if it is missing; empty refuses backups over gRPC."""
    max_memory_mib: int = Field(0, ge=0, le=1 << 24)
    """MiB that the process may hold; above it documents are refused as OVERLOADED, checks go on; 0 sets no ceiling."""
    max_concurrent_calls: int = Field(64, ge=1, le=100_000)
    """Calls and stream items worked on at once."""
    max_queued_calls: int = Field(512, ge=0, le=100_000)
    """Calls that may wait for their turn; the next is refused as OVERLOADED and told when to come back."""
    max_streams: int = Field(256, ge=1, le=100_000)
    """Streams open at once; the next is refused as OVERLOADED."""
    drain_seconds: float = Field(0.0, ge=0, le=600)
    """After SIGTERM, how long calls are still taken while health says NOT_SERVING, for load balancers to notice."""
    grace_seconds: float = Field(20.0, ge=0, le=600)
    """After that, how long calls in flight may take to finish before they are cancelled."""
    reflection: bool = False
    """Offer gRPC server reflection, for tools such as grpcurl."""
    log_format: Literal["json", "console"] = "json"
    """How log lines are written to standard error: json or console."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged: debug, info, warning or error; debug has one line for each call."""
    slow_call_seconds: float = Field(1.0, ge=0, le=3600)
    """Calls and stream items that take as long are logged with the stage that took longest, in seconds; 0 logs none."""
    census_seconds: float = Field(60.0, ge=1, le=86_400)
    """Least time between two counts of clusters and buckets for the metrics; they take at most 1 % of the time."""
    traces: Endpoint = ""
    """Where spans are sent by OTLP over gRPC, http://HOST:PORT or https://HOST:PORT; empty sends none. Needs the extra
    otel."""
    trace_ratio: float = Field(0.01, ge=0, le=1)
    """Share of the calls that are traced; those that bring a W3C traceparent are traced if it says so."""
    kernel_cache: OptionalFolder = None
    """Folder of the compiled kernels, writable by the service alone; empty takes one below the user's cache folder."""

    _file: ClassVar[Path | None] = None

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        for name, value, needed in (
            ("tls_certificate", self.tls_certificate, "tls_private_key"),
            ("tls_private_key", self.tls_private_key, "tls_certificate"),
            ("tls_client_ca", self.tls_client_ca, "tls_certificate"),
            ("tls_client_names", self.tls_client_names, "tls_client_ca"),
        ):
            if value and not getattr(self, needed):
                raise ValueError(f"{name} needs {needed}")
        return self

    @model_validator(mode="after")
    def _only_loopback_without_protection(self) -> Settings:
        lacking = [
            lack
            for lack, is_there in (
                ("encrypted (tls_certificate)", self.tls_certificate),
                ("authenticated (tokens or tls_client_ca)", self.tokens or self.tls_client_ca),
            )
            if not is_there
        ]
        reachable = [
            f"{name}: {address}"
            for name, address in (("listen", self.listen), ("admin", self.admin))
            if address and not address.is_loopback
        ]
        if reachable and lacking and not self.insecure:
            raise ValueError(
                f"{reachable[0]} can be reached by other machines, and calls are not {' and not '.join(lacking)}; "
                "set that, listen on 127.0.0.1, or say --insecure"
            )
        return self

    @property
    def secrets(self) -> Files:
        """Where certificates and tokens are; no setting holds a secret itself."""
        return Files(self.tls_certificate, self.tls_private_key, self.tls_client_ca, self.tokens)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the file; nothing is read from ``.env``."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=cls._file)
        return init_settings, env_settings, file

    def to_toml(self) -> str:
        """Return the settings as the text of a settings file."""
        values = self.model_dump(mode="json").items()
        return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values)


def load(flags: Mapping[str, Any] | None = None, *, file: Path | None = None) -> Settings:
    """Read the settings from *flags*, the environment, and the TOML *file*, the first that has one winning.

    Raises:
        SettingsError: A value is refused, a setting is unknown, or the file cannot be read.
    """
    _refuse_unknown_variables()
    try:
        is_file = file is None or file.is_file()
    except OSError as error:
        raise SettingsError(f"config: {file}: {error.strerror}") from None
    if not is_file:
        raise SettingsError(f"config: {file} is no file")
    sourced = type("Settings", (Settings,), {"_file": file, "__module__": __name__})
    try:
        settings: Settings = sourced(**dict(flags or {}))
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(violation) for violation in error.errors())) from None
    except (ValueError, RecursionError) as error:  # the TOML file does not parse
        raise SettingsError(f"config: {file}: {error}") from None
    return settings


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        setting = name.removeprefix(ENV_PREFIX)
        if setting != name and setting.lower() not in Settings.model_fields and not _NOT_OURS.fullmatch(setting):
            raise SettingsError(f"{name}: no such setting in the environment")


def _sentence(violation: Mapping[str, Any]) -> str:
    name = ".".join(map(str, violation["loc"]))
    match violation["type"]:
        case "missing":
            return f"{name}: must be set, by flag, environment or file"
        case "extra_forbidden":
            return f"{name}: no such setting"
    message = str(violation["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
