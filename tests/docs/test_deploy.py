"""What is in deploy is what its tools accept, and names only what there is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.models.base import LANES
from service.observability.metrics import Metrics
from service.reload.job import ENDS
from service.settings.names import variables
from tests.support import haproxy

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
REPLICAS = sorted((DEPLOY / "kubernetes" / "replicas").glob("*.yaml"))
# They are made one by one, each time that they are needed.
JOBS = sorted(path for job in ("migrate", "embed") for path in (DEPLOY / "kubernetes" / job).glob("*.yaml"))
MANIFESTS = (*KUBERNETES, *REPLICAS, *JOBS)
# Each is applied as a whole.
FOLDERS = sorted({path.parent for path in MANIFESTS})
WITH_PODS = ("StatefulSet", "Deployment", "Job")
BIN = Path(sys.executable).parent


def run(*command: object) -> None:
    ran = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_linters_find_nothing() -> None:
    run(BIN / "hadolint", "Dockerfile")
    run(BIN / "yamllint", "--strict", "deploy", ".yamllint.yaml")
    for compose in ("deploy/compose.yaml", "deploy/compose.replicas.yaml", "deploy/docsgpt/compose.yaml"):
        run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose)
    objects = [path for path in MANIFESTS if path.name != "kustomization.yaml"]
    run(BIN / "kubernetes-validate", "--strict", *objects)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="it needs systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / "instar.service").read_text(encoding="utf-8")
    (tmp_path / "instar.service").write_text(unit.replace("/opt/instar/bin/instar", str(BIN / "instar")))
    run("systemd-analyze", "verify", "--man=no", tmp_path / "instar.service")


def test_settings_are_those_that_there_are() -> None:
    known = {name for name, _ in variables()}
    # Of the compose files themselves: where checkpoints are on the host, and the name of an image that is published.
    known |= {"INSTAR_CHECKPOINTS", "INSTAR_IMAGE"}
    files = [ROOT / "Dockerfile", *DEPLOY.glob("compose*.yaml"), *MANIFESTS]
    for path in (*files, DEPLOY / "systemd" / "instar.service"):
        named = set(re.findall(r"INSTAR_[A-Z_]+", path.read_text(encoding="utf-8"))) - {"INSTAR_NAME"}
        assert named <= known, path
    assert "INSTAR_KEYS_FILE" in (DEPLOY / "kubernetes" / "statefulset.yaml").read_text(encoding="utf-8")


def mounted(compose: str) -> set[str]:
    """What the services of a compose file mount from this machine, and the names of volumes."""
    services = load(DEPLOY / compose)["services"].values()
    return {mount.split(":")[0] for service in services for mount in service["volumes"]}


def test_what_is_copied_and_mounted_is_there() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    arguments = dict(re.findall(r"^ARG (\w+)=(\S*)$", docker, re.MULTILINE))
    for line in re.findall(r"^COPY (?!--from)(.*)$", docker, re.MULTILINE):
        for source in line.split()[:-1]:
            path = re.sub(r"\$\{(\w+)\}", lambda name: arguments[name[1]], source)
            assert (ROOT / path).exists(), path
            assert f"!{path.rstrip('/')}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines(), path
    mounts = mounted("compose.yaml") | mounted("compose.replicas.yaml")
    assert {mount for mount in mounts if mount.startswith("./")} == {
        "./prometheus/prometheus.yaml",
        "./prometheus/alerts.yaml",
        "./grafana/provisioning",
        "./grafana/instar.json",
        "./haproxy/haproxy.cfg",
    }
    for mount in mounts:
        assert not mount.startswith("./") or (DEPLOY / mount).exists(), mount


def test_each_manifest_is_applied_with_its_folder() -> None:
    assert [folder.name for folder in FOLDERS] == ["kubernetes", "embed", "migrate", "replicas"]
    for folder in FOLDERS:
        resources = load(folder / "kustomization.yaml")["resources"]
        assert {path.name for path in folder.glob("*.yaml")} == {"kustomization.yaml", *resources}


def test_images_are_of_this_version_and_one_that_is_published_can_take_their_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for compose, kind in (("compose.yaml", ""), ("compose.replicas.yaml", "-replicas")):
        built = [service for service in load(DEPLOY / compose)["services"].values() if "build" in service]
        assert {service["image"] for service in built} == {f"${{INSTAR_IMAGE:-instar:{version}{kind}}}"}
    # The command below puts another image in its place.
    assert {pod["containers"][0]["image"] for pod in pods()} == {f"instar:{version}"}


def setting(folder: Path) -> str:
    """The command in the head of a folder's kustomization that sets the image, without what applies it."""
    head = (folder / "kustomization.yaml").read_text(encoding="utf-8")
    (command,) = re.findall(
        r"^#   (kubectl kustomize .*) \| kubectl (?:apply|replace --force) -f -$", head, re.MULTILINE
    )
    return str(command)


def test_the_image_is_set_by_one_command_for_every_manifest() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    kubernetes = DEPLOY / "kubernetes"
    assert f"{setting(kubernetes)} | kubectl apply -f -" in page
    for folder in FOLDERS:
        relative = folder.relative_to(ROOT).as_posix()
        assert setting(folder) == setting(kubernetes).replace("deploy/kubernetes", relative)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="it needs kubectl")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kubectl_takes_the_command_and_every_pod_has_that_image(folder: Path) -> None:
    name = "registry.example.com:5000/team/instar@sha256:0a"
    environment = {**os.environ, "INSTAR_IMAGE": name}
    said = subprocess.run(
        ["sh", "-c", setting(folder)], cwd=ROOT, env=environment, capture_output=True, check=True
    ).stdout
    rendered = [each["spec"]["template"]["spec"] for each in yaml.safe_load_all(said) if each["kind"] in WITH_PODS]
    assert [container["image"] for pod in rendered for container in pod["containers"]] == [name]


@pytest.mark.parametrize("compose", ["compose.yaml", "compose.replicas.yaml"])
def test_compose_says_both_how_to_build_the_image_and_how_to_take_one(compose: str) -> None:
    text = (DEPLOY / compose).read_text(encoding="utf-8")
    command = f"docker compose -f deploy/{compose} up"
    assert re.findall(rf"^#   (INSTAR_IMAGE=\S+ )?{re.escape(command)} (.*)$", text, re.MULTILINE) == [
        ("", "--build"),
        (f"INSTAR_IMAGE={published(compose)} ", "--no-build"),
    ]
    assert "docker compose -f deploy/compose.yaml up --no-build" in (ROOT / "docs" / "operating.md").read_text("utf-8")


def published(compose: str) -> str:
    """The name of a published image that stands for any: that of the one that is built, at a registry."""
    image = next(service["image"] for service in load(DEPLOY / compose)["services"].values() if "build" in service)
    return f"registry.example.com/{image.removeprefix('${INSTAR_IMAGE:-').removesuffix('}')}"


def pods() -> list[dict[str, Any]]:
    """The pods of all files for Kubernetes."""
    objects = [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]
    return [each["spec"]["template"]["spec"] for each in objects if each.get("kind") in WITH_PODS]


def serving() -> list[dict[str, Any]]:
    """Those of them in which the service runs."""
    return [pod for pod in pods() if pod["containers"][0]["name"] == "instar"]


def test_nobody_is_root_and_only_the_data_is_written() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", docker, re.MULTILINE) == ["10001:10001"]
    for compose in ("compose.yaml", "compose.replicas.yaml"):
        for name, service in load(DEPLOY / compose)["services"].items():
            if name.startswith(("instar", "replica")):
                assert service["read_only"] is True
                assert service["cap_drop"] == ["ALL"]
    assert len(pods()) == 4
    for pod in pods():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        # Replicas share the folder of checkpoints, into which uploads go.
        assert writable <= {"/data", "/checkpoints", "/tmp", "/dev/shm"}


def test_the_environment_holds_nothing_that_is_no_setting() -> None:
    # Kubernetes would put INSTAR_PORT=tcp://... there, for the service of that name.
    for folder in ("kubernetes", "kubernetes/replicas"):
        assert load(DEPLOY / folder / "service.yaml")["metadata"]["name"] == "instar"
    assert all(pod["enableServiceLinks"] is False for pod in pods())
    # An empty key is refused at the start; one without a value is left out unless the caller has it.
    for compose, service in (("compose.yaml", "instar"), ("compose.replicas.yaml", "replica-1")):
        environment = load(DEPLOY / compose)["services"][service]["environment"]
        assert [name for name, value in environment.items() if value is not None and value.endswith(":-}")] == []


def test_probes_ask_what_answers() -> None:
    for pod in serving():
        (container,) = pod["containers"]
        probes = ("startupProbe", "livenessProbe", "readinessProbe")
        # By the name of the port, which is said once.
        assert {container[name]["httpGet"]["port"] for name in probes} == {container["ports"][0]["name"]}
        asked = {name: container[name]["httpGet"]["path"] for name in probes}
        assert asked == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}


def test_replicas_of_compose_differ_in_their_name_and_folder_alone() -> None:
    services = load(DEPLOY / "compose.replicas.yaml")["services"]
    one, other = (json.dumps(services[f"replica-{number}"]) for number in (1, 2))
    assert one.replace("replica-1", "replica-2").replace("data-1", "data-2") == other
    balancer = services["balancer"]["environment"]
    assert {balancer["REPLICA_1"], balancer["REPLICA_2"]} == {"replica-1:8080", "replica-2:8080"}


def test_replicas_are_scaled_by_a_metric_that_there_is() -> None:
    (metric,) = load(DEPLOY / "kubernetes" / "replicas" / "autoscaler.yaml")["spec"]["metrics"]
    (rule,) = load(DEPLOY / "prometheus" / "adapter.yaml")["rules"]["custom"]
    assert rule["name"]["as"] == metric["pods"]["metric"]["name"]
    counted = Metrics(LANES, ENDS).registry.collect()
    names = {sample.name for family in counted for sample in family.samples}
    asked = set(re.findall(r"instar_\w+", rule["seriesQuery"] + rule["metricsQuery"]))
    assert len(asked) == 2
    assert asked <= names


def test_the_job_that_embeds_has_as_many_workers_as_pods() -> None:
    objects = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "embed" / "embed.yaml").read_text()))
    job = next(each for each in objects if each["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert environment["PODS"] == str(job["spec"]["completions"]) == str(job["spec"]["parallelism"])
    assert job["metadata"]["name"] == job["spec"]["template"]["spec"]["subdomain"] == objects[0]["metadata"]["name"]


@haproxy.needed
def test_haproxy_takes_its_configuration_for_two_replicas_and_for_three() -> None:
    for count in (2, 3):
        named = {f"REPLICA_{number}": f"127.0.0.1:{8080 + number}" for number in range(1, count + 1)}
        checked = subprocess.run(
            [str(haproxy.PROGRAM), "-c", "-f", haproxy.CONFIGURATION],
            env=os.environ | named | {"BIND": "127.0.0.1:8080"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr


def test_the_dashboard_is_found_where_grafana_looks() -> None:
    (provider,) = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "instar.yaml")["providers"]
    grafana = load(DEPLOY / "compose.yaml")["services"]["grafana"]
    places = {mount.split(":")[1] for mount in grafana["volumes"]}
    assert f"{provider['options']['path']}/instar.json" in places
    assert json.loads((DEPLOY / "grafana" / "instar.json").read_text(encoding="utf-8"))["title"] == "Instar"
