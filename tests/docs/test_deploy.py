"""What is in deploy is what its tools accept, and names only what there is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings.names import variables

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
BIN = Path(sys.executable).parent


def run(*command: object) -> None:
    ran = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_linters_find_nothing() -> None:
    run(BIN / "hadolint", "Dockerfile")
    run(BIN / "yamllint", "--strict", "deploy", ".yamllint.yaml")
    for compose in ("deploy/compose.yaml", "deploy/docsgpt/compose.yaml"):
        run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose)
    objects = [path for path in KUBERNETES if path.name != "kustomization.yaml"]
    run(BIN / "kubernetes-validate", "--strict", *objects)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="it needs systemd")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / "instar.service").read_text(encoding="utf-8")
    (tmp_path / "instar.service").write_text(unit.replace("/opt/instar/bin/python", sys.executable))
    run("systemd-analyze", "verify", "--man=no", tmp_path / "instar.service")


def test_settings_are_those_that_there_are() -> None:
    known = {name for name, _ in variables()}
    # Of the compose file itself: where checkpoints are on the host.
    known.add("INSTAR_CHECKPOINTS")
    files = [ROOT / "Dockerfile", DEPLOY / "compose.yaml", *KUBERNETES, DEPLOY / "systemd" / "instar.service"]
    for path in files:
        named = set(re.findall(r"INSTAR_[A-Z_]+", path.read_text(encoding="utf-8"))) - {"INSTAR_NAME"}
        assert named <= known, path
    assert "INSTAR_KEYS_FILE" in (DEPLOY / "kubernetes" / "statefulset.yaml").read_text(encoding="utf-8")


def test_what_is_copied_and_mounted_is_there() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    arguments = dict(re.findall(r"^ARG (\w+)=(\S*)$", docker, re.MULTILINE))
    for line in re.findall(r"^COPY (?!--from)(.*)$", docker, re.MULTILINE):
        for source in line.split()[:-1]:
            path = re.sub(r"\$\{(\w+)\}", lambda name: arguments[name[1]], source)
            assert (ROOT / path).exists(), path
            assert f"!{path.rstrip('/')}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines(), path
    services = load(DEPLOY / "compose.yaml")["services"]
    mounts = [mount.split(":")[0] for service in services.values() for mount in service["volumes"]]
    assert {mount for mount in mounts if mount.startswith("./")} == {
        "./prometheus/prometheus.yaml",
        "./prometheus/alerts.yaml",
        "./grafana/provisioning",
        "./grafana/instar.json",
    }
    for mount in mounts:
        assert not mount.startswith("./") or (DEPLOY / mount).exists(), mount
    assert {path.name for path in KUBERNETES} == {
        "kustomization.yaml",
        *load(DEPLOY / "kubernetes" / "kustomization.yaml")["resources"],
    }


def test_nobody_is_root_and_only_the_data_is_written() -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", docker, re.MULTILINE) == ["10001:10001"]
    instar = load(DEPLOY / "compose.yaml")["services"]["instar"]
    assert instar["read_only"] is True
    assert instar["cap_drop"] == ["ALL"]
    pod = load(DEPLOY / "kubernetes" / "statefulset.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/data", "/tmp"}


def test_the_environment_holds_nothing_that_is_no_setting() -> None:
    pod = load(DEPLOY / "kubernetes" / "statefulset.yaml")["spec"]["template"]["spec"]
    # Kubernetes would put INSTAR_PORT=tcp://... there, for the service of that name.
    assert load(DEPLOY / "kubernetes" / "service.yaml")["metadata"]["name"] == "instar"
    assert pod["enableServiceLinks"] is False
    # An empty key is refused at the start; one without a value is left out unless the caller has it.
    environment = load(DEPLOY / "compose.yaml")["services"]["instar"]["environment"]
    assert [name for name, value in environment.items() if value is not None and value.endswith(":-}")] == []


def test_probes_ask_what_answers() -> None:
    (container,) = load(DEPLOY / "kubernetes" / "statefulset.yaml")["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}


def test_the_dashboard_is_found_where_grafana_looks() -> None:
    (provider,) = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "instar.yaml")["providers"]
    grafana = load(DEPLOY / "compose.yaml")["services"]["grafana"]
    places = {mount.split(":")[1] for mount in grafana["volumes"]}
    assert f"{provider['options']['path']}/instar.json" in places
    assert json.loads((DEPLOY / "grafana" / "instar.json").read_text(encoding="utf-8"))["title"] == "Instar"
