"""The files that start the service elsewhere: well formed, hardened, and in agreement with the code."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate
import pytest
import yaml

from baznashr_server.engine import Engine
from baznashr_server.limits import MAX_SNAPSHOT_COPY_BYTES
from baznashr_server.profile import PROFILES
from baznashr_server.rpc.methods import SERVICES
from baznashr_server.settings import Settings
from baznashr_server.store.backup import backup_folder, restore_database
from tests.support.server import serving

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "baznashr.service"
MANIFESTS = [
    manifest
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
DROP_IN = DEPLOY / "systemd" / "network.conf"
OTHERS_KINDS = {"Kustomization", "ServiceMonitor"}
"""Of tools beside Kubernetes, which has no schema of theirs."""
analyze = shutil.which("systemd-analyze")


def manifest(kind: str, name: str = "baznashr") -> Any:
    """Return the one manifest of that kind and name."""
    (found,) = [each for each in MANIFESTS if each["kind"] == kind and each.get("metadata", {}).get("name") == name]
    return found


def container() -> Any:
    """Return the one container of the pod."""
    (found,) = manifest("StatefulSet")["spec"]["template"]["spec"]["containers"]
    return found


def dockerfile() -> str:
    """Return the text of the Dockerfile."""
    return (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")


def settings_named(flags: list[str]) -> set[str]:
    """Return the names of the settings that *flags* set."""
    return {flag.removeprefix("--").partition("=")[0].replace("-", "_") for flag in flags}


@pytest.mark.parametrize(
    "named", [each for each in MANIFESTS if each["kind"] not in OTHERS_KINDS], ids=lambda m: m["kind"]
)
@pytest.mark.parametrize("release", ["1.30", "1.37"])
def test_manifests_are_of_kubernetes_schemas(named: dict[str, Any], release: str) -> None:
    """An old and a new release know each kind and field, and no field is one that they do not know."""
    assert kubernetes_validate.validate(named, release, strict=True)


def test_every_yaml_file_is_one() -> None:
    """Each YAML file under deploy parses to something, with no key twice."""

    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: Strict, node: yaml.MappingNode) -> dict[Any, Any]:
        pairs = [(loader.construct_object(key), loader.construct_object(value, deep=True)) for key, value in node.value]
        assert len({key for key, _ in pairs}) == len(pairs), f"a key twice in line {node.start_mark.line + 1}"
        return dict(pairs)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    files = [file for pattern in ("*.yml", "*.yaml") for file in DEPLOY.rglob(pattern)]
    assert len(files) > 8
    for file in files:
        assert all(yaml.load_all(file.read_text(encoding="utf-8"), Loader=Strict)), file


def test_settings_exist() -> None:
    """Every flag and variable in the image, the compose file, the manifests and the unit is a setting."""
    compose = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    named = settings_named(compose["services"]["baznashr"]["command"]) | settings_named(container()["args"])
    for text in (dockerfile(), UNIT.read_text(encoding="utf-8"), DROP_IN.read_text(encoding="utf-8")):
        named |= {name.lower() for name in re.findall(r"BAZNASHR_([A-Z_]+)=", text)}
    named |= set(tomllib.loads((DEPLOY / "systemd" / "server.toml").read_text(encoding="utf-8")))
    assert named > {"data", "health", "tls_certificate", "tls_private_key", "tokens"}
    assert named - set(Settings.model_fields) == set()


def test_nothing_is_open_by_itself() -> None:
    """No file serves without TLS and tokens, and compose publishes to this machine alone."""
    compose = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    flags = (compose["services"]["baznashr"]["command"], container()["args"])
    assert all(settings_named(each) >= {"tls_certificate", "tls_private_key", "tokens"} for each in flags)
    files = [file for file in DEPLOY.rglob("*") if file.suffix in {".yml", ".yaml", ".conf", ".toml", ".service"}]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    lines += [line for line in dockerfile().splitlines() if not line.startswith("#")]
    assert [line for line in lines if "insecure" in line.lower()] == []
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_secrets_are_where_the_flags_say() -> None:
    """Each file of certificates and tokens that a flag names is mounted, read-only, from a secret."""
    compose = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    service = compose["services"]["baznashr"]
    mounted = {f"/run/secrets/{name}" for name in service["secrets"]}
    assert {flag.partition("=")[2] for flag in service["command"] if "=/run/secrets/" in flag} == mounted
    assert set(service["secrets"]) == set(compose["secrets"])
    spec = manifest("StatefulSet")["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
    paths = [flag.partition("=")[2] for flag in container()["args"] if "=/run/secrets/" in flag]
    mounts = {mount["mountPath"]: mount for mount in container()["volumeMounts"]}
    assert len(paths) == 3
    for path in map(PurePosixPath, paths):
        mount = mounts[str(path.parent)]
        assert mount["readOnly"]
        assert secrets[mount["name"]]["defaultMode"] == 0o440
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [each["secretName"] for each in secrets.values() if each["secretName"] not in readme] == []


def test_the_drop_in_names_what_the_guide_installs() -> None:
    """The files of the drop-in are those that the script makes and the guide gives to its group."""
    text, readme = DROP_IN.read_text(encoding="utf-8"), (DEPLOY / "README.md").read_text(encoding="utf-8")
    files = {Path(path).name for path in re.findall(r"=(/etc/baznashr/\S+)", text)}
    assert files == {"server.pem", "server.key", "tokens.toml"}
    assert f"chown root:baznashr-secrets {' '.join(sorted(files, key=readme.index))}" in readme
    assert "SupplementaryGroups=baznashr-secrets" in text


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The build is apart from the image, which ends as a user without rights, with a health check and warm kernels."""
    text = dockerfile()
    assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == 2
    final = text[text.rindex("\nFROM ") :]
    assert final.index("warm_up()") < final.index("\nUSER 10001:10001\n") < final.index("\nENTRYPOINT ")
    assert "HEALTHCHECK" in final
    assert "--from=build" in final
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert [source for source in copied.split() if not (DEPLOY.parent / source).exists()] == []


def test_rules_are_given_to_the_operator(tmp_path: Path) -> None:
    """The guide's command makes of each file of rules an object of the operator's, which holds the same groups."""
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (loop,) = re.findall(r"^\$ (for name in .+?^  done)$", guide, re.MULTILINE | re.DOTALL)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho ---\ncat\n")
    kubectl.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", loop], cwd=DEPLOY.parent, env=path, capture_output=True, text=True, check=True)
    made = list(yaml.safe_load_all(done.stdout))
    files = [DEPLOY / "prometheus" / name for name in ("rules.yml", "alerts.yml")]
    assert [each["kind"] for each in made] == ["PrometheusRule"] * 2
    assert [each["spec"] for each in made] == [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


def test_the_compose_file_mounts_what_is_there() -> None:
    """Every bind mount and the build context exist, containers drop their capabilities, and no image is `latest`."""
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))["services"]
    for service in services.values():
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert [source for source in sources if source[0] == "." and not (DEPLOY / source).exists()] == []
        assert service["cap_drop"] == ["ALL"]
        assert re.fullmatch(r"baznashr-server|\S+:v?\d+\.\d+\.\d+", service["image"])
    build = services["baznashr"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert services["baznashr"]["read_only"] is True


def test_the_dashboard_is_provisioned() -> None:
    """Grafana finds the dashboard where the compose file mounts it, and Prometheus by its name there."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "baznashr.yml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounts["./grafana/baznashr.json"] == f"{provider['options']['path']}/baznashr.json"
    assert source["url"] == "http://prometheus:9090"


def test_the_pod_is_hardened() -> None:
    """Nothing runs as root, the root file system is read-only, and what is written has a volume."""
    pod = manifest("StatefulSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in container()["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/baznashr", "/var/backups/baznashr", "/tmp"}


def test_backups_have_a_place() -> None:
    """The folder of backups is a volume of its own in each container, and made in the image for who serves."""
    service = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))["services"]["baznashr"]
    mounts = [volume.split(":")[1] for volume in service["volumes"]]
    for flags, mounted in (
        (service["command"], mounts),
        (container()["args"], [mount["mountPath"] for mount in container()["volumeMounts"]]),
    ):
        (folder,) = [flag.partition("=")[2] for flag in flags if flag.startswith("--backup-dir=")]
        assert folder in mounted
        assert re.search(rf"install -d -o baznashr -g baznashr -m 0700 .*{folder}\b", dockerfile())


def test_the_store_is_below_its_volume(tmp_path: Path) -> None:
    """What comes with a volume, as Kubernetes gives it to a group, is neither in the way nor called broken."""
    (data,) = re.findall(r"BAZNASHR_DATA=(\S+)", dockerfile())
    volume = PurePosixPath(re.findall(r"^VOLUME (\S+)", dockerfile(), re.MULTILINE)[0])
    assert PurePosixPath(data).parent == volume
    assert str(volume) in {mount["mountPath"] for mount in container()["volumeMounts"]}
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o2775)
    Engine.open(tmp_path / "store").close()
    backup_folder(tmp_path / "store", tmp_path / "backup.sqlite3")
    restore_database(tmp_path / "backup.sqlite3", tmp_path / "restored", PROFILES)
    command = [sys.executable, "-m", "baznashr_server", "doctor", str(tmp_path / "restored"), "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ok: permissions" in done.stdout


def test_the_pod_refuses_before_it_is_killed() -> None:
    """Documents are refused while the largest snapshot, copied in memory, and /tmp still fit below the limit."""
    (flag,) = [flag for flag in container()["args"] if flag.startswith("--max-memory-mib=")]
    volumes = manifest("StatefulSet")["spec"]["template"]["spec"]["volumes"]
    (tmp,) = [volume["emptyDir"]["sizeLimit"] for volume in volumes if "emptyDir" in volume]
    limit = container()["resources"]["limits"]["memory"]
    kept = int(flag.partition("=")[2]) + (MAX_SNAPSHOT_COPY_BYTES >> 20) + int(tmp.removesuffix("Mi"))
    assert kept <= int(limit.removesuffix("Gi")) * 1024


def test_the_pod_has_time_to_stop() -> None:
    """The grace of the pod is longer than the server's own, drain included."""
    flags = dict(flag.removeprefix("--").split("=") for flag in container()["args"] if "=" in flag)
    own = float(flags["drain-seconds"]) + Settings.model_fields["grace_seconds"].default
    assert manifest("StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= own + 30


def test_probes_ask_health() -> None:
    """All probes are gRPC's own, on the port that answers health in clear, about services that exist."""
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert f"--health=0.0.0.0:{ports['health']}" in container()["args"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container()[probe]["grpc"]
        assert asked["port"] == ports["health"]
        assert asked.get("service", SERVICES[0]) in SERVICES
    startup = container()["startupProbe"]
    seconds = startup["periodSeconds"] * startup["failureThreshold"]
    assert f"HEALTHCHECK --interval=10s --timeout=5s --start-period={seconds}s" in dockerfile()


def test_manifests_belong_together() -> None:
    """Services, policy and monitor select the pod by labels it has, and name ports it has."""
    stateful = manifest("StatefulSet")["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    names = {port["name"] for port in container()["ports"]}
    assert stateful["selector"]["matchLabels"] == labels
    assert manifest("Service", stateful["serviceName"])["spec"]["clusterIP"] == "None"
    for service in (manifest("Service"), manifest("Service", stateful["serviceName"])):
        assert service["spec"]["selector"] == labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    monitor = manifest("ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= manifest("Service")["metadata"]["labels"].items()
    assert {point["port"] for point in monitor["spec"]["endpoints"]} == {"metrics"}
    assert manifest("Service")["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "baznashr"
    policy = manifest("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == names - {"health"}
    listed = next(each for each in MANIFESTS if each["kind"] == "Kustomization")["resources"]
    assert {*listed, "kustomization.yaml"} == {file.name for file in (DEPLOY / "kubernetes").glob("*.yaml")}


@pytest.mark.skipif(analyze is None, reason="systemd-analyze is not on the PATH")
def test_the_unit_is_sound_and_hardened(tmp_path: Path) -> None:
    """The unit with its drop-in has no fault, and by systemd's score, without it, an exposure of at most 1.5."""
    assert analyze is not None
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/baznashr/bin/baznashr-server", sys.executable), encoding="utf-8")
    drop_in = tmp_path / f"{UNIT.name}.d" / DROP_IN.name
    drop_in.parent.mkdir()
    drop_in.write_bytes(DROP_IN.read_bytes())
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    command = [analyze, "security", "--offline=true", "--no-pager", UNIT]
    scored = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (score,) = re.findall(r"Overall exposure level for \S+: (\d+\.\d+)", scored)
    assert float(score) <= 1.5


@pytest.mark.timeout(300)
def test_the_health_check_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with 0 where the server serves, with a sentence where nobody answers."""

    def check(address: str) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["healthcheck.py", address])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(DEPLOY / "docker" / "healthcheck.py"))
        return ended.value.code

    with serving(tmp_path / "data", "--health", "127.0.0.1:0") as server:
        assert not check(server.health)
    assert check(server.health) == f"{server.health}: UNAVAILABLE"


def test_the_settings_file_of_the_unit_serves() -> None:
    """The command reads the file that comes with the unit, which says all that is needed to examine the folder, too."""
    file = DEPLOY / "systemd" / "server.toml"
    (folder,) = re.findall(r"^StateDirectory=(.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert tomllib.loads(file.read_text(encoding="utf-8"))["data"] == f"/var/lib/{folder}"
    command = [sys.executable, "-m", "baznashr_server", "check-config", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "The settings can be used.\n", done.stderr
