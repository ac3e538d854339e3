"""The shipped rules, scrapes and routes, with shorter times and no other change."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from exporter.duration import parse_prometheus_duration
from tests.deploy.rules import PROMETHEUS, ROOT, RULE_FILES
from tests.yaml_text import loaded

FASTER = 150.0
"""Divides the times of the rules: `for`, `keep_firing_for`, ranges and offsets."""

BEAT = "1s"
"""The interval of scrapes and evaluations."""

GROUPING = {"group_wait": 25.0, "group_interval": 300.0}
"""Divides the times of Alertmanager."""

_TIME = re.compile(r"(?<=\[)\w+(?=[\]:])|(?<=:)\w+(?=\])|(?<=\boffset )\w+")

Tree = dict[str, Any]


def scraping(
    directory: Path,
    exporters: list[str],
    alertmanager: str | None = None,
    *,
    faster: float = FASTER,
) -> Tree:
    """Return the shipped configuration of Prometheus for exporters (host:port), with its rules.

    directory: for the rules with shorter times.
    """
    shipped: Tree = loaded((PROMETHEUS / "prometheus.yml").read_text())
    shipped["global"] = {
        "scrape_interval": BEAT,
        "scrape_timeout": BEAT,
        "evaluation_interval": BEAT,
    }
    (job,) = shipped["scrape_configs"]
    job["static_configs"] = [{"targets": exporters}]
    if alertmanager:
        (server,) = shipped["alerting"]["alertmanagers"]
        server["static_configs"] = [{"targets": [alertmanager]}]
    else:
        del shipped["alerting"]
    shipped["rule_files"] = [str(path) for path in _rules(directory, faster)]
    return shipped


def _rules(directory: Path, faster: float) -> Iterator[Path]:
    for path in RULE_FILES:
        written = directory / f"hurried-{path.name}"
        written.write_text(yaml.safe_dump(_hurried(loaded(path.read_text()), faster)))
        yield written


def _hurried(file: Tree, faster: float) -> Tree:
    for rule in (rule for group in file["groups"] for rule in group["rules"]):
        rule["expr"] = _TIME.sub(lambda found: _shorter(found[0], faster), rule["expr"])
        for key in {"for", "keep_firing_for"} & rule.keys():
            rule[key] = _shorter(rule[key], faster)
    return file


def _shorter(duration: str, times: float) -> str:
    return f"{parse_prometheus_duration(duration) / times * 1000:.0f}ms"


def routing(receiver: str, config: Tree | None = None) -> Tree:
    """Return a configuration of Alertmanager; each receiver posts to its own path.

    receiver: a base URL; the names of the receivers are the paths below it. config: without it,
    the shipped one.
    """
    path = ROOT / "deploy/alertmanager/alertmanager.yml"
    shipped: Tree = config or loaded(path.read_text())
    for route in _routes(shipped["route"]):
        for key in GROUPING.keys() & route.keys():
            route[key] = _shorter(route[key], GROUPING[key])
    shipped["templates"] = [str(ROOT / "deploy/alertmanager/*.tmpl")]
    shipped["receivers"] = [
        {"name": each["name"], "webhook_configs": [{"url": f"{receiver}/{each['name']}"}]}
        for each in shipped["receivers"]
    ]
    return shipped


def _routes(route: Mapping[str, Any]) -> Iterator[Any]:
    yield route
    for each in route.get("routes", ()):
        yield from _routes(each)
