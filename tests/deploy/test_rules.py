"""The shipped rules: valid, tested one by one, of metrics that exist, and with a runbook each."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.duration import parse_prometheus_duration
from exporter.metrics.exposition import TABLES
from exporter.metrics.own_families import OWN_FAMILIES
from tests.deploy.conftest import Program
from tests.deploy.rules import (
    ALERT_NAMES,
    ALERTS,
    METRIC,
    PROMETHEUS,
    RECORDINGS,
    ROOT,
    RULE_FILES,
    RULES,
    UNIT_TESTS,
    Rule,
)

REQUIRED = {
    "PaletteSnapshotFailed",
    "PaletteSnapshotStuckInProgress",
    "PaletteSnapshotDataLost",
    "PaletteSnapshotWithoutDisks",
    "PaletteSnapshotIncomplete",
    "PaletteSnapshotStuckDeleting",
    "PaletteVMWithoutRestorableSnapshot",
    "PaletteVMSnapshotObjectiveMissed",
    "PaletteVMOnlyCrashConsistent",
    "PaletteVMSnapshotsPilingUp",
    "PaletteSnapshotTooOld",
    "PaletteNamedSnapshotMissing",
    "PaletteClusterUnreadable",
    "PaletteClusterStale",
    "PaletteExporterDown",
    "PaletteExporterConfigReloadFailed",
    "PaletteExporterRateLimited",
    "PaletteExporterShardMissing",
}
SEVERITIES = {"critical", "warning", "info"}
GUARD = "unless on (job, instance, cluster_uid) max_over_time(palette_cluster_up[3m]) == 0"
REFRESH_INTERVAL = 60.0
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL))

each_alert = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])


def known_metrics() -> set[str]:
    ours = {family.name for _, _, families in TABLES for family in families}
    return ours | {family.name for family in OWN_FAMILIES} | {rule["record"] for rule in RECORDINGS}


def alert_tests(name: str) -> list[Any]:
    """Return what an alert is expected to do, one entry for each moment looked at."""
    return [
        test["exp_alerts"]
        for path in UNIT_TESTS
        for group in yaml.safe_load(path.read_text())["tests"]
        for test in group.get("alert_rule_test", ())
        if test["alertname"] == name
    ]


def test_every_promised_alert_is_there_and_no_other() -> None:
    assert set(ALERT_NAMES) == REQUIRED


def test_the_scrape_configuration_is_valid(promtool: Program) -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_rules_are_valid(path: Path, promtool: Program) -> None:
    promtool("check", "rules", "--lint-fatal", path)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_unit_tests_of_rules_pass(path: Path, promtool: Program) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_every_alert_is_tested_firing_and_quiet(name: str) -> None:
    expected = alert_tests(name)
    assert any(expected), "no test in which it fires"
    assert not all(expected), "no test in which it is quiet"


def test_every_recording_rule_is_tested() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "recording.yaml").read_text())["tests"]
    tested = {test["expr"] for group in tests for test in group["promql_expr_test"]}
    assert {rule["record"] for rule in RECORDINGS} <= tested


@each_alert
def test_an_alert_says_whom_to_wake_and_what_to_do(rule: Rule) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())


@each_alert
def test_an_alert_survives_a_failed_refresh(rule: Rule) -> None:
    assert parse_prometheus_duration(rule["for"]) > 2 * REFRESH_INTERVAL


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_only_for_metrics_that_exist(rule: Rule) -> None:
    assert set(METRIC.findall(rule["expr"])) - known_metrics() == set()


@each_alert
def test_no_alert_looks_at_the_error_of_a_snapshot(rule: Rule) -> None:
    assert not re.search(r"palette_vm_snapshot_error\b", rule["expr"]), "it may be old"


@each_alert
def test_only_cluster_alerts_fire_because_palette_cannot_be_read(rule: Rule) -> None:
    about_the_exporter = rule["alert"].startswith(("PaletteCluster", "PaletteExporter"))
    assert (GUARD in rule["expr"]) is not about_the_exporter


def test_a_runbook_for_each_alert_and_an_alert_for_each_runbook() -> None:
    headings = Counter(re.findall(r"^## (.+)$", RUNBOOKS, re.MULTILINE))
    assert headings == Counter(ALERT_NAMES)


@each_alert
def test_the_runbook_url_leads_to_the_section_of_the_alert(rule: Rule) -> None:
    anchor = rule["alert"].lower()
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{anchor}")


def test_runbook_urls_have_one_base_so_that_one_command_rewrites_them() -> None:
    assert len({rule["annotations"]["runbook_url"].partition("/docs/")[0] for rule in ALERTS}) == 1


@each_alert
def test_a_runbook_names_the_severity_and_says_what_to_do(rule: Rule) -> None:
    section = SECTIONS[rule["alert"]]
    assert re.search(rf"Severity: [^.]*\b{rule['labels']['severity']}\b", section)
    for part in ("**Meaning.**", "**Impact.**", "**How to look.**", "**What to do.**"):
        assert part in section


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_a_runbook_says_where_to_look_in_kubernetes_and_in_palette(name: str) -> None:
    how, _, _ = SECTIONS[name].partition("**How to look.**")[2].partition("**What to do.**")
    assert "kubectl " in how
    # The exporter is none of Palette's things.
    assert ("In Palette, " in how) is not name.startswith("PaletteExporter")


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_a_runbook_asks_only_for_metrics_that_exist(name: str) -> None:
    # A line of a shell may cut a name short with grep; PromQL may not.
    queries = "\n".join(re.findall(r"```promql\n(.*?)```", SECTIONS[name], re.DOTALL))
    assert set(METRIC.findall(queries)) - known_metrics() == set()


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_the_queries_of_a_runbook_parse(name: str, promtool: Program, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query}
        for number, query in enumerate(queries_of(SECTIONS[name]))
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", path)


def queries_of(section: str) -> list[str]:
    """Return the queries: one a line, those in parentheses over several."""
    blocks = "".join(re.findall(r"```promql\n(.*?)```", section, re.DOTALL))
    return re.split(r"\n(?![ )])", blocks.strip())
