"""The text of rule files."""

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from palette_rules.options import Options
from palette_rules.rule import Alert, Group, Recording


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that expressions stay readable."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def plain(group: Group, options: Options) -> dict[str, Any]:
    """Return a group as Prometheus reads it."""
    return {"name": group.name, "rules": [_rule(rule, options) for rule in group.rules]}


def _rule(rule: Alert | Recording, options: Options) -> dict[str, Any]:
    if isinstance(rule, Recording):
        labels = {"labels": dict(rule.labels)} if rule.labels else {}
        return {"record": rule.name, "expr": rule.expr, **labels}
    kept = {} if rule.keep == "0s" else {"keep_firing_for": rule.keep}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        "for": options.wait(rule.key, rule.wait),
        **kept,
        "labels": {"severity": options.severity(rule.key, rule.severity), **options.labels},
        "annotations": dict(_annotations(rule, options)),
    }


def _annotations(alert: Alert, options: Options) -> Iterator[tuple[str, str]]:
    yield "summary", alert.summary
    yield "description", alert.description
    yield "runbook_url", f"{options.runbook_url}#{alert.name.lower()}"
    if options.status_url and alert.page:
        yield "status_url", options.status_url + alert.page


def dumped(document: Any, width: float = 100) -> str:
    """Return a document as YAML."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=width, allow_unicode=True)


def rule_file(group: Group, options: Options, head: str) -> str:
    """Return the file of one group: what it is, then the rules."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in group.comment.splitlines())
    return f"{head}#\n{comment}{dumped({'groups': [plain(group, options)]})}"


def prometheus_rule(groups: Iterable[Group], options: Options, head: str) -> str:
    """Return the same as a resource of the Prometheus operator."""
    return head + dumped(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "palette-snapshot-exporter"},
            "spec": {"groups": [plain(group, options) for group in groups]},
        }
    )
