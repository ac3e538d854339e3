"""The shipped rules, as read from deploy/prometheus."""

import re
from pathlib import Path
from typing import Any

from tests.yaml_text import loaded

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yaml"))

METRIC = re.compile(r"\b(?:[a-z_]+:)?palette_[a-z_]+(?::[a-z_]+)?\b")
"""The name of one of our metrics, or of a recording rule, in an expression."""

Rule = dict[str, Any]


GROUPS: list[dict[str, Any]] = [
    group for path in RULE_FILES for group in loaded(path.read_text())["groups"]
]
RULES: tuple[Rule, ...] = tuple(rule for group in GROUPS for rule in group["rules"])
ALERTS = tuple(rule for rule in RULES if "alert" in rule)
RECORDINGS = tuple(rule for rule in RULES if "record" in rule)
ALERT_NAMES = tuple(dict.fromkeys(rule["alert"] for rule in ALERTS))
