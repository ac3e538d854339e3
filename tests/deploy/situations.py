"""Situations in operation: series over time, evaluated by the shipped rules in promtool."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.rules import GROUPS, Rule

ALERTNAME = re.compile(r'alertname=~?"([^"]+)"')

JOB = "palette-snapshot-exporter"
DAY = 86400

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The expected samples of a PromQL expression at a moment."""

    at: str
    expr: str
    samples: Mapping[str, float]


def constant(value: float, minutes: int = 60) -> str:
    """Return a series with a constant value."""
    return f"{value}+0x{minutes}"


def series(name: str, labels: Labels) -> str:
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


@dataclass(slots=True)
class Situation:
    """Series by name and labels, added by one exporter after the other."""

    values: dict[str, str] = field(default_factory=dict)
    exporter: Labels = field(default_factory=lambda: {"job": JOB, "instance": "a:10180"})

    def add(self, name: str, labels: Labels, value: float | str) -> None:
        text = value if isinstance(value, str) else constant(value)
        self.values[series(name, {**self.exporter, **labels})] = text

    def up(self, value: float | str = 1) -> None:
        self.add("up", {}, value)

    def cluster(
        self,
        uid: str = "u1",
        name: str = "prod",
        *,
        up: float | str = 1,
        last_success: str | None = "0+60x60",
    ) -> Labels:
        labels = {"cluster_uid": uid, "cluster_name": name}
        self.add("palette_cluster_up", labels, up)
        if last_success is not None:
            self.add("palette_cluster_last_success_timestamp_seconds", labels, last_success)
        return labels

    def vm(self, cluster: Labels, name: str, **metrics: float | str) -> Labels:
        """Add a VM; metrics: without the prefix palette_vm_."""
        labels = {**cluster, "namespace": "shop", "vm": name}
        defaults: dict[str, float | str] = {
            "restorable_snapshots": 3,
            "snapshots": 3,
            "created_timestamp_seconds": -400 * DAY,
            "last_snapshot_failed": 0,
        }
        for metric, value in (defaults | metrics).items():
            self.add(f"palette_vm_{metric}", labels, value)
        return labels

    def unprotected(self, vm: Labels, **reasons: float | str) -> None:
        for reason in ("unsnapshottable", "excluded", "newer"):
            labels = {**vm, "reason": reason}
            self.add("palette_vm_unprotected_volumes", labels, reasons.get(reason, 0))

    def snapshot(self, vm: Labels, name: str = "s1", **metrics: float | str) -> Labels:
        """Add a snapshot; metrics: without the prefix palette_vm_snapshot_."""
        labels = {**vm, "snapshot": name}
        phase = str(metrics.pop("phase", "Succeeded"))
        defaults: dict[str, float | str] = {
            "ready": 1,
            "restorable": 1,
            "error": 0,
            "requested_timestamp_seconds": -DAY,
            "failure_deadline_seconds": 300,
        }
        for metric, value in (defaults | metrics).items():
            self.add(f"palette_vm_snapshot_{metric}", labels, value)
        for each in ("InProgress", "Succeeded", "Failed", "Deleting", "Unknown"):
            self.add("palette_vm_snapshot_phase", {**labels, "phase": each}, float(each == phase))
        return labels

    def indications(self, snapshot: Labels, *names: str) -> None:
        for name in names:
            self.add("palette_vm_snapshot_indication", {**snapshot, "indication": name}, 1)


def firing(alert: str, at: str, by: str, samples: Mapping[str, float]) -> Expected:
    """Expect these alerts, as samples of a count by labels: {'vm="db"': 1}."""
    expr = f'count by ({by}) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    return Expected(at=at, expr=expr, samples=samples)


def count(matchers: str, at: Iterable[str], comparison: str) -> list[Expected]:
    """Expect a number of firing alerts at each of the moments, such as ">= 1"."""
    operator, number = comparison.split()
    counted = f'(count(ALERTS{{alertstate="firing", {matchers}}}) or vector(0))'
    return [
        Expected(at=each, expr=f"{counted} {operator} bool {number}", samples={"": 1})
        for each in at
    ]


def _name(rule: Rule) -> str:
    name: str = rule.get("alert") or rule["record"]
    return name


def needed(expressions: Iterable[str]) -> list[dict[str, Any]]:
    """Return the groups with the rules that expressions need, and those that these need.

    The other rules would only make each evaluation slower.
    """
    rules = [rule for group in GROUPS for rule in group["rules"]]
    names: set[str] = set()
    texts = list(expressions)
    while texts:
        text = "\n".join(texts)
        pattern = re.compile("|".join(ALERTNAME.findall(text)) or "$^")
        found = {
            name
            for name in map(_name, rules)
            if pattern.fullmatch(name) or (":" in name and name in text)
        }
        texts = [rule["expr"] for rule in rules if _name(rule) in found - names]
        names |= found
    chosen = ((group, [r for r in group["rules"] if _name(r) in names]) for group in GROUPS)
    return [{**group, "rules": kept} for group, kept in chosen if kept]


def complaints(
    directory: Path,
    situation: Situation | Mapping[str, str],
    expected: Iterable[Expected],
    interval: str = "1m",
) -> str:
    """Return promtool's errors about the expectations; "" if they hold."""
    values = situation.values if isinstance(situation, Situation) else situation
    expected = list(expected)
    rules = directory / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": needed(each.expr for each in expected)}))
    document: Any = {
        "rule_files": [str(rules)],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": name, "values": text} for name, text in values.items()],
                "promql_expr_test": [
                    {
                        "expr": each.expr,
                        "eval_time": each.at,
                        "exp_samples": [
                            {"labels": "{" + labels + "}", "value": value}
                            for labels, value in each.samples.items()
                        ],
                    }
                    for each in expected
                ],
            }
        ],
    }
    path = directory / "situation.yaml"
    path.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
