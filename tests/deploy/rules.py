"""The shipped rules, as read from deploy/prometheus."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yaml"))

METRIC = re.compile(r"\b(?:[a-z_]+:)?palette_[a-z_]+(?::[a-z_]+)?\b")
"""The name of one of our metrics, or of a recording rule, in an expression."""

Rule = dict[str, Any]


def _rules() -> Iterator[Rule]:
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


RULES = tuple(_rules())
ALERTS = tuple(rule for rule in RULES if "alert" in rule)
RECORDINGS = tuple(rule for rule in RULES if "record" in rule)
ALERT_NAMES = tuple(dict.fromkeys(rule["alert"] for rule in ALERTS))
