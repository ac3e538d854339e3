"""The shipped rules: each is valid, tested, uses existing metrics, and has a runbook."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from exporter.duration import parse_prometheus_duration
from exporter.metrics.exposition import TABLES
from exporter.metrics.own_families import OWN_FAMILIES, PROBE_FAMILIES
from exporter.verdict import PROBLEMS
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
    Rule,
)
from tests.yaml_text import loaded

SEVERITIES = {"critical", "warning", "info"}
GRACE_PERIOD = 600.0
"""Seconds: a restart of Prometheus keeps only alerts that wait at least so long."""
NOT_ABOUT_PALETTE = re.compile(r"Palette(Exporter|Nothing|Discovery|Values|Probe).+|Watchdog")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL))

sys.path.insert(0, str(PROMETHEUS))
from palette_rules.options import Options  # noqa: E402

SHARED_THRESHOLDS = {
    "data_lost": "ready_within",
    "not_ready_yet": "ready_within",
    "hanging": "hanging_without_deadline",
    "deletion_hangs": "deletion_within",
    "no_restorable": "no_restorable_after",
    "piling_up": "max_snapshots",
    "too_old": "max_snapshot_age",
    "schedule_stopped": "schedule_stopped_after",
    "cluster_stale": "stale_after",
}
"""A problem -> the threshold of the rules that has to be equal."""

each_alert = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])


def known_metrics() -> set[str]:
    ours = {family.name for _, _, families in TABLES for family in families}
    ours |= {family.name for family in PROBE_FAMILIES}
    return ours | {family.name for family in OWN_FAMILIES} | {rule["record"] for rule in RECORDINGS}


def test_rules_and_the_verdict_agree() -> None:
    shipped = {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS}
    wanted = {
        (problem.alert, str(severity))
        for problem in PROBLEMS.values()
        for severity in (problem.severity, problem.severity_for(objective=True))
    }
    assert wanted - shipped == set()


def test_the_thresholds_of_the_verdict_are_in_the_rules() -> None:
    options = Options()
    for problem in PROBLEMS.values():
        rules = [rule["expr"] for rule in ALERTS if rule["alert"] == problem.alert]
        if problem.threshold is not None and problem.name in SHARED_THRESHOLDS:
            name = SHARED_THRESHOLDS[problem.name]
            assert float(options.threshold(name)) == problem.threshold
            assert any(options.threshold(name) in expr for expr in rules), problem.name


def test_the_scrape_configuration_is_valid(promtool: Program) -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_rules_are_valid(path: Path, promtool: Program) -> None:
    promtool("check", "rules", "--lint-fatal", path)


def test_generated_rules_are_up_to_date() -> None:
    generator = ROOT / "deploy" / "prometheus" / "generate_rules.py"
    subprocess.run([sys.executable, generator, "--check"], check=True)


def test_the_generator_takes_options_instead_of_edits(promtool: Program, tmp_path: Path) -> None:
    generator = ROOT / "deploy" / "prometheus" / "generate_rules.py"
    options = (
        *(
            "--output",
            tmp_path,
            "--job",
            "mine",
            "--runbook-url",
            "https://x.example/docs/runbooks",
        ),
        *("--threshold", "max_snapshots=99", "--severity", "no_restorable=info"),
        *("--for", "no_restorable=1h", "--label", "team=storage", "--status-url", ""),
    )
    subprocess.run([sys.executable, generator, *options], check=True)
    for path in tmp_path.glob("*.yaml"):
        if path.name != "prometheusrule.yaml":
            promtool("check", "rules", "--lint-fatal", path)
    rules = {
        rule["alert"]: rule
        for group in loaded((tmp_path / "vms.yaml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    rule = rules["PaletteVMWithoutRestorableSnapshot"]
    assert rule["labels"] == {"severity": "info", "team": "storage"}
    assert rule["for"] == "1h"
    assert "status_url" not in rule["annotations"]
    assert rule["annotations"]["runbook_url"].startswith("https://x.example/docs/runbooks#")
    assert "> 99" in rules["PaletteVMSnapshotsPilingUp"]["expr"]
    assert 'up{job="mine"}' in (tmp_path / "exporter.yaml").read_text()


@pytest.mark.parametrize(
    "option", [("--severity", "nosuch=info"), ("--threshold", "nosuch=1"), ("--for", "x")]
)
def test_the_generator_refuses_names_that_it_does_not_know(option: tuple[str, str]) -> None:
    generator = ROOT / "deploy" / "prometheus" / "generate_rules.py"
    done = subprocess.run(
        [sys.executable, generator, *option], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@each_alert
def test_an_alert_has_a_severity_and_an_instruction(rule: Rule) -> None:
    assert rule["labels"]["severity"] in SEVERITIES or rule["alert"] == "Watchdog"
    assert set(rule["annotations"]) - {"status_url"} == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())


@each_alert
def test_an_alert_survives_a_restart_of_prometheus(rule: Rule) -> None:
    if rule["alert"] != "Watchdog":
        assert parse_prometheus_duration(rule["for"]) >= GRACE_PERIOD


@each_alert
def test_alerts_about_vms_carry_their_owner_and_both_namespaces(rule: Rule) -> None:
    if rule["alert"].startswith(("PaletteVM", "PaletteSnapshot", "PaletteNamed")):
        assert "(cluster_uid, namespace, exported_namespace, vm, owner" in rule["expr"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_uses_only_metrics_that_exist(rule: Rule) -> None:
    assert set(METRIC.findall(rule["expr"])) - known_metrics() == set()


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
def test_a_runbook_has_the_severity_and_instructions(rule: Rule) -> None:
    section = SECTIONS[rule["alert"]]
    assert re.search(rf"Severity: [^.]*\b{rule['labels']['severity']}\b", section)
    parts = ("Meaning", "Impact", "How to look", "What to do", "Silence", "Done when")
    places = [section.find(f"**{part}.**") for part in parts]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", [name for name in ALERT_NAMES if name != "Watchdog"])
def test_a_runbook_silences_its_alert_by_labels_that_it_has(name: str) -> None:
    (matchers,) = re.findall(r"\*\*Silence\.\*\* `\$SILENCE (.+)`", SECTIONS[name])
    alertname, *others = (each.partition("=")[0::2] for each in matchers.split())
    assert alertname == ("alertname", name)
    assert others
    for rule in (rule for rule in ALERTS if rule["alert"] == name):
        assert all(re.search(rf"\b{label}\b", rule["expr"]) for label, _ in others)


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_a_runbook_says_where_to_look_in_kubernetes_and_in_palette(name: str) -> None:
    how, _, _ = SECTIONS[name].partition("**How to look.**")[2].partition("**What to do.**")
    assert "kubectl " in how
    # The exporter is not an object of Palette.
    assert ("In Palette, " in how) is not bool(NOT_ABOUT_PALETTE.fullmatch(name))


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_a_runbook_uses_only_metrics_that_exist(name: str) -> None:
    # A shell command can search for the beginning of a name; PromQL cannot.
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
