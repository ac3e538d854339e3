"""The Helm chart, rendered by Helm's own engine: resources, refused values and defaults."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helm_python import Chart, HelmError, lint

from exporter.settings import load
from tests.deploy.rules import ROOT
from tests.manifests import check_manifest
from tests.yaml_text import documents, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.deploy.conftest import Program

CHART = ROOT / "deploy" / "helm" / "palette-snapshot-exporter"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*.yaml"))}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
UNKNOWN_KINDS = {"ServiceMonitor", "PrometheusRule", "HTTPRoute"}
"""Kinds of custom resources."""

VERSIONS = ("1.31", "1.34", "1.37")
MOUNTS = "/etc/palette-snapshot-exporter"

Manifest = dict[str, Any]

each = pytest.mark.parametrize("name", VALUES)


def values(name: str) -> dict[str, Any]:
    return loaded(VALUES[name].read_text()) or {}


def manifests(given: Mapping[str, Any]) -> list[Manifest]:
    with Chart.load(CHART) as chart:
        texts = chart.render(dict(given), name="rel", namespace="monitoring-palette")
    return [
        document
        for path, text in sorted(texts.items())
        if path.endswith(".yaml")
        for document in documents(text)
        if document
    ]


def only(kind: str, given: Mapping[str, Any]) -> Manifest:
    (found,) = (
        each
        for each in manifests(given)
        if each["kind"] == kind and "helm.sh/hook" not in each["metadata"].get("annotations", {})
    )
    return found


def pod(given: Mapping[str, Any]) -> Manifest:
    kind = "StatefulSet" if given.get("shards", 1) > 1 else "Deployment"
    spec: Manifest = only(kind, given)["spec"]["template"]["spec"]
    return spec


def test_there_are_at_least_twelve_ways_to_install_it() -> None:
    assert len(VALUES) >= 12


@each
def test_helm_finds_no_fault(name: str) -> None:
    report = lint(CHART, values(name), strict=True)
    warnings = [each for each in report["messages"] if each["severity"] > 1]
    assert (report["errors"], warnings) == ([], [])


@each
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    for manifest in manifests(values(name)):
        if manifest["kind"] not in UNKNOWN_KINDS:
            check_manifest(manifest, version)


@each
def test_the_exporter_accepts_its_configuration(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SPECTROCLOUD_APIKEY", "SPECTROCLOUD_HOST"):
        monkeypatch.delenv(variable, raising=False)
    given = values(name)
    text = next(
        each["data"]["config.yaml"]
        for each in manifests(given)
        if each["kind"] == "ConfigMap" and "config.yaml" in each["data"]
    )
    tree = loaded(text)
    for section, key in (("palette", "tls"), ("web", "config_file")):
        tree.get(section, {}).pop(key, None)
    (tmp_path / "api-key").write_text("key")
    tree["palette"]["api_key_file"] = str(tmp_path / "api-key")
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(tree))
    assert load(flags={}, config_file=config).discovery.enabled


def paths(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        path = f"{before}.{name}".removeprefix(".")
        if "properties" in each:
            yield from paths(each, path)
        else:
            yield path


def test_every_value_is_tried() -> None:
    given = [values(name) for name in VALUES]

    def is_set(path: str) -> bool:
        for tree in given:
            at: Any = tree
            for key in path.split("."):
                at = at.get(key) if isinstance(at, dict) else None
            if at is not None:
                return True
        return False

    assert [path for path in paths(SCHEMA) if not is_set(path)] == []


def test_every_value_is_documented_and_in_the_schema() -> None:
    text = (CHART / "values.yaml").read_text()
    shipped = loaded(text)
    for path in paths(SCHEMA):
        at: Any = shipped
        for key in path.split("."):
            assert key in at, path
            at = at[key]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"shards": 0}, "shards"),
        ({"shards": "four"}, "shards"),
        ({"nosuch": 1}, "nosuch"),
        ({"serviceMonitor": {"intervall": "30s"}}, "intervall"),
        ({"service": {"port": 70000}}, "port"),
        ({"service": {"ipFamilies": ["IPv5"]}}, "ipFamilies"),
        ({"prometheusRule": {"for": {"objective_missed": "soon"}}}, "objective_missed"),
        ({"palette": {"caBundle": "nothing"}}, "caBundle"),
        ({"ingress": {"hosts": [{"host": "a"}]}}, "hosts"),
        ({"image": {"digest": "latest"}}, "digest"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(wrong: dict[str, Any], path: str) -> None:
    with Chart.load(CHART) as chart, pytest.raises(HelmError, match=path):
        chart.validate_schema(wrong)


def test_values_that_exclude_each_other_are_refused() -> None:
    for wrong in (
        {"shards": 4, "ha": {"enabled": True}},
        {"web": {"config": {"basic_auth_users": {}}, "existingSecret": "x"}},
    ):
        with pytest.raises(HelmError, match=r"set only one|not supported"):
            manifests(wrong)


def test_probes_follow_tls_and_users() -> None:
    open_port, guarded = (pod(values(name))["containers"][0] for name in ("minimal", "web-secret"))
    assert open_port["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "http"}
    assert guarded["livenessProbe"]["exec"]["command"][-1] == "--health"


def test_shards_take_their_ordinal_from_the_pods_name() -> None:
    given = values("four-shards")
    (container,) = pod(given)["containers"]
    env = {each["name"]: each for each in container["env"]}
    assert env["PALETTE_EXPORTER_SHARD__ORDINAL"]["value"] == "auto"
    assert env["PALETTE_EXPORTER_SHARD__TOTAL"]["value"] == "4"
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert only("StatefulSet", given)["spec"]["podManagementPolicy"] == "Parallel"
    assert only("Service", given)["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize(("name", "pods"), [("minimal", 1), ("pair", 2), ("four-shards", 4)])
def test_all_pods_together_stay_below_palettes_limit(name: str, pods: int) -> None:
    config = loaded(only("ConfigMap", values(name))["data"]["config.yaml"])
    assert config["palette"]["requests_per_second"] * pods <= 40


def test_a_digest_and_a_mirror_replace_tag_and_registry() -> None:
    (container, _) = pod(values("all-extras"))["containers"]
    digest = "sha256:" + "0" * 64
    image = f"registry.example.com/mirror/palette-snapshot-exporter@{digest}"
    assert container["image"] == image


def test_the_rules_of_the_chart_take_its_options(promtool: Program, tmp_path: Path) -> None:
    spec = only("PrometheusRule", values("rules"))["spec"]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(spec))
    promtool("check", "rules", "--lint-fatal", path)
    rules = [each for group in spec["groups"] for each in group["rules"]]
    (rule,) = (each for each in rules if each.get("alert") == "PaletteVMWithoutRestorableSnapshot")
    assert rule["labels"] == {"severity": "info", "team": "platform"}
    assert rule["annotations"]["runbook_url"].startswith("https://snapshots.example.com/docs/")
    assert rule["annotations"]["status_url"].startswith("https://snapshots.example.com/vms/")
    assert any("time() - 7200" in each["expr"] for each in rules)


def test_the_rules_of_the_chart_are_those_of_prometheus() -> None:
    (spec,) = (
        each["spec"]
        for each in manifests({"prometheusRule": {"enabled": True}})
        if each["kind"] == "PrometheusRule"
    )
    shipped = [
        group
        for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yaml"))
        if path.stem != "watchdog"
        for group in loaded(path.read_text())["groups"]
    ]
    names = [[rule.get("alert") or rule["record"] for rule in group["rules"]] for group in shipped]
    assert [
        [rule.get("alert") or rule["record"] for rule in group["rules"]] for group in spec["groups"]
    ] == names


def test_the_manifests_are_the_chart() -> None:
    render = ROOT / "deploy" / "helm" / "render.py"
    done = subprocess.run(
        [sys.executable, render, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_dashboards_are_those_of_grafana() -> None:
    given = {"grafana": {"dashboards": {"enabled": True}}}
    found = {
        name: json.loads(text)
        for each in manifests(given)
        if each["metadata"].get("labels", {}).get("grafana_dashboard")
        for name, text in each["data"].items()
    }
    boards = ROOT / "deploy" / "grafana" / "dashboards"
    assert found == {
        f"palette-{path.name}": json.loads(path.read_text()) for path in boards.glob("*.json")
    }
