"""Settings: where they come from, which wins, and what is refused."""

from pathlib import Path

import pytest

from baznashr_server.settings import Address, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"BAZNASHR_{name.upper()}", raising=False)


def config(folder: Path, text: str) -> Path:
    path = folder / "baznashr.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source overrides those behind it, setting by setting."""
    file = config(tmp_path, 'data = "/file"\nworkers = 3\nmax_streams = 3\n')
    monkeypatch.setenv("BAZNASHR_WORKERS", "4")
    monkeypatch.setenv("BAZNASHR_DATA", "/environment")
    settings = load({"data": "/flag"}, file=file)
    assert (settings.data, settings.workers, settings.max_streams) == (Path("/flag"), 4, 3)
    assert settings.max_queued_calls == Settings.model_fields["max_queued_calls"].default


def test_what_is_printed_reads_back_as_the_same_settings(tmp_path: Path) -> None:
    """The printed settings are a settings file that means the same."""
    flags = {"data": '/a "quoted" پوشه', "metrics": "", "metrics_corpora": "news,sport", "listen": "[::1]:0"}
    settings = load({**flags, "kernel_cache": "/kernels"})
    assert load(file=config(tmp_path, settings.to_toml())).model_dump() == settings.model_dump()


TLS = {"tls_certificate": "c", "tls_private_key": "k"}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({}, "data: must be set"),
        ({"data": ""}, "data: must name a folder"),
        ({"data": "d", "worker": 1}, "worker: no such setting"),
        ({"data": "d", "workers": 0}, "workers: "),
        ({"data": "d", "listen": "50051"}, "listen: '50051' is no HOST:PORT"),
        ({"data": "d", "listen": ":50051"}, "listen: "),
        ({"data": "d", "listen": "127.0.0.1:70000"}, "listen: "),
        ({"data": "d", "metrics": "a..b:9464"}, "metrics: 'a..b' is no name of a host"),
        ({"data": "d", "traces": f"http://{'a' * 64}:4317"}, "is no name of a host"),
        ({"data": "d", "listen": "0.0.0.0:50051"}, "say --insecure"),
        ({"data": "d", "listen": "[::]:50051"}, "say --insecure"),
        ({"data": "d", "listen": "db.example:50051"}, "say --insecure"),
        ({"data": "d", "admin": "192.0.2.1:50052"}, "admin: 192.0.2.1:50052 can be reached"),
        ({"data": "d", "listen": "0.0.0.0:1", "tokens": "t"}, "not encrypted (tls_certificate); "),
        ({"data": "d", "listen": "0.0.0.0:1", **TLS}, "not authenticated (tokens or tls_client_ca); "),
        ({"data": "d", "tls_certificate": "c"}, "tls_certificate needs tls_private_key"),
        ({"data": "d", "tls_private_key": "c"}, "tls_private_key needs tls_certificate"),
        ({"data": "d", "tls_client_ca": "c"}, "tls_client_ca needs tls_certificate"),
        ({"data": "d", **TLS, "tls_client_names": "a"}, "tls_client_names needs tls_client_ca"),
        ({"data": "d", "log_level": "loud"}, "log_level: "),
    ],
)
def test_bad_settings_are_named(flags: dict[str, object], sentence: str) -> None:
    """A refused setting is named, with the reason."""
    with pytest.raises(SettingsError) as refused:
        load(flags)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.1.2.3:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_no_flag(address: str) -> None:
    """What only this machine can reach may be served without protection."""
    assert str(load({"data": "d", "listen": address}).listen) == address


@pytest.mark.parametrize("who", [{"tokens": "t"}, {"tls_client_ca": "a"}])
def test_protection_allows_any_address(who: dict[str, str]) -> None:
    """With TLS, and tokens or client certificates, other machines may be served."""
    assert load({"data": "d", "listen": "0.0.0.0:1", **TLS, **who}).listen == Address("0.0.0.0", 1)


def test_insecure_allows_any_address() -> None:
    """The operator may take the risk, in so many words."""
    assert load({"data": "d", "listen": "0.0.0.0:1", "insecure": True}).listen == Address("0.0.0.0", 1)


@pytest.mark.parametrize("text", ["nonsense = 1\n", "data = \n", "workers = 'many'\n", f"data = {'[' * 5000}"])
def test_bad_files_are_refused(tmp_path: Path, text: str) -> None:
    """Unknown keys, broken TOML and wrong types in a file are errors, not ignored."""
    with pytest.raises(SettingsError):
        load({"data": "d"}, file=config(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(SettingsError, match="is no file"):
        load({"data": "d"}, file=tmp_path / "missing.toml")


def test_unknown_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting in the environment does not go unnoticed."""
    monkeypatch.setenv("BAZNASHR_WORKRES", "4")
    with pytest.raises(SettingsError, match="BAZNASHR_WORKRES: no such setting"):
        load({"data": "d"})


@pytest.mark.parametrize(
    "name",
    [
        "SERVICE_HOST",
        "SERVICE_PORT_GRPC",
        "PORT",
        "PORT_50051_TCP_ADDR",
        "SERVER_PORT",
        "SERVER",
        "EVAL_DATA",
        "TLS_CA",
    ],
)
def test_others_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What Kubernetes sets beside a Service named "baznashr", and what our other programs read, is no mistake."""
    monkeypatch.setenv(f"BAZNASHR_{name}", "tcp://10.0.0.1:50051")
    load({"data": "d"})


def test_every_setting_is_documented() -> None:
    """Each setting says what it is."""
    undocumented = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not undocumented
