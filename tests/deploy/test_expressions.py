"""The expression of each rule, evaluated by a Prometheus that scrapes the demo."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.deploy.rules import ALERT_NAMES, METRIC, RECORDINGS, RULES, Rule
from tests.deploy.watched import eventually

if TYPE_CHECKING:
    from tests.deploy.watched import Prometheus

EMPTY_ON_THE_DEMO = {
    "PaletteClusterStale": "it takes an hour",
    "PaletteClusterGone": "no cluster leaves the dashboard",
    "PaletteClusterVMsVanished": "no cluster loses its VMs",
    "PaletteClusterVMsAtRisk": "no cluster has a hundred VMs",
    "PaletteNothingWatched": "clusters are read",
    "PaletteDiscoveryFailing": "discovery succeeds",
    "PaletteExporterRoundTooLong": "a round fits the interval",
    "PaletteExporterClockWrong": "all run on one machine",
    "PaletteProbeFailing": "nothing is probed",
    "PaletteExporterDown": "all exporters are up",
    "PaletteExporterShardMissing": "one exporter reads all clusters",
    "PaletteExporterConfigReloadFailed": "the configuration is good",
    "PaletteExporterRateLimited": "the budget stays below Palette's limit",
    "PaletteNamedSnapshotMissing": "no snapshot is named",
}
"""Alerts that find nothing in the demo, with the reason. All others find something."""

ABSENT_ON_THE_DEMO = {
    "palette_vm_snapshot_up": "no snapshot is named",
    "palette_probe_success": "nothing is probed",
}

each_rule = pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"]
)


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_an_alert_finds_something_in_the_demo(name: str, prometheus: Prometheus) -> None:
    """One of its severities has to find something; which one depends on the demo's state."""
    expressions = [rule["expr"] for rule in RULES if rule.get("alert") == name]

    def found() -> bool:
        return any(prometheus.query(each) for each in expressions)

    assert eventually(found, within=0 if name in EMPTY_ON_THE_DEMO else 10) is (
        name not in EMPTY_ON_THE_DEMO
    )


@pytest.mark.parametrize("rule", RECORDINGS, ids=lambda rule: rule["record"])
def test_a_recording_rule_finds_something_in_the_demo(rule: Rule, prometheus: Prometheus) -> None:
    assert eventually(lambda: prometheus.query(rule["expr"]), within=10)


@each_rule
def test_an_expression_uses_existing_series(rule: Rule, prometheus: Prometheus) -> None:
    for metric in set(METRIC.findall(rule["expr"])) - ABSENT_ON_THE_DEMO.keys():
        assert eventually(partial(prometheus.query, metric), within=20), metric


def test_what_may_be_empty_is_there() -> None:
    assert EMPTY_ON_THE_DEMO.keys() <= set(ALERT_NAMES)
