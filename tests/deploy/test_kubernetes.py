"""The manifests that kustomize renders are valid, safe, and fit the rest of the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.settings import load
from tests.deploy.rules import ROOT
from tests.manifests import check_manifest
from tests.process import binary
from tests.yaml_text import documents, loaded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.deploy.conftest import Program

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = {"base": KUBERNETES / "base", "sharded": KUBERNETES / "overlays" / "sharded"}
OPERATORS_OWN = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, which Kubernetes' own schema does not know."""

VERSIONS = ("1.31", "1.34", "1.37")
NAME = "palette-snapshot-exporter"

Manifest = dict[str, Any]
Manifests = dict[str, Manifest]


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def built() -> dict[str, Manifests]:
    """Return the resources of every overlay, by kind."""
    return {name: kustomized(kubectl(), path) for name, path in OVERLAYS.items()}


def kubectl() -> str:
    # The virtual environment has it, and might not be on the path.
    return binary(str(Path(sys.executable).with_name("kubectl")))


@pytest.fixture
def manifests(overlay: str, built: Mapping[str, Manifests]) -> Manifests:
    return built[overlay]


@pytest.fixture
def workload(manifests: Manifests) -> Manifest:
    return manifests.get("Deployment") or manifests["StatefulSet"]


@pytest.fixture
def pod(workload: Manifest) -> Manifest:
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: Manifest) -> Manifest:
    (only,) = pod["containers"]
    return dict(only)


def kustomized(command: str, path: Path) -> Manifests:
    done = subprocess.run([command, "kustomize", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(documents(done.stdout))
    found = {document["kind"]: document for document in built}
    assert len(found) == len(built)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(manifests: Manifests, version: str) -> None:
    for kind, manifest in manifests.items():
        if kind not in OPERATORS_OWN:
            check_manifest(manifest, version)


def test_everything_is_in_one_namespace(manifests: Manifests) -> None:
    for kind, manifest in manifests.items():
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == manifests["Namespace"]["metadata"]["name"]


def test_no_secret_is_shipped(manifests: Manifests, pod: Manifest) -> None:
    assert "Secret" not in manifests
    assert "palette-api-key" in {
        volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume
    }


def test_the_pod_has_almost_no_permissions(pod: Manifest, container: Manifest) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_user_is_the_one_of_the_image(pod: Manifest) -> None:
    user = f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user in (ROOT / "Dockerfile").read_text().splitlines()


def test_memory_has_a_limit_and_the_processor_has_none(container: Manifest) -> None:
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_probes_request_paths_that_the_exporter_answers(container: Manifest) -> None:
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "http"}


def test_the_configuration_is_one_that_the_exporter_takes(
    manifests: Manifests, container: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"--config.file={mounts['config']}/config.yaml" in container["args"]
    text = manifests["ConfigMap"]["data"]["config.yaml"]
    assert f"{mounts['api-key']}/api-key" in text
    for name in ("SPECTROCLOUD_APIKEY", "SPECTROCLOUD_HOST"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "api-key").write_text("a-key-for-tests")
    config = tmp_path / "config.yaml"
    config.write_text(text.replace(mounts["api-key"], str(tmp_path)))
    settings = load(flags={}, config_file=config)
    assert settings.discovery.enabled
    assert settings.web.address == (None, container["ports"][0]["containerPort"])


def test_a_change_of_the_configuration_is_reloaded(
    manifests: Manifests, pod: Manifest, container: Manifest
) -> None:
    assert "--config.auto-reload" in container["args"]
    name = manifests["ConfigMap"]["metadata"]["name"]
    assert name in {
        volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume
    }


def test_everything_means_the_same_pods(manifests: Manifests, workload: Manifest) -> None:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    selector = workload["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert manifests["Service"]["spec"]["selector"] == selector
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == selector
    monitored = manifests["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= manifests["Service"]["metadata"]["labels"].items()


def test_a_machines_namespace_wins_over_the_pods(manifests: Manifests) -> None:
    (endpoint,) = manifests["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True
    (port,) = manifests["Service"]["spec"]["ports"]
    assert endpoint["port"] == port["name"]


def test_the_rules_know_the_job(manifests: Manifests) -> None:
    (job,) = loaded((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    label = manifests["ServiceMonitor"]["spec"]["jobLabel"]
    assert manifests["Service"]["metadata"]["labels"][label] == job["job_name"]


def test_the_rules_are_those_of_prometheus(
    manifests: Manifests, promtool: Program, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(manifests["PrometheusRule"]["spec"]))
    promtool("check", "rules", rules)


def test_one_exporter_is_replaced_and_never_doubled(built: Mapping[str, Manifests]) -> None:
    spec = built["base"]["Deployment"]["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert "PodDisruptionBudget" not in built["base"]


def test_a_pair_is_made_as_the_page_on_operation_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "high-availability.md").read_text()
    patch = re.search(r"```yaml\n(patches:.+?)```", page, re.DOTALL)
    assert patch
    base = os.path.relpath(OVERLAYS["base"], tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\n{patch[1]}")
    spec = kustomized(kubectl(), tmp_path)["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (2, {"type": "RollingUpdate"})


def test_every_shard_knows_how_many_there_are(built: Mapping[str, Manifests]) -> None:
    spec = built["sharded"]["StatefulSet"]["spec"]
    env = {each["name"]: each for each in spec["template"]["spec"]["containers"][0]["env"]}
    assert spec["replicas"] > 1
    assert env["PALETTE_EXPORTER_SHARD__TOTAL"]["value"] == str(spec["replicas"])
    assert env["PALETTE_EXPORTER_SHARD__ORDINAL"]["value"] == "auto"
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert spec["podManagementPolicy"] == "Parallel"
    assert "Deployment" not in built["sharded"]


def test_shards_have_names_and_leave_one_at_a_time(built: Mapping[str, Manifests]) -> None:
    sharded = built["sharded"]
    assert sharded["StatefulSet"]["spec"]["serviceName"] == sharded["Service"]["metadata"]["name"]
    assert sharded["Service"]["spec"]["clusterIP"] == "None"
    assert sharded["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_all_shards_together_stay_below_palettes_limit(built: Mapping[str, Manifests]) -> None:
    config = loaded(built["sharded"]["ConfigMap"]["data"]["config.yaml"])
    replicas = built["sharded"]["StatefulSet"]["spec"]["replicas"]
    assert config["palette"]["requests_per_second"] * replicas < 50
    assert config["palette"].get("burst", 50) * replicas <= 250


def test_the_sharded_configuration_differs_in_its_budget_only(
    built: Mapping[str, Manifests],
) -> None:
    base, sharded = (
        loaded(built[name]["ConfigMap"]["data"]["config.yaml"]) for name in ("base", "sharded")
    )
    for config in (base, sharded):
        del config["palette"]["requests_per_second"]
    assert sharded == base
