"""Situations that a team meets, as series over time, and the alerts that should fire."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
FILES = ("clusters", "exporter", "recording", "snapshots", "vms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a PromQL expression gives at a moment, in seconds from the start."""

    at: str
    expr: str


def firing(matchers: str, at: Iterable[str], number: str = ">= bool 1") -> list[Expected]:
    """Expect so many alerts to fire, at each of the moments."""
    count = f'count(ALERTS{{alertstate="firing", {matchers}}}) or vector(0)'
    return [Expected(at=each, expr=f"({count}) {number}") for each in at]


def quiet(matchers: str, at: Iterable[str]) -> list[Expected]:
    """Expect no alert of that kind."""
    return firing(matchers, at, "== bool 0")


def run(
    directory: Path,
    series: Mapping[str, str],
    expected: Iterable[Expected],
    *,
    interval: str = "1m",
) -> str:
    """Put series to the shipped rules in promtool and return what it complains about."""
    document: Any = {
        "rule_files": [str(RULES / f"{name}.yaml") for name in FILES],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [
                    {"series": name, "values": values} for name, values in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": each.expr,
                        "eval_time": each.at,
                        "exp_samples": [{"labels": "{}", "value": 1}],
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
